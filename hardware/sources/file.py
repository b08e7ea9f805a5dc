"""A video file as if it were a device: in real time, over and over. Never jumps back in time, never spins.

The file is opened anew for every passage: when it was removed, replaced or cut short, this shows at the next
passage at the latest, and memory does not grow with its length.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import av

from hardware.errors import DeviceMissing
from hardware.sources import Picture
from hardware.sources.decode import Shape, picture_of
from hardware.sources.pace import Pace
from hardware.sources.passage import SECOND, Passage

_LATE_NS = SECOND  # a reader that comes later than this has lost what would have been shown meanwhile


@dataclass(frozen=True, kw_only=True, slots=True)
class _Due:
    frame: av.VideoFrame = field(repr=False)
    shape: Shape
    time_ns: int
    counter: int

    def picture(self) -> Picture:
        """Return what is shown then. Raises DeviceRefused."""
        return picture_of(self.frame, counter=self.counter, time_ns=self.time_ns, shape=self.shape)


class FileSource:
    """Plays one video file. One thread calls its methods; rotation is left alone."""

    def __init__(self, *, path: Path, clock_ns: Callable[[], int], wait: Callable[[float], None]) -> None:
        self._path = path
        self._pace = Pace(clock_ns=clock_ns, wait=wait)
        self._passage: Passage | None = None
        self._due: _Due | None = None
        self._shown = (0, -1)  # time and counter of the last picture

    def open(self) -> None:
        """Decode the first picture. Raises DeviceMissing (no such file) or DeviceRefused (no usable video)."""
        self.close()
        self._shown = (self._pace.now(), -1)
        self._due = self._next(first=True)
        self._due.picture()  # refuses here what no picture can be made of

    def read(self, timeout: float) -> Picture | None:
        if self._passage is None:
            raise DeviceMissing(f"The video file {self._path} is not open.")
        # Decoded here and not before the last picture was returned: that one should not be late for it.
        due = self._due = self._due or self._next()
        if not self._pace.until(due.time_ns, timeout):
            return None
        late = self._pace.now() - due.time_ns
        if late > _LATE_NS:
            lost = late // self._passage.usual_step_ns
            due = replace(due, time_ns=due.time_ns + late, counter=due.counter + lost)
        self._shown, self._due = (due.time_ns, due.counter), None
        return due.picture()

    def close(self) -> None:
        self._due = None
        if self._passage is not None:
            self._passage.close()
            self._passage = None

    def _next(self, *, first: bool = False) -> _Due:
        """Return the next frame of this passage, or the first one of the next passage."""
        timed = self._passage.next() if self._passage is not None else None
        while timed is None or self._passage is None:
            self.close()
            self._passage = Passage(self._path)
            timed = self._passage.next()
        time_ns, counter = self._shown
        return _Due(
            frame=timed.frame,
            shape=self._passage.shape,
            time_ns=time_ns + (0 if first else timed.step_ns),
            counter=counter + 1 + timed.lost,
        )
