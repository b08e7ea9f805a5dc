"""Carries what is on a box onto sticks: a tar stream of the spool, encrypted with the recovery code.

Changes nothing on the box. A file that the disk does not give any more is filled with zeros, so that the rest comes
all the same; the last file of the stream names those.
"""

import io
import logging
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from gateway.clock import Clock
from gateway.log import event
from gateway.machine.encryption.closed import DataClosed
from gateway.machine.programs import ProgramFailed, run
from gateway.machine.repair.pieces import Pieces, Rescuing, Say, StickFailed, StickGone

_log = logging.getLogger(__name__)
STICK = Path("/media/usb")
_AGAIN = Path("/run/scopegate-stick-again")
_BLOCKS = Path("/dev/block")
_OPTIONS = "nosuid,nodev,noexec,noatime"
NOT_READ = "not-read.txt"
_UNIT = "media-usb.mount"
_RESCUED = ("spool", "lost+found")  # where e2fsck puts what it found and nobody knows the name of
_LEFT_OUT = frozenset({"reserve"})  # of the spool: room that is kept free
_MB = 1_000_000
_SAY_BYTES = 16 * _MB
_LOOK_S = 1.0


class NoStick(DataClosed):
    """There is no stick onto which the pictures can be rescued."""

    code = "no-stick"
    safe = "Nothing was changed."
    action = "Put one in (FAT or exFAT), wait ten seconds, and begin again."


class NextStick(DataClosed):
    """This stick is full."""

    code = "rescue-next-stick"
    safe = "What is on it is whole, and belongs to what comes on the next one."
    action = "Pull it out and put another one in. It goes on by itself."


class Rescued(DataClosed):
    """The pictures are rescued."""

    code = "rescued"
    safe = "Nothing on the box was changed. Read the copy on a PC before the box is erased."
    action = "The stick may be pulled out. Switch the box off and on to work with it."


class RescuedInPart(DataClosed):
    """The pictures are rescued, but for what the disk does not give any more."""

    code = "rescued-in-part"
    safe = "Nothing on the box was changed. The last file of the copy names what is missing."
    action = "The stick may be pulled out. Do not erase the box: an expert may read more from its disk."


class StickHeld(DataClosed):
    """The pictures are rescued, but the box does not let go of the stick."""

    code = "rescue-stick-held"
    safe = "Nothing on the box was changed."
    action = "Switch the box off, then pull the stick out. Do not erase the box before the copy was read on a PC."


