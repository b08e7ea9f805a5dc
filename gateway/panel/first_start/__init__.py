"""A box that nobody set up yet: what is asked, in which order, and what the answers make of its file."""
