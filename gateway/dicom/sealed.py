"""Reads a sealed file back: its header at once, its frames one by one, each byte counted and hashed."""

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.dicom import elements, part10
from gateway.dicom.alike import Template
from gateway.dicom.elements import Elements, Malformed
from gateway.errors import ObjectError

_START = 1 << 20  # bytes; more than any header of ours
_NATIVE = b"\xe0\x7f\x10\x00OB\0\0"  # then four bytes of length
_PIXEL_DATA = _NATIVE + b"\xff\xff\xff\xff"
_PIECE = 1 << 20
_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"


class SealedFile:
    """An open sealed file, used with `with`. Raises ObjectError for whatever is not as this product writes it."""

    def __init__(self, path: Path, template: Template | None = None) -> None:
        """Open it. `template`: a checked header that this one may be like; `is_like_it` says so afterwards."""
        self.path = path
        self.is_like_it = False
        self._template = template
        self._digest = hashlib.sha256()
        self._file = path.open("rb")
        try:
            self.size = self._left = os.fstat(self._file.fileno()).st_size
            self.head, self.meta, self.header, self._rest = self._head()
        except BaseException:
            self._file.close()
            raise
        self.offsets: tuple[int, ...] = ()
        self.film = (0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def fragments(self) -> Iterator[bytes]:
        """Yield each frame's fragment, padding included; of what is not compressed each frame's pixels.

        Afterwards `offsets` and `sha256` are valid.
        """
        if self.meta.transfer_syntax_uid == part10.EXPLICIT_LE:
            yield from self._native()
        else:
            yield from self._encapsulated()
        if self._left or self._rest:
            raise ObjectError("The sealed object goes on after its end.")

    def film_pieces(self) -> Iterator[bytes]:
        """Yield the one fragment of an H.264 clip in pieces.

        Afterwards `film` says where it begins and how long it is; `sha256` is valid as after `fragments`.
        """
        if self._take(len(_PIXEL_DATA)) != _PIXEL_DATA or self._item() != b"":
            raise ObjectError("The sealed object is no clip of one stream.")
        tag, length = struct.unpack("<4sL", self._take(8))
        self.film = (self.size - self._left - len(self._rest), length)
        if tag != _ITEM:
            raise ObjectError("The sealed object's pixel data do not add up.")
        while length:
            piece = self._take(min(length, _PIECE))
            length -= len(piece)
            yield piece
        if self._item() is not None or self._left or self._rest:
            raise ObjectError("The sealed object goes on after its end.")

    def _native(self) -> Iterator[bytes]:
        head = self._take(len(_PIXEL_DATA))
        frame, frames = self.frame_bytes(), self.frames()
        total = int.from_bytes(head[len(_NATIVE) :], "little")
        if not head.startswith(_NATIVE) or not frame or total != frame * frames + frame * frames % 2:
            raise ObjectError("The sealed object has other pixel data than it says.")
        for _ in range(frames):
            yield self._take(frame)
        if total > frame * frames and self._take(1) != b"\0":
            raise ObjectError("The sealed object has other pixel data than it says.")

    def frame_bytes(self) -> int:
        """Return the bytes of one frame's pixels, as the header says them."""
        rows, columns, samples = (self.header.number(each) for each in ("Rows", "Columns", "SamplesPerPixel"))
        return rows * columns * samples

    def frames(self) -> int:
        """Return how many frames the header says. Raises ObjectError when it does not."""
        frames = self.header.text("NumberOfFrames") or "1"
        if not frames.isdecimal():
            raise ObjectError("The sealed object does not say how many frames it has.")
        return int(frames)

    def _encapsulated(self) -> Iterator[bytes]:
        extended = self._extended()
        if self._take(len(_PIXEL_DATA)) != _PIXEL_DATA:
            raise ObjectError("The sealed object has no encapsulated pixel data.")
        table = self._item() or b""
        basic = struct.unpack(f"<{len(table) // 4}L", table[: len(table) // 4 * 4])
        if basic and extended:
            raise ObjectError("The sealed object has two offset tables.")
        self.offsets = basic or extended
        while (fragment := self._item()) is not None:
            yield fragment

    @property
    def sha256(self) -> str:
        """Digest of the whole file, once all fragments were read."""
        return self._digest.hexdigest()

    def _head(self) -> tuple[bytes, part10.Meta, Elements, memoryview]:
        start = self._read(min(_START, self._left))
        try:
            meta = part10.read_meta(start)
            header, end = self._header(start, meta.length)
        except Malformed as error:
            raise ObjectError("The sealed object cannot be read back.") from error
        return (
            start[:end],
            meta,
            header,
            memoryview(start)[end:],
        )  # a view: a whole still lies in it, cut five times

    def _header(self, start: bytes, begin: int) -> tuple[Elements, int]:
        if self._template and (found := self._template.read(start, begin)):
            self.is_like_it = True
            return found
        return elements.parse_head(start, explicit=True, start=begin)

    def _extended(self) -> tuple[int, ...]:
        """Read the Extended Offset Table when there is one; its lengths are skipped."""
        found: tuple[int, ...] = ()
        while bytes(self._rest[:4]) in {b"\xe0\x7f\x01\x00", b"\xe0\x7f\x02\x00"}:
            number = self._take(4)
            _, length = struct.unpack("<4sL", self._take(8))
            value = self._take(length)
            if number == b"\xe0\x7f\x01\x00":
                found = struct.unpack(f"<{len(value) // 8}Q", value[: len(value) // 8 * 8])
            self._rest = self._rest or memoryview(self._read(min(4, self._left)))
        return found

    def _item(self) -> bytes | None:
        """Return the next item's value; None at the sequence's end."""
        tag, length = struct.unpack("<4sL", self._take(8))
        if tag == _SEQUENCE_END and length == 0:
            return None
        if tag != _ITEM:
            raise ObjectError("The sealed object's pixel data do not add up.")
        return self._take(int(length))

    def _take(self, count: int) -> bytes:
        if count > len(self._rest) + self._left:
            raise ObjectError("The sealed object ends early.")
        value, self._rest = bytes(self._rest[:count]), self._rest[count:]
        return value + self._read(count - len(value)) if len(value) < count else value

    def _read(self, count: int) -> bytes:
        value = self._file.read(count)
        self._left -= len(value)
        self._digest.update(value)
        return value
