"""Folders in memory: flushing costs nothing there, and what it is worth tests/crash finds out."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_SHARED_MEMORY = Path("/dev/shm")
MEMORY = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None  # None: where temporary files go


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Make a folder in memory where there is such a thing, else on the disk; it is removed afterwards."""
    with TemporaryDirectory(dir=MEMORY, prefix="scopegate-test-", ignore_cleanup_errors=True) as name:
        yield Path(name)
    if Path(name).exists():  # a thread that was just ending wrote its last file meanwhile
        shutil.rmtree(name)
