"""What leaves the box is made here: release, DICOM objects, key stills, messages about procedure steps."""
