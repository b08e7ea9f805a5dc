"""The process with the devices: frames in, presses in, media files out. No network, no DICOM."""
