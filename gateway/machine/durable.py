"""What root writes into folders in which others may write as well, so that it outlives a power cut."""

import os
from pathlib import Path


def replace(path: Path, content: bytes, *, mode: int) -> None:
    """Have a file be this, or as it was, whatever happens; follows no link. `mode`: its rights. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)
    new.rename(path)
    flush(path.parent)


def flush(folder: Path) -> None:
    """Have the disk know the names that stand in a folder now. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
