"""Scopegate: from a video output to the PACS. What the product does; what it touches is in `hardware`."""

__version__ = "0.1.0"
