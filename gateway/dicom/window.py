"""A part of a file as a file: the film inside a sealed object, for a decoder that reads here and there."""

import io
from pathlib import Path
from typing import Protocol

from gateway.dicom.sealed import SealedFile


class Seekable(Protocol):
    """What a reader of films needs of a file."""

    def read(self, size: int = ..., /) -> bytes: ...

    def seek(self, offset: int, whence: int = ..., /) -> int: ...

    def tell(self) -> int: ...


class Window(io.RawIOBase):
    """Bytes `start` to `start + length` of a file; read only. Used with `with`."""

    def __init__(self, path: Path, *, start: int, length: int) -> None:
        self._file = path.open("rb")
        self._start = start
        self._length = length
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._length - self._at)
        self._file.seek(self._start + self._at)
        found = self._file.read(left if size < 0 else min(size, left))
        self._at += len(found)
        return found

    def close(self) -> None:
        self._file.close()
        super().close()


def film_of(file: SealedFile) -> Window:
    """Read an open H.264 clip to its end, so that its `sha256` is known; return its stream. Raises ObjectError."""
    for _ in file.film_pieces():
        pass
    start, length = file.film
    return Window(file.path, start=start, length=length)
