"""Media as a destination: a stick or a folder with a DICOMDIR. Nothing here changes the spool's files."""
