"""Measures the product against the limits of the machine and against its peers. Tests nothing; see harness.py."""
