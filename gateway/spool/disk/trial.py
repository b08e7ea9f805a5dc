"""Whether the disk gives back what it was given, and how fast: in a file of its own, gone afterwards."""

import os
from dataclasses import dataclass
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import DiskFailed
from gateway.spool.files import Files

_MB = 1_000_000
_SIZE_MB = 64  # more than the buffers of a small flash disk, and a second's work for a slow one
_NAME = "self-test.scratch"


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """In MB (of 1,000,000 bytes) a second; written: until it was flushed."""

    written: float
    read: float


def try_disk(folder: Path, *, files: Files, clock: Clock, size_mb: int = _SIZE_MB) -> Speed:
    """Write, flush, read back and compare. Raises DiskFull; DiskFailed, also when it gave back something else."""
    path = folder / _NAME
    block = bytes.fromhex(clock.token(2 * 4096)) * (_MB // 4096 + 1)
    with files.scratch(path) as file, files.translated():
        begun_ns = clock.monotonic_ns()
        for number in range(size_mb):
            file.write(_numbered(block, number))
        file.flush()
        files.flush(path)
        written_ns = clock.monotonic_ns()
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # what is read comes from the disk
        file.seek(0)
        wrong = sum(file.read(_MB) != _numbered(block, number) for number in range(size_mb))
        read_ns = clock.monotonic_ns()
    if wrong:
        raise DiskFailed("The disk gave back something else than was written.", action="Have it replaced.")
    written_s, read_s = max(written_ns - begun_ns, 1) / 1e9, max(read_ns - written_ns, 1) / 1e9
    return Speed(written=size_mb / written_s, read=size_mb / read_s)


def _numbered(block: bytes, number: int) -> bytes:
    """Return a MB that no other one is like: one that came to another's place is noticed."""
    return number.to_bytes(8) + block[: _MB - 8]
