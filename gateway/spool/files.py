"""Every file operation of the spool. Nothing else in the product writes, renames or removes a file there.

A name is durable only after its folder was flushed, a file's bytes only after the file was (fsync(2)).
The methods that begin with an underscore are the whole traffic with the disk: a test records them and replays
every prefix as a power cut would leave it.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Protocol

from gateway.errors import DiskFailed, DiskFull, NotFound

PART = ".part"  # the suffix of a file that is not complete yet
_FULL = {errno.ENOSPC, errno.EDQUOT}
Chunks = Iterable[bytes | memoryview]
_DYING = {errno.EIO, errno.EROFS, errno.ENODEV, errno.ENXIO}


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What a durable write put on the disk."""

    bytes: int
    sha256: str


class Relief(Protocol):
    """Who makes a little room on a disk that is nearly full."""

    def ease(self, needed: int = ...) -> None: ...


class Files:
    """Durable file operations. Raises DiskFull, or DiskFailed for every other failure of the disk.

    Records get their room from `relief` (the reserve) on a full disk, pictures do not.
    """

    relief: Relief | None = None

    def make_folder(self, path: Path) -> None:
        """Create a folder, durably. Raises FileExistsError when the name is taken."""
        self._ease()
        with _translated():
            self._mkdir(path)
            self._sync_folder(path.parent)

    def write(self, path: Path, chunks: Chunks, *, picture: bool = False) -> Written:
        """Create or replace a file, so that after a power cut either the old or the whole new one is there.

        `picture`: it is none of the small records for which the reserve is kept.
        """
        tally = _Tally()
        self.write_all([(path, tally.over(chunks))], picture=picture)
        return Written(bytes=tally.bytes, sha256=tally.digest.hexdigest())

    def write_all(self, contents: Sequence[tuple[Path, Chunks]], *, picture: bool = False) -> None:
        """Create or replace several files; each for itself is the old or the whole new one after a power cut.

        They share the flushes of their folders, and the disk gets them in one go: ten small files cost three
        flushes rather than twenty. When one cannot be written, none gets its name.
        """
        if picture or self.relief is None:
            self._write_all(contents)
            return
        recorded = [(path, list(chunks)) for path, chunks in contents]
        self._ease()
        try:
            self._write_all(recorded)
        except DiskFull:  # somebody took that room first
            self._ease()
            self._write_all(recorded)

    def write_secret(self, path: Path, content: bytes) -> None:
        """Create or replace a file that nobody but this user may read; durable when this returns."""
        self._write_own(path, content, 0o600)

    def write_request(self, path: Path, content: bytes) -> None:
        """Create or replace a file that the group may read and this user alone write; durable when this returns."""
        self._write_own(path, content, 0o640)

    def _write_own(self, path: Path, content: bytes, mode: int) -> None:
        self._ease()
        with _translated():
            with suppress(FileNotFoundError):  # half an earlier one, or what somebody laid there and holds open
                self._unlink(_part(path))
            fd = self._create_own(_part(path), mode)
            try:
                self._write(fd, content)
                self._sync(fd)
            except BaseException:
                with suppress(OSError):
                    self._unlink(_part(path))
                raise
            finally:
                os.close(fd)
            self._rename(_part(path), path)
            self._sync_folder(path.parent)

    def rename(self, old: Path, new: Path) -> None:
        """Give a complete and flushed file its final name, durably."""
        with _translated():
            self._rename(old, new)
            self._sync_folder(new.parent)

    def flush_names(self, folder: Path) -> None:
        """Make durable which names stand in a folder, whoever gave them."""
        with _translated():
            self._sync_folder(folder)

    def link(self, old: Path, new: Path) -> None:
        """Give a complete and flushed file a second name, durably; one that it has already is no error."""
        with _translated():
            with suppress(FileExistsError):
                self._link(old, new)
            self._sync_folder(new.parent)

    def point(self, path: Path, target: str) -> None:
        """Have a name lead to another one (symlink(7)): after a power cut it leads where it did, or there."""
        with _translated():
            beside = path.with_name(f"{path.name}.link")  # what writes into a file's part would follow it
            with suppress(FileNotFoundError):
                self._unlink(beside)
            self._symlink(target, beside)
            self._rename(beside, path)
            self._sync_folder(path.parent)

    def remove(self, *paths: Path) -> None:
        """Remove files, durably; one that is not there is no error."""
        gone: dict[Path, None] = {}
        with _translated():
            for path in paths:
                with suppress(FileNotFoundError):
                    self._unlink(path)
                    gone[path.parent] = None
            for folder in gone:
                with suppress(FileNotFoundError):  # it went as a whole
                    self._sync_folder(folder)

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder, durably; one that is not there is no error."""
        with _translated(), suppress(FileNotFoundError):
            self._rmdir(path)
            self._sync_folder(path.parent)

    def cut(self, path: Path, size: int) -> None:
        """Shorten a file to `size` bytes, durably."""
        with _translated():
            fd = os.open(path, os.O_WRONLY)
            try:
                self._truncate(fd, size)
                self._sync(fd)
            finally:
                os.close(fd)

    def flush(self, path: Path) -> None:
        """Make durable what something else wrote into a file."""
        with _translated():
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                self._sync(fd)
            finally:
                os.close(fd)

    def append(self, path: Path) -> "Appender":
        """Open a file for appending; it exists durably when this returns."""
        self._ease()
        with _translated():
            fd = self._create(path, keep=True)
            try:
                self._sync_folder(path.parent)
            except BaseException:
                os.close(fd)
                raise
        return Appender(self, fd)

    @contextmanager
    def scratch(self, path: Path) -> Iterator[BufferedRandom]:
        """Open an empty file to write and to read, which is gone afterwards. Raises DiskFull or DiskFailed."""
        with _translated():
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o660)
            try:
                with os.fdopen(fd, "w+b") as file:
                    yield file
            finally:
                with suppress(OSError):
                    self._unlink(path)

    def probe(self, path: Path) -> None:
        """Raise DiskFull or DiskFailed when the disk does not take a small file."""
        self.write(path, [b"?"])
        self.remove(path)

    def blame(self, error: BaseException, path: Path) -> None:
        """Say whose fault it is that a file cannot be read: raise DiskFailed when the disk takes no write either.

        A disk that works otherwise has a bad sector: the error stays with that file.
        """
        while error.__cause__ and not isinstance(error, OSError):
            error = error.__cause__
        if isinstance(error, OSError) and error.errno in _DYING:
            try:
                self.probe(path)
            except DiskFull:
                return

    def allocate(self, path: Path, size: int) -> None:
        """Make a file that long and have the disk set its room aside; what it holds is nobody's matter."""
        with _translated():
            fd = self._create(path, keep=True)
            try:
                self._allocate(fd, size)
            finally:
                os.close(fd)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what a look at the disk raises into DiskFull or DiskFailed."""
        with _translated():
            yield

    def replace_quickly(self, path: Path, content: bytes) -> None:
        """Replace a file whole but without flushing: for live state that a restart makes worthless.

        In a sticky folder another user's file keeps its name: it is written where it is, and a reader may see half.
        """
        part = path.with_name(path.name + PART)
        with _translated():
            part.write_bytes(content)
            try:
                part.replace(path)
            except PermissionError:
                part.unlink()
                with path.open("r+b") as file:
                    file.truncate()
                    file.write(content)

    def _write_all(self, contents: Sequence[tuple[Path, Chunks]]) -> None:
        fds: list[int] = []
        with _translated():
            try:
                for path, chunks in contents:
                    fds.append(self._create(_part(path)))
                    self._fill(fds[-1], chunks)
                for fd in fds:
                    self._sync(fd)
            except BaseException:
                for path, _ in contents[: len(fds)]:
                    with suppress(OSError):  # on a full disk the half of a file is the room that others need
                        self._unlink(_part(path))
                raise
            finally:
                for fd in fds:
                    os.close(fd)
            for path, _ in contents:
                self._rename(_part(path), path)
            for folder in dict.fromkeys(path.parent for path, _ in contents):
                self._sync_folder(folder)

    def _fill(self, fd: int, chunks: Chunks) -> None:
        for chunk in chunks:
            self._write(fd, chunk)
        # The disk may begin now: with several files the flush of the first then takes the others along.
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def _ease(self) -> None:
        if self.relief:
            self.relief.ease()

    # --- the whole traffic with the disk ------------------------------------------------------------------

    def _mkdir(self, path: Path) -> None:
        path.mkdir(mode=0o770)  # the group comes from the data folder, whose setgid bit is inherited

    def _create(self, path: Path, *, keep: bool = False) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_APPEND if keep else os.O_TRUNC)
        flags |= os.O_NONBLOCK  # a pipe of that name on somebody's stick would hold us for ever
        return os.open(path, flags, 0o660)

    def _create_own(self, path: Path, mode: int) -> int:
        """Open a new file to which nobody had more right at any moment."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:  # a short write is not an error of write(2)
            view = view[os.write(fd, view) :]

    def _sync(self, fd: int) -> None:
        os.fsync(fd)

    def _truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def _allocate(self, fd: int, size: int) -> None:
        os.posix_fallocate(fd, 0, size)

    def _rename(self, old: Path, new: Path) -> None:
        old.replace(new)

    def _link(self, old: Path, new: Path) -> None:
        new.hardlink_to(old)

    def _symlink(self, target: str, path: Path) -> None:
        path.symlink_to(target)

    def _unlink(self, path: Path) -> None:
        path.unlink()

    def _rmdir(self, path: Path) -> None:
        path.rmdir()

    def _sync_folder(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


class _Tally:
    """Counts and hashes what is written on its way."""

    def __init__(self) -> None:
        self.bytes = 0
        self.digest = hashlib.sha256()

    def over(self, chunks: Chunks) -> Iterator[bytes | memoryview]:
        for chunk in chunks:
            yield chunk
            self.bytes += len(chunk)
            self.digest.update(chunk)


def _part(path: Path) -> Path:
    return path.with_name(path.name + PART)


class Appender:
    """A file that only grows. What was written is safe after `sync`."""

    def __init__(self, files: Files, fd: int) -> None:
        self._files = files
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def write(self, *chunks: bytes | memoryview) -> None:
        with _translated():
            for chunk in chunks:
                self._files._write(self._fd, chunk)  # noqa: SLF001 - one subject, two classes
                self.size += len(chunk)

    def sync(self) -> None:
        with _translated():
            self._files._sync(self._fd)  # noqa: SLF001

    def close(self) -> None:
        """Let go of the file; a second time is no error."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with _translated():
                os.close(fd)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive flock(2) on `path`, which is created when missing and goes with its folder alone.

    Raises DiskFull or DiskFailed when it cannot be created, NotFound when its folder is gone, before or meanwhile.
    """
    with still_there():
        with _translated():
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


@contextmanager
def still_there() -> Iterator[None]:
    """Say NotFound where a file or its folder is gone: an exam may be erased at any moment."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("What this is about is not on this box any more.") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError as error:
        raise disk_error(error) from error


def disk_error(error: OSError) -> DiskFull | DiskFailed:
    """Return what an error of the disk means."""
    if error.errno in _FULL:
        return DiskFull()
    name = errno.errorcode.get(error.errno or 0, "unknown")
    return DiskFailed(f"The box's disk cannot be written ({name}).")
