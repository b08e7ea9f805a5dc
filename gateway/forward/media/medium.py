"""One mounted medium, or a folder in its place: whether it is there, who writes it, what really lies on it.

Turns what the operating system says of it into the words of MediaError. Knows no DICOM.
"""

import ctypes
import errno
import fcntl
import hashlib
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gateway.dicom.medium_room import in_blocks
from gateway.errors import (
    DiskFailed,
    DiskFull,
    MediaAbsent,
    MediaBusy,
    MediaError,
    MediaFull,
    MediaGone,
    MediaReadOnly,
)

_PIECE = 1 << 20  # bytes read at once; a multiple of every block size, as O_DIRECT wants
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


def is_mounted(folder: Path, data_dir: Path) -> bool:
    """Say whether a folder lies on a file system that is neither the data folder's nor the system's."""
    try:
        own = {Path("/").stat().st_dev, data_dir.stat().st_dev}
        return folder.is_dir() and folder.stat().st_dev not in own
    except OSError:
        return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """What a person wants to know of a medium before it is written. In bytes."""

    free: int
    total: int
    read_only: bool


def capacity(folder: Path) -> Capacity | None:
    """Return how large a mounted medium is; None when it does not say."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return Capacity(
        free=found.f_bavail * found.f_frsize,
        total=found.f_blocks * found.f_frsize,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What a medium has left; a file takes whole blocks. In bytes."""

    free: int
    block: int

    def needed(self, size: int) -> int:
        return in_blocks(size, self.block)


def impatient() -> bool:
    """Wait for nobody."""
    return False


class Medium:
    """A folder that is written by nobody else while this is entered. Raises MediaError.

    wait: called while another writer has it; waits a little, or returns False to give up.
    """

    def __init__(self, folder: Path, *, wait: Callable[[], bool] = impatient) -> None:
        self.folder = folder
        self._wait = wait
        self._fd = -1

    def __enter__(self) -> Self:
        try:
            self._fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MediaAbsent(f"There is no folder {self.folder}.") from error
        except OSError as error:
            raise meaning(error) from error
        try:
            self._lock()
        except BaseException:
            os.close(self._fd)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    @property
    def root(self) -> Path:
        """The folder as it was opened. What is unmounted leaves the box's own folder under the old name."""
        return Path(f"/proc/self/fd/{self._fd}")

    def check(self) -> None:
        """Raise MediaGone when another folder stands under the medium's name by now."""
        with translated():
            here, now = os.fstat(self._fd), self.folder.stat()
        if (here.st_dev, here.st_ino) != (now.st_dev, now.st_ino):
            raise MediaGone

    def room(self) -> Room:
        with translated():
            found = os.statvfs(self._fd)
        return Room(free=found.f_bavail * found.f_frsize, block=max(1, found.f_frsize))

    def flush(self) -> None:
        """Write out whatever of this file system is still in memory: syncfs(2)."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(self._fd) != 0:
            raise meaning(OSError(ctypes.get_errno(), "syncfs"))

    def _lock(self) -> None:
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if not self._wait():
                    raise MediaBusy from error
            except OSError as error:
                if error.errno not in _NO_LOCKS:  # a share without locks: there nobody keeps two writers apart
                    raise meaning(error) from error
                return
            else:
                return


def sha256_on_medium(path: Path, read: Callable[[int], None]) -> str:
    """Return the SHA-256 of what the medium gives, past the cache; `read` is told of each piece, in bytes.

    Raises MediaGone when it gives nothing.
    """
    digest = hashlib.sha256()
    with translated():
        for piece in _uncached(path):
            digest.update(piece)
            read(len(piece))
    return digest.hexdigest()


def _uncached(path: Path) -> Iterator[bytes]:
    """Read a flushed file from its device: O_DIRECT where the file system has it, else after dropping its pages."""
    fd = _opened_directly(path)
    try:
        size, position = os.fstat(fd).st_size, 0
        with mmap.mmap(-1, _PIECE) as buffer:  # page-aligned, as O_DIRECT wants
            while position < size:
                count = os.preadv(fd, [buffer], position)
                if not count:
                    return
                yield buffer[:count]
                position += count
    finally:
        os.close(fd)


def _opened_directly(path: Path) -> int:
    with suppress(OSError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return fd


@contextmanager
def translated() -> Iterator[None]:
    """Turn what fails on the medium, also through `Files`, into a MediaError."""
    try:
        yield
    except (DiskFull, DiskFailed) as error:
        cause = error.__cause__
        raise meaning(cause if isinstance(cause, OSError) else OSError(errno.EIO, "")) from error
    except OSError as error:
        raise meaning(error) from error


def meaning(error: OSError) -> MediaError:
    """Return what an error of the operating system says of a medium."""
    if error.errno in _FULL:
        return MediaFull()
    if error.errno in _READ_ONLY:
        return MediaReadOnly()
    if error.errno == errno.EFBIG:
        return MediaFull(
            "A clip is larger than this medium takes as one file.",
            action="Use a medium that takes files beyond 4 GB (exFAT or ext4).",
        )
    name = errno.errorcode.get(error.errno or 0, "unknown")
    return MediaGone(f"The stick was taken away, or fails ({name}).")
