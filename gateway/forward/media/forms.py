"""In which form an object goes onto a medium: as sealed, or plain where its profile does not know the codec."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.dicom import part10, transcode
from gateway.dicom.medium_room import to_be_plain
from gateway.errors import SpoolDamaged
from gateway.model import SealedObject
from gateway.spool.files import sha256_of

_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One sealed object and its file on the box."""

    sealed: SealedObject
    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What is written of an object; `sealed` says its size, digest and transfer syntax."""

    sealed: SealedObject
    path: Path
    plain: bytes | None = field(default=None, repr=False)  # None: the file as it is

    def pieces(self) -> Iterator[bytes]:
        """Yield the content. Raises OSError when the box's file cannot be read."""
        if self.plain is not None:
            for start in range(0, len(self.plain), _PIECE):
                yield self.plain[start : start + _PIECE]
            return
        with self.path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece


def form_of(item: Item) -> Form:
    """Return what is written of an object. Raises ObjectError, SpoolDamaged or OSError when the file is not sound.

    A JPEG-LS still is made plain: the profile has no such syntax, and nothing is lost.
    """
    if not to_be_plain(item.sealed):
        return Form(sealed=item.sealed, path=item.path)
    if sha256_of(item.path) != item.sealed.sha256:
        raise SpoolDamaged("The DICOM file of this picture is not the one that was sealed.")
    plain = b"".join(transcode.uncompressed(item.path, part10.EXPLICIT_LE))
    sealed = replace(
        item.sealed,
        transfer_syntax_uid=part10.EXPLICIT_LE,
        bytes=len(plain),
        sha256=hashlib.sha256(plain).hexdigest(),
    )
    return Form(sealed=sealed, path=item.path, plain=plain)
