"""Whether what is stored is still what was stored: the screen's `scopegate audit verify` and `spool check`."""
