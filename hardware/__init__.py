"""Picture sources, triggers and signs: knows nothing of exams or DICOM, imports nothing of `gateway`."""
