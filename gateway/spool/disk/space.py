"""What the data folder has room for, in pictures: the disk now, measured by the pictures stored last."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.errors import SpoolError
from gateway.spool.captures import Captures
from gateway.spool.disk import room as rooms
from gateway.spool.disk.room import Level, Room, Typical

_MEASURED_NS = 30_000_000_000  # the size of pictures changes with the device, not from press to press
_MINUTE = 60
CODES = {
    Level.OK: "",
    Level.LOW: "disk-low",
    Level.NO_CLIPS: "disk-no-clips",
    Level.FULL: "disk-full",
    Level.FAILED: "disk-failed",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The room of the box, and the words for it."""

    level: Level
    room: Room
    stills: int
    clip_seconds: int
    what: str
    action: str

    @property
    def code(self) -> str:
        return CODES[self.level]


class Space:
    """Measures, and asks `room` what it means."""

    def __init__(self, *, look: Callable[[], Room], captures: Captures, clock: Clock) -> None:
        self._look = look
        self._captures = captures
        self._clock = clock
        self.typical = Typical()  # as measured last
        self._due_ns = 0

    def room(self) -> Room:
        """Look at the disk. Raises DiskFailed."""
        return self._look()

    def still_fits(self, *, waiting: int = 0) -> bool:
        """Say whether a still may be taken while `waiting` others are being stored. Raises DiskFailed.

        By the sizes that `view` measured last: this asks no index.
        """
        return rooms.still_fits(self.room(), self.typical, waiting=waiting)

    def view(self) -> View:
        """Look at the disk and, now and then, at what recent pictures took. Raises DiskFailed."""
        self._measure()
        return judge(self.room(), self.typical)

    def _measure(self) -> None:
        now = self._clock.boottime_ns()
        if now < self._due_ns:
            return
        try:
            self.typical = self._captures.typical()
            if self.typical != Typical():  # until the first picture there is nothing to measure
                self._due_ns = now + _MEASURED_NS
        except SpoolError:  # an index that cannot be read: the sizes known are good enough
            return


def judge(room: Room, typical: Typical) -> View:
    """Return what this room is enough for when pictures are of that size."""
    level = rooms.level(room, typical)
    stills, seconds = rooms.stills_left(room, typical), rooms.clip_seconds_left(room, typical)
    what, action = _words(level, stills, seconds)
    return View(level=level, room=room, stills=stills, clip_seconds=seconds, what=what, action=action)


def _words(level: Level, stills: int, seconds: int) -> tuple[str, str]:
    """Return what is so and what to do, for a person."""
    minutes = f"{seconds // _MINUTE} minutes" if seconds >= 2 * _MINUTE else f"{seconds} seconds"
    words = {
        Level.OK: "",
        Level.LOW: f"The box is filling up: room for about {stills} stills or {minutes} of clip.",
        Level.NO_CLIPS: f"No new clips: what is left is kept for stills, room for about {stills}.",
        Level.FULL: "The box is full: it takes nothing new. Ending and correcting exams still works.",
        Level.FAILED: "The box's disk cannot be written.",
    }
    actions = {
        Level.OK: "",
        Level.LOW: "Call IT: get the archive back, or give the box more room.",
        Level.NO_CLIPS: "Call IT now: get the archive back, or give the box more room.",
        Level.FULL: "Finish the exam and call IT: the disk of the box needs room.",
        Level.FAILED: "Call service; do not switch the box off and on again.",
    }
    return words[level], actions[level]
