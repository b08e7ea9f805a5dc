"""Reads the record of a picture from a disk that may not give it any more."""

from pathlib import Path

from gateway.errors import SpoolDamaged
from gateway.spool.spool import Spool


def record_bytes(spool: Spool, path: Path) -> bytes:
    """Read a record. Raises SpoolDamaged when the disk gives it no more, which keeps no box from its work."""
    try:
        return path.read_bytes()
    except OSError as error:
        spool.files.blame(error, spool.layout.probe(path.suffix[1:]))
        raise SpoolDamaged("A record cannot be read.", code="file-unreadable") from error
