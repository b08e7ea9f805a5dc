"""How much room objects need on a medium: one number for who asks before a copy and for who writes it."""

from collections.abc import Iterable
from pathlib import Path

from gateway.dicom import part10
from gateway.dicom.sealed import SealedFile
from gateway.errors import ObjectError
from gateway.model import SealedObject

MARGIN = 1_000_000  # bytes for folders and the like
PER_ENTRY = 2_000  # bytes of DICOMDIR
USUAL_BLOCK = 32_768  # bytes, of large sticks as they are sold
_JPEG_SHARE = 0.5  # of the sealed bytes; more than was ever seen


def in_blocks(size: int, block: int) -> int:
    """Return what a file takes of a file system: whole blocks."""
    return -(-size // block) * block


def to_be_plain(sealed: SealedObject) -> bool:
    """Say whether an object goes uncompressed, because the profile of a medium does not know its codec."""
    return sealed.transfer_syntax_uid == part10.JPEG_LS


def of_object(sealed: SealedObject, path: Path) -> int:
    """Return how many bytes it has at most as it is written; 0 when its file is not sound, which is said later."""
    if not to_be_plain(sealed):
        return sealed.bytes
    try:
        with SealedFile(path) as file:
            return sealed.bytes + file.frame_bytes() * file.frames()
    except (OSError, ObjectError):
        return 0


def of_copies(sealed: SealedObject) -> int:
    """Return about how many bytes the copies for looking at have."""
    film = sealed.bytes if sealed.transfer_syntax_uid == part10.H264 else 0
    return int(sealed.bytes * _JPEG_SHARE) + film


def on_an_empty_one(objects: Iterable[tuple[SealedObject, Path]], *, jpeg: bool) -> int:
    """Return how many bytes objects need on a medium that has nothing of them yet."""
    found = list(objects)
    files = sum(in_blocks(of_object(sealed, path), USUAL_BLOCK) + PER_ENTRY for sealed, path in found)
    return files + MARGIN + (sum(of_copies(sealed) for sealed, _ in found) if jpeg else 0)
