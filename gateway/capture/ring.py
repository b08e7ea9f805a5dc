"""The newest frames of one source, as delivered, within a budget. A frame that somebody holds outlives the ring."""

import threading
from collections import deque
from dataclasses import dataclass
from itertools import islice

from hardware.sources import Picture

_LEAST_FRAMES = 8
_COUNTER_BITS = 32
_LARGEST_GAP = 1 << 20  # hours of pictures: a counter that jumps further was set anew, and would run out of bits
_RATE_FRAMES = 30


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """A picture with its sequence: capture's start counter << 32 | frame counter, never reused by a source."""

    sequence: int
    picture: Picture

    @property
    def time_ns(self) -> int:
        return self.picture.time_ns

    @property
    def size(self) -> tuple[int, int]:
        """Return columns and rows as delivered."""
        return self.picture.width, self.picture.height


class Ring:
    """Holds at least 8 frames, more while they fit into `budget_bytes`."""

    def __init__(self, *, start_counter: int, budget_bytes: int) -> None:
        self._base = start_counter << _COUNTER_BITS
        self._budget = budget_bytes
        self._counter = 0
        self._expected: int | None = None
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._arrived = threading.Condition()
        self.lost = 0
        self.evicted = False  # whether a frame that arrived is not here any more

    def put(self, picture: Picture) -> Frame:
        """Add a picture; a gap in its own counter becomes a gap in the sequence and is counted as lost."""
        with self._arrived:
            gap = 0 if self._expected is None else picture.counter - self._expected
            gap = gap if 0 < gap <= _LARGEST_GAP else 0
            self._expected = picture.counter + 1
            self.lost += gap
            self._counter += 1 + gap
            frame = Frame(sequence=self._base | self._counter, picture=picture)
            self._frames.append(frame)
            self._bytes += picture.bytes
            while self._bytes > self._budget and len(self._frames) > _LEAST_FRAMES:
                self._bytes -= self._frames.popleft().picture.bytes
                self.evicted = True
            self._arrived.notify_all()
        return frame

    def reopened(self) -> None:
        """Note that the source begins to count from 0 again."""
        self._expected = None

    def get(self, sequence: int) -> Frame | None:
        """Return the frame of that sequence while the ring holds it."""
        with self._arrived:
            return next((frame for frame in reversed(self._frames) if frame.sequence == sequence), None)

    def newest(self) -> Frame | None:
        """Return the newest frame."""
        with self._arrived:
            return self._frames[-1] if self._frames else None

    def after(self, sequence: int, timeout: float) -> Frame | None:
        """Return the first frame that follows `sequence`, waiting for it at most `timeout` seconds."""
        with self._arrived:
            self._arrived.wait_for(lambda: bool(self._frames) and self._frames[-1].sequence > sequence, timeout)
            return next((frame for frame in self._frames if frame.sequence > sequence), None)

    def between(self, after: int, before: int) -> list[Frame]:
        """Return the frames whose sequences lie between these two, as far as they are here."""
        with self._arrived:
            return [frame for frame in self._frames if after < frame.sequence < before]

    def newest_by(self, time_ns: int, timeout: float) -> Frame | None:
        """Return the newest frame that was on the wire at `time_ns`, also one that is still on its way from there.

        A frame arrives after its time: it is the newest for sure once a later one is here, which is waited for at
        most `timeout` seconds.
        """
        with self._arrived:
            self._arrived.wait_for(lambda: bool(self._frames) and self._frames[-1].time_ns > time_ns, timeout)
            return next((frame for frame in reversed(self._frames) if frame.time_ns <= time_ns), None)

    def first_since(self, time_ns: int, timeout: float) -> Frame | None:
        """Return the first frame taken at `time_ns` or later, waiting for it at most `timeout` seconds."""

        def since() -> Frame | None:
            return next((frame for frame in self._frames if frame.time_ns >= time_ns), None)

        with self._arrived:
            return self._arrived.wait_for(since, timeout)

    def rate(self) -> float:
        """Return frames a second, measured over the last ones; 0 when there are too few."""
        with self._arrived:
            times = [frame.time_ns for frame in islice(reversed(self._frames), _RATE_FRAMES)]
        span = times[0] - times[-1] if len(times) > 1 else 0
        return round((len(times) - 1) / span * 1e9, 1) if span > 0 else 0.0
