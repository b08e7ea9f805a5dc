"""Values of the product to DICOM data sets and back. Opens no socket and no database, touches no hardware."""
