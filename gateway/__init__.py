"""Scopegate: from a video output to the PACS. What the product does; what it touches is in `hardware`."""

__version__ = "0.2.0.dev0"

# What files and associations say of their maker (PS3.7 D.3.3.2, PS3.10 7.1). The UID must never change: a 2.25 one
# until the project owns an organisation root.
IMPLEMENTATION_CLASS_UID = "2.25.222891630817621297522644091424000587859"
IMPLEMENTATION_VERSION_NAME = "SCOPEGATE_0_2"
