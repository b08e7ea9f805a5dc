"""The last seconds of one source as JPEGs, so that a clip can begin before its press. Of the open exam alone.

While it works it is also what a running clip gets its frames from: they are compressed once.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gateway.capture.grabber import Grabber
from gateway.capture.ring import Frame
from gateway.clock import Clock
from gateway.log import warn
from hardware.errors import EncodingFailed
from hardware.pixels import clip_jpeg
from hardware.views import seen

_log = logging.getLogger(__name__)
_WAIT_S = 0.05
_ASK_S = 0.5  # between two looks for an open exam


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Developed:
    """A frame as a clip holds it; `size`: columns and rows as delivered, `seen`: of the JPEG."""

    sequence: int
    time_ns: int
    size: tuple[int, int]
    seen: tuple[int, int]
    card: bool = False  # what a device shows without signal
    jpeg: bytes = field(repr=False)


def develop(frame: Frame, grabber: Grabber) -> Developed:
    """Return the JPEG of what is seen of a frame. Raises EncodingFailed."""
    picture = seen(frame.picture, grabber.view)
    return Developed(
        sequence=frame.sequence,
        time_ns=frame.time_ns,
        size=frame.size,
        seen=(picture.width, picture.height),
        jpeg=clip_jpeg(picture, grabber.settings.jpeg_quality),
    )


class PreRecord:
    """Keeps at most `seconds` and `budget_bytes`; `wanted` says whether an exam is open."""

    def __init__(
        self, *, grabber: Grabber, seconds: float, budget_bytes: int, clock: Clock, wanted: Callable[[], bool]
    ) -> None:
        self._grabber = grabber
        self.span_ns = round(seconds * 1e9)
        self._budget = budget_bytes
        self._clock = clock
        self._wanted = wanted
        self._kept: deque[Developed] = deque()
        self._bytes = 0
        self._last = 0  # sequence of the frame that was looked at last
        self._asked_ns = 0
        self._works = False
        self._torn = False  # whether the last frame could not be compressed: said once
        self._arrived = threading.Condition()

    def work(self, stop: threading.Event) -> None:
        """Compress frame after frame while an exam is open."""
        while not stop.is_set():
            if not self.step():
                self._clock.wait(stop, _WAIT_S)

    def step(self) -> bool:
        """Compress the next frame; False when there is nothing to do now."""
        if not self._is_wanted():
            self._forget()
            return False
        frame = self._grabber.ring.after(self._last, _WAIT_S)
        if frame is None:
            return True  # it waited
        self._last = frame.sequence
        try:
            card = self._grabber.watch.is_no_picture(frame.picture)
            developed = replace(develop(frame, self._grabber), card=card)
        except EncodingFailed as error:
            if not self._torn:
                warn(_log, "frames_not_kept", source=self._grabber.settings.name, code=error.code)
            self._torn = True
            return True
        self._torn = False
        with self._arrived:
            self._kept.append(developed)
            self._bytes += len(developed.jpeg)
            while len(self._kept) > 1 and self._is_too_much(developed.time_ns):
                self._bytes -= len(self._kept.popleft().jpeg)
            self._arrived.notify_all()
        return True

    def before(self, frame: Frame, since_ns: int, *, anyway: bool = False) -> list[Developed]:
        """Return the frames from `since_ns` on that lead to this one in its size, without a break.

        A picture of a device without signal is a break, unless `anyway`.
        """
        found: list[Developed] = []
        with self._arrived:
            for kept in reversed(self._kept):
                if kept.sequence >= frame.sequence:
                    continue
                if kept.time_ns < since_ns or kept.size != frame.size or (kept.card and not anyway):
                    break
                found.append(kept)
        return found[::-1]

    def after(self, sequence: int, timeout: float) -> Developed | None:
        """Return the first frame that follows `sequence`, waiting for it at most `timeout` seconds."""

        def following() -> Developed | None:
            return next((kept for kept in self._kept if kept.sequence > sequence), None)

        with self._arrived:
            return self._arrived.wait_for(following, timeout)

    def _is_too_much(self, newest_ns: int) -> bool:
        return self._kept[0].time_ns < newest_ns - self.span_ns or self._bytes > self._budget

    def _is_wanted(self) -> bool:
        now = self._clock.boottime_ns()
        if not self._asked_ns or now - self._asked_ns > _ASK_S * 1e9:
            self._asked_ns, self._works = now, self._wanted()
        return self._works

    def _forget(self) -> None:
        newest = self._grabber.ring.newest()
        self._last = newest.sequence if newest else 0
        with self._arrived:
            self._kept.clear()
            self._bytes = 0
