"""The clips that are recorded now: started, stopped, continued in parts. A source records one clip at a time."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from queue import Empty, Queue

from gateway.capture.answers import FAILURES, explained, fail, give
from gateway.capture.closing import Closing
from gateway.capture.filming import Filming
from gateway.capture.grabber import Grabber
from gateway.capture.prerecord import PreRecord
from gateway.capture.recorder import Recorder
from gateway.capture.recording import End, Recording
from gateway.capture.ring import Frame
from gateway.clock import Clock
from gateway.errors import Busy, DiskFull, SpoolError
from gateway.log import warn
from gateway.model import Capture
from gateway.spool.clips import ClipHeader
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_REMEMBERED = 32  # clips whose parts are told again
MOST_PARTS = 20  # of a clip: a source whose size flaps makes no thousand files
_WAIT_S = 0.05  # between two looks at `stop`


class Clips:
    """Starts, records and stops clips; at most one a source at a time."""

    def __init__(
        self,
        *,
        spool: Spool,
        recorder: Recorder,
        clock: Clock,
        sources: Iterable[str],
        prerecords: Mapping[str, PreRecord] | None = None,
        next_part: Callable[[ClipHeader, tuple[int, int]], ClipHeader] | None = None,
    ) -> None:
        self._recorder = recorder
        self._queues: dict[str, Queue[Recording]] = {source: Queue() for source in sources}
        self._next_part = next_part  # from a header, and columns and rows of what is seen now
        self._closing = Closing(spool=spool)
        kept = {} if prerecords is None else prerecords
        self._filming = Filming(spool=spool, closing=self._closing, clock=clock, prerecords=kept)
        self._coming = threading.Lock()  # whoever puts something into a queue, and whoever ends one
        self._running: dict[str, Recording] = {}  # by source
        self._ended: deque[tuple[str, ...]] = deque(maxlen=_REMEMBERED)

    def of_source(self, source: str) -> Recording | None:
        """Return the clip that is recorded from this source."""
        return self._running.get(source)

    def running(self) -> list[Recording]:
        """Return the clips that are recorded now."""
        return list(self._running.values())

    def parts_of(self, uid: str) -> tuple[str, ...]:
        """Return the UIDs of all parts of one of the last clips; of another one its own."""
        return next((uids for uids in tuple(self._ended) if uid in uids), (uid,))  # another thread may end one now

    def kept_open(self, uid: str) -> SpoolError | None:
        """Return why a clip that has ended, or a part of it, is not stored yet."""
        return next(filter(None, map(self._closing.kept_open, self.parts_of(uid))), None)

    def start(
        self, header: ClipHeader, grabber: Grabber, first: Frame, *, since_ns: int, anyway: bool = False
    ) -> Recording:
        """Take a clip to be recorded from its first frame on, or from what is kept of the time before.

        Nothing from before `since_ns` enters it. Raises Busy when the process is being stopped.
        """
        before = self._filming.reel(header.source, grabber).before(first, since_ns=since_ns, anyway=anyway)
        recording = Recording(header=header, grabber=grabber, first=first, before=before, anyway=anyway)
        with self._coming:
            if header.source not in self._queues:
                raise Busy("No clip was started: the recorder is being stopped.")
            self._running[header.source] = recording
            self._queues[header.source].put(recording)
        return recording

    def stop(self, recording: Recording, time_ns: int) -> None:
        """End a clip with the frame of that time; a clip is ended once."""
        part: Recording | None = recording
        while part:
            part.stopped_ns = part.stopped_ns or time_ns
            part = part.next

    def work(self, source: str, stop: threading.Event) -> None:
        """Record one clip of this source after the other until stopped; whoever comes later is refused."""
        queue = self._queues[source]
        while True:
            try:
                recording = queue.get(timeout=_WAIT_S)
            except Empty:
                if self._ends(source, stop):
                    return
                continue
            self._record(recording, stop)

    def close_leftovers(self) -> None:
        """Close the clips that the disk kept open, as soon as it lets us."""
        self._closing.close_leftovers()

    # --- inside -------------------------------------------------------------------------------------------

    def _ends(self, source: str, stop: threading.Event) -> bool:
        """Say whether nobody waits for this source's thread, and nobody will any more."""
        with self._coming:
            if not stop.is_set() or not self._queues[source].empty():
                return False
            del self._queues[source]
            return True

    def _record(self, first: Recording, stop: threading.Event) -> None:
        """Record a clip; where the picture changes its size, another part follows."""
        stored: Capture | None = None
        capture: Capture | None = None
        error = self._filming.begin(first)
        recording: Recording | None = None if error else first
        while recording:
            part, error = self._filming.film(recording, stop)
            capture, stored = part, part or stored
            recording = self._following(recording) if part else None
            if recording and (refused := self._filming.begin(recording)):
                recording, capture, error = None, None, refused
            if part:  # not before the next part has a row: an exam with a clip is not finished between the two
                self._recorder.put_row(part)
        last = self._running.pop(first.header.source)
        is_there = capture or (last.has_begun and self._closing.kept_open(last.uid))
        self._ended.append(last.uids if is_there else last.earlier)
        if error and not last.has_begun:
            last.end = End.DISK if isinstance(error, DiskFull) else End.FAILED
        self._recorder.alarm.note(error)
        if error and not capture and (last.has_begun or not stored):  # a part that never began takes nothing away
            fail(first.done, self._closing.why(last.header, error))
        elif stored:
            give(first.done, stored)

    def _following(self, recording: Recording) -> Recording | None:
        """Return the part that follows one whose picture changed its size, if one does."""
        first = recording.unfit
        if first is None or recording.header.part >= MOST_PARTS or self._next_part is None:
            return None
        try:
            header = self._next_part(recording.header, first.seen)
        except FAILURES as failure:
            recording.end = End.FAILED
            warn(_log, "clip_not_continued", uid=recording.uid, code=explained(failure).code)
            return None
        part = Recording(
            header=header,
            grabber=recording.grabber,
            first=first,
            anyway=recording.anyway,
            earlier=recording.uids,
            done=recording.done,
        )
        recording.next = part
        if recording.stopped_ns:  # before; whoever stops the clip from now on finds this part
            part.stopped_ns = recording.stopped_ns
        self._running[header.source] = part
        return part
