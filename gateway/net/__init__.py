"""Foreign systems over DICOM's network services, one module a service; their answers are translated here."""
