"""What lies on a medium already: our DICOMDIR, files that it does not name, the next number. Writes nothing."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.clock import Clock
from gateway.dicom import dicomdir
from gateway.dicom.dicomdir import Directory
from gateway.dicom.elements import Malformed
from gateway.errors import MediaForeign
from gateway.model import SealedObject
from gateway.spool.files import PART

DICOMDIR = "DICOMDIR"
_FOLDER = "DICOM"
_FILE = re.compile(r"I(\d{7})")
_FILE_ID = re.compile(r"[A-Z0-9_]{1,8}")  # each part of one (PS3.10 8.5)
_SUBFOLDER = re.compile(r"SG\d{6}")
_IN_A_FOLDER = 1000  # files; FAT searches folders from the beginning
_LAST_FILE = 9_999_999
_LARGEST_DIRECTORY = 64_000_000  # bytes; none with so few objects as we write has more


class Contents:
    """A medium as a session finds it. Raises MediaForeign, or OSError when the medium fails.

    `directory`: ours, or an empty new one; entries whose files were deleted are dropped. `halves`: what a session
    that was killed was writing.
    """

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self.directory = self._read(clock)
        self._orphans: dict[int, list[Path]] = {}  # by size: what a session that did not finish left
        self.halves: list[Path] = []
        self._next = 1
        self._look_around()

    @property
    def uids(self) -> set[str]:
        return {entry.sop_instance_uid for entry in self.directory.entries}

    def has_size(self, size: int) -> bool:
        """Say whether a file that no directory names may turn out to be an object of that size."""
        return size in self._orphans

    def candidates(self, sealed: SealedObject) -> Iterator[Path]:
        """Yield files that may be this very object, from an earlier session or one that did not finish."""
        for entry in self.directory.entries:
            if entry.sop_instance_uid == sealed.sop_instance_uid:
                yield self._root.joinpath(*entry.file_id)
        yield from self._orphans.get(sealed.bytes, [])

    def new_file(self) -> Path:
        """Return a name that nothing on the medium has, or had."""
        number, self._next = self._next, self._next + 1
        if number > _LAST_FILE:
            raise MediaForeign("The medium has no further names for files of ours.")
        return self._root / _FOLDER / f"SG{number // _IN_A_FOLDER:06d}" / f"I{number:07d}"

    def _read(self, clock: Clock) -> Directory:
        path = self._root / DICOMDIR
        if not os.path.lexists(path):
            return Directory(file_set_uid=clock.uid(), entries=())
        size = _size(path)
        if size is None or size > _LARGEST_DIRECTORY:
            raise MediaForeign
        try:
            found = dicomdir.decode(path.read_bytes())
        except Malformed as error:
            raise MediaForeign from error
        there = tuple(entry for entry in found.entries if self._has(entry.file_id))
        return Directory(file_set_uid=found.file_set_uid, entries=there)

    def _has(self, file_id: tuple[str, ...]) -> bool:
        """Say whether a directory's entry leads to a file of this very medium."""
        folders = [self._root.joinpath(*file_id[:depth]) for depth in range(1, len(file_id))]
        return (
            all(_FILE_ID.fullmatch(part) for part in file_id)
            and not any(folder.is_symlink() for folder in folders)
            and _size(self._root.joinpath(*file_id)) is not None
        )

    def _look_around(self) -> None:
        named = {self._root.joinpath(*entry.file_id) for entry in self.directory.entries}
        for path in sorted((self._root / _FOLDER).glob("SG*/I*")):
            number = _FILE.fullmatch(path.name.partition(".")[0])
            if number and _SUBFOLDER.fullmatch(path.parent.name):
                self._next = max(self._next, int(number[1]) + 1)
                size = None if path.parent.is_symlink() else _size(path)
                if size is not None and path.suffix == PART:
                    self.halves.append(path)
                if path not in named and "." not in path.name and size is not None:
                    self._orphans.setdefault(size, []).append(path)


def _size(path: Path) -> int | None:
    """Return a file's length; None when it is no file: behind a link or a pipe may be anything, without end."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
