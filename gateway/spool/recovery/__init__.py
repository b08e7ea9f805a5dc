"""What a power cut or a kill left behind is put right when a process starts. Files win over rows."""
