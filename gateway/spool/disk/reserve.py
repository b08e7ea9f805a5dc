"""The reserve: a file whose room is given up, piece by piece, when a record meets a full disk.

Every process may give up, before it writes a record; only the forward process makes the file anew. Pictures never
have it: `room.Room.usable` counts as if it were always whole.
"""

import logging
import os
from pathlib import Path

from gateway.errors import SpoolError
from gateway.log import event, warn
from gateway.spool.disk import room as rooms
from gateway.spool.disk.room import FLOOR, Room
from gateway.spool.files import Files, locked

_log = logging.getLogger(__name__)
_STEP = FLOOR  # bytes given up, or made anew, at a time
_BLOCK = 1 << 16


class Reserve:
    """The reserve file of one data folder. `wanted`: bytes; 0 = this process does not know."""

    def __init__(self, *, path: Path, wanted: int, files: Files) -> None:
        self._path = path
        self._wanted = wanted
        self._files = files
        self._trouble = ""

    def room(self) -> Room:
        """Look at the disk. Raises DiskFailed when it does not even answer that."""
        with self._files.translated():
            state = os.statvfs(self._path.parent)
        total = state.f_blocks * state.f_frsize
        return Room(
            total=total,
            free=state.f_bavail * state.f_frsize,
            reserve=rooms.reserve_for(total, self._wanted),
            held=self._held(),
            read_only=bool(state.f_flag & os.ST_RDONLY),
        )

    def ease(self, needed: int = FLOOR) -> None:
        """Give up what is missing of so many free bytes. Whoever writes next says what a failing disk means."""
        if self._free() >= needed or not self._held():
            return
        try:
            with locked(self._path):  # two that need room at once give it up once
                found = self.room()
                if found.free < needed:
                    steps = -(-(needed - found.free) // _STEP)
                    left = max(0, found.held - steps * _STEP) // _BLOCK * _BLOCK  # a disk frees whole blocks
                    self._files.cut(self._path, left)
                    event(_log, "reserve_given_up", left_mb=left // rooms.MB)
        except SpoolError as error:
            self._note(error)

    def renew(self) -> None:
        """Make the reserve whole again as far as there is room. For the forward process alone."""
        try:
            found = self.room()
            if found.held > found.reserve:  # the configuration asks for less now
                self._files.cut(self._path, found.reserve)
            grow = min(found.reserve - found.held, found.free - 2 * FLOOR)
            if grow <= 0 or (grow < _STEP and found.held + grow < found.reserve):
                return
            with locked(self._path):
                self._files.allocate(self._path, self._held() + grow)
            event(_log, "reserve_renewed", mb=self._held() // rooms.MB)
            self._trouble = ""
        except SpoolError as error:
            self._note(error)

    def _free(self) -> int:
        """Return the free bytes; what cannot be asked is none: every record asks this, so it is one system call."""
        try:
            state = os.statvfs(self._path.parent)
        except OSError:
            return 0
        return state.f_bavail * state.f_frsize

    def _held(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def _note(self, error: SpoolError) -> None:
        if self._trouble != error.code:
            warn(_log, "reserve_not_changed", code=error.code)
        self._trouble = error.code
