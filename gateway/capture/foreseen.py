"""That a clip ends by itself within a minute: said once by tone, and by the screen until it has ended."""

import logging
from dataclasses import dataclass

from gateway.capture.clips import Clips
from gateway.capture.recording import End, Recording
from gateway.clock import Clock
from gateway.errors import SpoolError
from gateway.log import event
from gateway.spool.disk import room
from gateway.spool.spool import Spool
from hardware.indicators import Indicator

_log = logging.getLogger(__name__)
WARNED_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ahead:
    """The end that a clip comes to, and in how many seconds about."""

    end: End
    seconds: float


class Foreseen:
    """Looks at the running clips now and then; `of` tells of one what it comes to."""

    def __init__(self, *, clips: Clips, spool: Spool, indicator: Indicator, clock: Clock) -> None:
        self._clips = clips
        self._spool = spool
        self._indicator = indicator
        self._clock = clock
        self._said: set[tuple[str, End]] = set()  # of which clip, named by its first part

    def step(self) -> None:
        """Say what is ahead of each clip, once."""
        running = self._clips.running()
        self._said &= {(recording.uids[0], end) for recording in running for end in End}
        for recording in running:
            ahead = self.of(recording)
            if ahead is None or (said := (recording.uids[0], ahead.end)) in self._said:
                continue
            self._said.add(said)
            event(_log, "clip_ends_soon", uid=recording.uid, end=ahead.end, seconds=round(ahead.seconds))
            self._indicator.ends_soon()

    def of(self, recording: Recording) -> Ahead | None:
        """Return which limit ends this clip within a minute, unless it is being ended already.

        A clip whose longest time is short says so when half of it is over: said at once, it would be said of all.
        """
        if recording.stopped_ns:
            return None
        age_s = (self._clock.boottime_ns() - recording.started_ns) / 1e9
        limit = Ahead(end=End.LIMIT, seconds=max(0.0, recording.limit_s - age_s))
        disk = Ahead(end=End.DISK, seconds=self._room_s(recording))
        first = min(limit, disk, key=lambda ahead: ahead.seconds)
        warned_s = min(WARNED_S, recording.limit_s / 2) if first is limit else WARNED_S
        return first if first.seconds <= warned_s else None

    def _room_s(self, recording: Recording) -> float:
        """Return for how many seconds more of this very clip there is room."""
        writer = recording.writer
        if writer is None or len(writer.entries) < 2:  # noqa: PLR2004 - no time has passed between one frame
            return WARNED_S + 1
        span_s = (writer.entries[-1].time_ns - writer.entries[0].time_ns) / 1e9
        try:
            return room.seconds_more(self._spool.space.room(), recorded=writer.frames.size, span_s=span_s)
        except SpoolError:
            return WARNED_S + 1  # what is wrong with the disk is said elsewhere