class MountedSticks:
    """Those that the box mounts when they are put in (systemd/media-usb.mount)."""

    def __init__(
        self, *, clock: Clock, say: Say, folder: Path = STICK, again: Path = _AGAIN, blocks: Path = _BLOCKS
    ) -> None:
        """`again`: where one is mounted once more; `blocks`: where block devices stand by their numbers."""
        self.folder = folder
        self._usual, self._again = folder, again
        self._blocks = blocks
        self._device: Path | None = None  # of the one that is mounted once more
        self._clock = clock
        self._say = say

    @property
    def is_there(self) -> bool:
        return self.folder.is_mount() and (self._device is None or self._device.exists())

    def room(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize if self.is_there else 0

    def leave(self) -> None:
        """Let it be pulled out: all is on it. Raises ProgramFailed."""
        run(["sync", "--file-system", self.folder])  # which says what the stick did not take; unmounting does not
        if self._device:
            run(["umount", self.folder])
            self.folder, self._device = self._usual, None
        else:
            run(["systemctl", "stop", _UNIT])

    def remount(self) -> None:
        """Have what is read next come from it: Linux keeps what was written, and the names, while it is mounted.

        By the number of its device and in a place of its own: somebody may have put the next one in already.
        """
        device = None
        try:
            number = self.folder.stat().st_dev
            device = self._blocks / f"{os.major(number)}:{os.minor(number)}"
            self.leave()
            self._again.mkdir(mode=0o700, exist_ok=True)
            run(["mount", "--options", _OPTIONS, device, self._again])
        except (OSError, ProgramFailed) as error:
            event(_log, "stick_not_mounted_again", why=type(error).__name__)
            raise StickFailed if device and device.exists() else StickGone from None
        self.folder, self._device = self._again, device

    def after(self, state: DataClosed) -> DataClosed:
        """Let the last one be pulled out; return what is to be said of the rescue then."""
        try:
            self.leave()
        except ProgramFailed as error:
            event(_log, "stick_not_unmounted", why=str(error))
            return StickHeld(safe=state.safe)
        return state

    def next(self) -> None:
        if self.is_there:
            self.leave()
        self._say(NextStick())
        while not self.is_there:
            self._clock.pause(_LOOK_S)


class Rescue:
    """One."""

    def __init__(self, *, data: Path, pieces: Pieces, say: Say) -> None:
        """`data`: where the partition is mounted."""
        self._data = data
        self._pieces = pieces
        self._say = say
        self._not_read: list[str] = []
        self.done, self.total = 0, 0  # bytes

    def run(self) -> DataClosed:
        """Write all of it; return what is to be said of it. Raises StickFailed, StickGone."""
        self.total = sum(size for _, size in self._files())
        self._not_read.clear()  # they are found once more
        self.progress()
        try:
            with tarfile.open(mode="w|", fileobj=self._pieces, format=tarfile.PAX_FORMAT, bufsize=1 << 20) as tar:
                for path, _ in self._files():
                    self._add(tar, path)
                self._name_what_is_missing(tar)
            self._pieces.finish()
        finally:
            self._pieces.stop()
        done, pieces = self.done // _MB, self._pieces.count
        if missing := len(self._not_read):
            return RescuedInPart(f"The pictures are rescued, but for {missing} files that the disk does not give.")
        return Rescued(f"The pictures are rescued: {done} MB in {pieces} files.")

    def progress(self) -> None:
        done, total = self.done // _MB, self.total // _MB
        self._say(Rescuing(f"The pictures are being rescued: {done} of {total} MB."))

    # --- inside -------------------------------------------------------------------------------------------

    def _files(self) -> Iterator[tuple[Path, int]]:
        """Yield what is to be rescued, and how long it is: files alone, through no link."""
        walks = (os.walk(self._data / name, onerror=self._lost) for name in _RESCUED)
        for folder, folders, names in chain.from_iterable(walks):
            folders.sort()
            for name in sorted(set(names) - _LEFT_OUT):
                path = Path(folder, name)
                try:
                    info = path.lstat()
                except OSError:
                    self._not_read.append(self._name(path))
                    continue
                if stat.S_ISREG(info.st_mode):
                    yield path, info.st_size

    def _lost(self, error: OSError) -> None:
        self._not_read.append(self._name(Path(error.filename)))

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._data))

    def _add(self, tar: tarfile.TarFile, path: Path) -> None:
        try:
            file = path.open("rb")
        except OSError:
            self._not_read.append(self._name(path))
            return
        with file:
            entry = tar.gettarinfo(arcname=self._name(path), fileobj=file)
            whole = _Whole(file, self._count)
            tar.addfile(entry, whole)
            if whole.lacks:
                self._not_read.append(self._name(path))

    def _count(self, size: int) -> None:
        before = self.done
        self.done += size
        if before // _SAY_BYTES != self.done // _SAY_BYTES:
            self.progress()

    def _name_what_is_missing(self, tar: tarfile.TarFile) -> None:
        if self._not_read:
            text = "".join(f"{name}\n" for name in self._not_read).encode(errors="surrogateescape")
            entry = tarfile.TarInfo(NOT_READ)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))


class _Whole(io.RawIOBase):
    """A file that gives as many bytes as it is asked for: zeros where the disk gives none."""

    def __init__(self, file: IO[bytes], count: Callable[[int], None]) -> None:
        super().__init__()
        self._file = file
        self._count = count
        self._at = 0
        self.lacks = False

    def read(self, size: int = -1) -> bytes:
        try:
            self._file.seek(self._at)
            found = self._file.read(size)
        except OSError:
            found = b""
        self.lacks = self.lacks or len(found) < size
        self._at += size
        self._count(size)
        return found.ljust(size, b"\0")
