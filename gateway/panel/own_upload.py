"""An update that comes over the network, until root takes it away: one at a time, in a bounded place of its own.

Pictures come first: it is not taken in an exam, and never into the room that is kept for them. What lies there was
looked at by nobody; root takes it out of the panel's reach before it looks (gateway/machine/update/uploaded.py).
Blocks: writes files.
"""

import logging
import shutil
import threading
from contextlib import suppress
from pathlib import Path

from gateway.errors import ExamOpen, ScopegateError, SpoolError
from gateway.log import event, warn
from gateway.panel.own_updates import OwnUpdates
from gateway.panel.problems import NoRoomForUpdate, NoUpdates, UpdateRunning, UpdateTooLarge
from gateway.spool.disk import room
from gateway.spool.files import PART, Appender
from gateway.spool.spool import Spool

MOST_BYTES = 1_500 * room.MB  # twice what a slot's pieces come to
NAME = "bundle"  # whatever its sender calls it; gateway/machine/update/uploaded.py takes it under this one
_FLUSH_BYTES = 8 * room.MB  # so much may wait for the disk: a picture's flush does not stand behind more
_log = logging.getLogger(__name__)


class OwnUpload:
    """One box's. `place`: the folder, which only an appliance has."""

    def __init__(self, *, place: Path, updates: OwnUpdates, spool: Spool) -> None:
        self._place = place
        self._updates = updates
        self._spool = spool
        self._one = threading.Lock()
        self._arriving: Arriving | None = None

    @property
    def percent(self) -> int | None:
        """How much of one has come; None while none comes."""
        arriving = self._arriving
        return arriving.percent if arriving else None

    def may(self, size: int) -> None:
        """Say whether a file of so many bytes would be taken now.

        Raises NoUpdates, UpdateRunning, UpdateTooLarge, ExamOpen, NoRoomForUpdate, DiskFailed.
        """
        update = self._updates.seen().update
        if not update["takes_updates"] or not self._place.is_dir():
            raise NoUpdates
        if self._is_roots or update["trying"] or update["proving"] or self._arriving:
            raise UpdateRunning
        if size > MOST_BYTES:
            raise UpdateTooLarge
        self.has_room(size)

    @property
    def _is_roots(self) -> bool:
        """Say whether root has something to install: looked at in the order in which it lets go of each."""
        return (
            self._updates.is_asked
            or (self._place / NAME).is_file()
            or self._updates.seen().update["installing"] is not None
        )

    def has_room(self, size: int) -> None:
        """Say whether so many bytes more may come now. Raises ExamOpen, NoRoomForUpdate, DiskFailed."""
        if self._spool.exams.open_one():
            raise ExamOpen("An exam is open.", action="Finish it first.")
        if not room.update_fits(self._spool.space.room(), size):
            raise NoRoomForUpdate

    def begin(self, size: int) -> "Arriving":
        """Return what takes a file of so many bytes. Raises what `may` does, and DiskFull."""
        with self._one:
            self.may(size)
            self._remove(NAME + PART, NAME)  # root has none: what is called so is no file
            part = self._place / (NAME + PART)
            self._arriving = Arriving(self, self._spool.files.append(part), size)
        event(_log, "update_arrives", mb=size // room.MB)
        return self._arriving

    def give_to_root(self, person: str) -> None:
        """Have root install what came. Raises ExamOpen, UpdateRunning, DiskFull, DiskFailed."""
        part, whole = self._place / (NAME + PART), self._place / NAME
        with self._one:
            if self._is_roots:  # from the stick, meanwhile
                raise UpdateRunning
            self._spool.files.rename(part, whole)
            try:
                self._updates.ask_for_uploaded(person)
            except ScopegateError:
                self._spool.files.rename(whole, part)  # nobody asked root for it
                raise
            self._arriving = None
        event(_log, "update_arrived")

    def give_up(self, arriving: "Arriving") -> None:
        """Leave nothing behind; what was given to root is root's."""
        with self._one:
            if arriving is not self._arriving:
                return
            self._remove(NAME + PART)
            self._arriving = None
        event(_log, "update_not_arrived")

    def begin_anew(self) -> None:
        """Remove what a panel or a plug that was pulled left here, but for what root was asked for."""
        self._remove(NAME + PART, *([] if self._updates.is_asked else [NAME]))

    def _remove(self, *names: str) -> None:
        paths = [self._place / name for name in names]
        # Folders here are of the panel's user, whoever had it make one; root may be unable to remove them.
        for folder in [path for path in paths if path.is_dir() and not path.is_symlink()]:
            shutil.rmtree(folder, ignore_errors=True)
        try:
            self._spool.files.remove(*paths)
        except SpoolError as error:
            warn(_log, "upload_not_removed", code=error.code)


class Arriving:
    """A file that comes. `whole` or `broken` ends it."""

    def __init__(self, upload: OwnUpload, file: Appender, size: int) -> None:
        self._upload = upload
        self._file = file
        self._size = size
        self._flushed = 0

    @property
    def percent(self) -> int:
        return self._file.size * 100 // max(self._size, 1)

    def take(self, content: bytes) -> None:
        """Write on. Raises ExamOpen, NoRoomForUpdate, UpdateTooLarge, DiskFull, DiskFailed."""
        if self._file.size + len(content) > self._size:
            raise UpdateTooLarge
        self._file.write(content)
        if self._file.size - self._flushed >= _FLUSH_BYTES:
            self._file.sync()
            self._flushed = self._file.size
            self._upload.has_room(self._size - self._file.size)  # pictures may have come meanwhile

    def whole(self, person: str) -> None:
        """Have it installed: it is there. Raises ExamOpen, UpdateRunning, DiskFull, DiskFailed."""
        self._file.sync()
        self._file.close()
        self._upload.give_to_root(person)

    def broken(self) -> None:
        """Forget it."""
        with suppress(SpoolError):
            self._file.close()
        self._upload.give_up(self)
