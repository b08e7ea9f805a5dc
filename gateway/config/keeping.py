"""The configuration file on the disk: read whole, replaced whole, and the nine before it beside it.

Knows no TOML. Whatever stops the box, the file is the old one or the new one.
"""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.errors import SettingsReadOnly

KEPT = 9  # files before this one
LARGEST = 1_000_000  # bytes; a file beyond is no configuration


class Disk(Protocol):
    """Durable file operations, as gateway/spool/files.py has them."""

    def write(self, path: Path, chunks: Iterable[bytes | memoryview]) -> object: ...
    def rename(self, old: Path, new: Path) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """What a file holds, and its name for that state: the same bytes have the same revision."""

    raw: bytes
    revision: str


def text_of(raw: bytes) -> Text:
    return Text(raw=raw, revision=hashlib.sha256(raw).hexdigest())


def text_at(path: Path) -> Text:
    """Return what a file holds now; what cannot be read has nothing in it."""
    return text_of(_read(path))


def raw_at(path: Path) -> bytes:
    """Return what a file holds, and of a larger one than any configuration its beginning. Raises OSError.

    Whatever else stands there is none: a pipe, which anybody of the group may lay there, would be waited for.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(LARGEST + 1)
    finally:
        os.close(fd)


class Kept:
    """One configuration file. A link to it is followed: the file itself is replaced."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path.resolve()
        self._disk = disk

    @property
    def is_writable(self) -> bool:
        """Say whether it can be replaced: its folder decides, not the file."""
        return os.access(self.path.parent, os.W_OK | os.X_OK)

    def read(self) -> Text:
        """Return what it holds now; what cannot be read has nothing in it. Raises OSError never."""
        return text_at(self.path)

    def before(self) -> Text | None:
        """Return what it held before its present state, None when nobody knows."""
        now = _read(self.path)
        for number in range(1, KEPT + 1):
            raw = _read(self._older(number))
            if raw and raw != now:
                return text_of(raw)
        return None

    def every(self) -> Iterator[bytes]:
        """Yield what it holds and what each file before it held. Raises OSError for one that cannot be read."""
        yield self.path.read_bytes()
        for number in range(1, KEPT + 1):
            with suppress(FileNotFoundError):
                yield self._older(number).read_bytes()

    def replace(self, raw: bytes) -> Text:
        """Replace it, durably, and keep what it held. For who is `alone`. Raises SettingsReadOnly, SpoolError."""
        if not self.is_writable:
            raise SettingsReadOnly
        self._turn()
        self._disk.write(self.path, [raw])
        return text_of(raw)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other change of this file waiting. Raises SettingsReadOnly."""
        try:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            raise SettingsReadOnly from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _turn(self) -> None:
        """Give what is there the number 1; each older one gets the next, the last is gone.

        A change that was cut off has left the present state as 1 already: then nothing has to move.
        """
        if not self.path.exists() or _read(self._older(1)) == _read(self.path):
            return
        free = next((n for n in range(1, KEPT) if not self._older(n).exists()), KEPT)
        for number in range(free - 1, 0, -1):
            self._disk.rename(self._older(number), self._older(number + 1))
        # No second name: Linux gives none to a file of another user, as the first one is (fs.protected_hardlinks).
        self._disk.write(self._older(1), [_read(self.path)])

    def _older(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def _read(path: Path) -> bytes:
    with suppress(OSError):
        return raw_at(path)
    return b""
