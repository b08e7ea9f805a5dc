"""The last seconds of one source as JPEGs, so that a clip can begin before its press. Of the open exam alone.

What it has compressed a running clip takes from it: once is enough.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from copy import copy
from dataclasses import replace

from gateway.capture.developing import Darkroom, Developed, Made, Shot
from gateway.capture.grabber import Grabber
from gateway.capture.ring import Frame
from gateway.capture.sieve import Sieve
from gateway.clock import Clock
from gateway.log import warn
from hardware.errors import EncodingFailed

_log = logging.getLogger(__name__)
_WAIT_S = 0.05
_QUIET = 6  # waits in a row: a frame is not held back for the next one any longer
_ASK_S = 0.5  # between two looks for an open exam


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
        self._waited = 0  # times in a row that no frame came
        self._works = False
        self._darkroom = Darkroom(grabber)
        self._sieve = Sieve(grabber.watch)  # never changed, but replaced: others look at it
        self._cards: dict[int, int] = {}  # of what is kept: sequence and time of what is no picture
        self._torn = False  # whether the last frame could not be compressed: said once
        self._lock = threading.Lock()

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
        if frame:
            self._judge(frame)
        for shot in self._shots(frame):
            self._keep(shot)
        return True  # there may be more, and if not it waited

    def pictures_from(self, first: Frame, since_ns: int) -> int:
        """Return from when on, at the earliest at `since_ns`, all that leads to this frame is pictures.

        What was not judged yet is now, by the same rule, wherever it is: here or in the ring alone.
        """
        with self._lock:
            sieve = self._sieve
            cards = [time_ns for sequence, time_ns in self._cards.items() if sequence < first.sequence]
        delivered = self._grabber.ring.between(sieve.decided, first.sequence)
        waiting = {frame.sequence: frame for frame in (*delivered, *sieve.held) if frame.sequence < first.sequence}
        frames = [frame for _, frame in sorted(waiting.items()) if frame.time_ns >= since_ns]
        cards += [frame.time_ns for frame, picture in sieve.leading_to(first, frames) if not picture]
        return max([since_ns, *(time_ns + 1 for time_ns in cards)])

    def before(self, frame: Frame, since_ns: int) -> list[Developed]:
        """Return the frames from `since_ns` on that lead to this one in its size, with nothing of before."""
        found: list[Developed] = []
        with self._lock:
            for kept in reversed(self._kept):
                if kept.sequence >= frame.sequence:
                    continue
                if kept.since_ns < since_ns or kept.size != frame.size:
                    break
                found.append(kept)
        return found[::-1]

    def after(self, sequence: int) -> Made | None:
        """Return the first frame that follows `sequence`, if it is here; as delivered while it is not judged."""
        with self._lock:
            held = next((frame for frame in self._sieve.held if frame.sequence > sequence), None)
            kept = next((kept for kept in self._kept if kept.sequence > sequence), None)
            if held and (kept is None or held.sequence <= kept.sequence):
                return held
            return replace(kept, card=True) if kept and kept.sequence in self._cards else kept

    def get(self, sequence: int) -> Developed | None:
        """Return the frame of that sequence, if it is here."""
        with self._lock:
            return next((kept for kept in reversed(self._kept) if kept.sequence == sequence), None)

    def _judge(self, frame: Frame) -> None:
        sieve = copy(self._sieve)
        judged = sieve.judge(frame)
        with self._lock:
            self._sieve = sieve
            self._cards.update((each.sequence, each.time_ns) for each, picture in judged if not picture)

    def _shots(self, frame: Frame | None) -> list[Shot]:
        """Return what can be developed now: at once, so that a running clip finds it."""
        self._waited = 0 if frame else self._waited + 1
        if frame is None:
            return self._darkroom.rest() if self._waited > _QUIET else []
        self._last = frame.sequence
        return self._darkroom.put(frame)

    def _keep(self, shot: Shot) -> None:
        try:
            developed = self._darkroom.develop(shot)
        except EncodingFailed as error:
            if not self._torn:
                warn(_log, "frames_not_kept", source=self._grabber.settings.name, code=error.code)
            self._torn = True
            return
        self._torn = False
        with self._lock:
            self._kept.append(developed)
            self._bytes += len(developed.jpeg)
            while len(self._kept) > 1 and self._is_too_much(developed.time_ns):
                self._bytes -= len(self._kept.popleft().jpeg)
            if self._cards:
                oldest_ns = self._kept[0].time_ns
                self._cards = {key: time_ns for key, time_ns in self._cards.items() if time_ns >= oldest_ns}

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
        self._darkroom.forget()
        with self._lock:
            self._sieve = Sieve(self._grabber.watch)
            self._cards.clear()
            self._kept.clear()
            self._bytes = 0
