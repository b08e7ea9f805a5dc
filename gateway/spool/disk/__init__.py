"""How much the disk has room for, what is given up on a full one, and how worn it is."""
