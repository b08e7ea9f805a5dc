"""How far a writing is. Counts bytes, guesses the time that is left, and stops it when somebody wants that."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from gateway.clock import Clock, Stopwatch
from gateway.errors import MediaError

_EVERY_S = 0.5  # between two reports
_KNOWN_AFTER_S = 1.0  # sooner, a rate says nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """`bytes` counts each object twice: written, and read back. `left_s` None = not known yet."""

    objects_done: int
    objects: int
    pictures_done: int
    pictures: int  # lists of key images are none
    bytes_done: int
    bytes: int
    left_s: int | None


Report = Callable[[Progress], None]


class Tracker:
    """Counts; reports at most twice a second."""

    def __init__(
        self,
        *,
        objects: int,
        pictures: int,
        total: int,
        clock: Clock,
        report: Report,
        stop: threading.Event | None = None,
    ) -> None:
        self._objects = objects
        self._pictures = pictures
        self._bytes = total
        self._report = report
        self._stop = stop or threading.Event()
        self._watch = Stopwatch(clock)
        self._reported_s = -_EVERY_S
        self._objects_done = 0
        self._pictures_done = 0
        self._bytes_done = 0

    def moved(self, count: int) -> None:
        """Count bytes. Raises MediaError when it is to stop."""
        if self._stop.is_set():
            raise MediaError("The writing was stopped.", code="interrupted", action="Start the writing once more.")
        self._bytes_done += count
        if self._watch.seconds - self._reported_s >= _EVERY_S:
            self.say()

    def object_checked(self, *, is_picture: bool) -> None:
        self._objects_done += 1
        self._pictures_done += is_picture

    def say(self) -> None:
        self._reported_s = self._watch.seconds
        self._report(
            Progress(
                objects_done=self._objects_done,
                objects=self._objects,
                pictures_done=self._pictures_done,
                pictures=self._pictures,
                bytes_done=min(self._bytes_done, self._bytes),
                bytes=self._bytes,
                left_s=self._left_s(),
            )
        )

    def _left_s(self) -> int | None:
        seconds = self._watch.seconds
        if seconds < _KNOWN_AFTER_S or not self._bytes_done:
            return None
        return round(max(0, self._bytes - self._bytes_done) * seconds / self._bytes_done)


def unseen(progress: Progress) -> None:
    """Report to nobody."""
    del progress
