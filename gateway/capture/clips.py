"""Records clips: one thread a source, frames from the ring, JPEG after JPEG into append-only files."""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from queue import Empty, SimpleQueue

from gateway.capture.answers import FAILURES, explained, fail, give
from gateway.capture.grabber import Grabber, Signal
from gateway.capture.prerecord import Developed, PreRecord, develop
from gateway.capture.recorder import Recorder
from gateway.capture.recording import End, Recording, placeholder
from gateway.capture.ring import Frame
from gateway.clock import Clock
from gateway.errors import Busy, ScopegateError, SpoolError
from gateway.log import event, warn
from gateway.model import Capture
from gateway.spool import recovery, room
from gateway.spool.clips import ClipHeader, ClipWriter
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
LIMIT_S = 600.0  # a forgotten clip ends by itself
_SYNC_NS = 400_000_000  # under the 500 ms that a power cut may cost
_LOST_SIGNAL_S = 10.0
_WAIT_S = 0.05  # between two looks at `stop` and at the limits of a clip


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
    ) -> None:
        self._spool = spool
        self._recorder = recorder
        self._clock = clock
        self._queues: dict[str, SimpleQueue[Recording]] = {source: SimpleQueue() for source in sources}
        self._prerecords = prerecords or {}
        self._running: dict[str, Recording] = {}  # by source
        self._unclosed: dict[tuple[str, str], str] = {}  # (exam, UID) that the disk kept open: the code of why

    def of_source(self, source: str) -> Recording | None:
        """Return the clip that is recorded from this source."""
        return self._running.get(source)

    def running(self) -> list[Recording]:
        """Return the clips that are recorded now."""
        return list(self._running.values())

    def kept_open(self, uid: str) -> SpoolError | None:
        """Return why a clip that has ended is not stored yet."""
        return next((_kept(code) for (_, unclosed), code in self._unclosed.items() if unclosed == uid), None)

    def start(self, header: ClipHeader, grabber: Grabber, first: Frame, *, since_ns: int) -> Recording:
        """Take a clip to be recorded from its first frame on, or from what is kept of the time before.

        Nothing from before `since_ns` enters it.
        """
        kept = self._prerecords.get(header.source)
        before = kept.before(first, since_ns) if kept else ()
        recording = Recording(header=header, grabber=grabber, first=first, before=before)
        self._running[header.source] = recording
        self._queues[header.source].put(recording)
        return recording

    def stop(self, recording: Recording, time_ns: int) -> None:
        """End a clip with the frame of that time; a clip is ended once."""
        recording.stopped_ns = recording.stopped_ns or time_ns

    def work(self, source: str, stop: threading.Event) -> None:
        """Record one clip of this source after the other until stopped."""
        queue = self._queues[source]
        while not stop.is_set():
            try:
                recording = queue.get(timeout=_WAIT_S)
            except Empty:
                continue
            self._record(recording, stop)

    def close_leftovers(self) -> None:
        """Close the clips that the disk kept open, as soon as it lets us."""
        for exam, uid in list(self._unclosed):
            try:
                recovery.salvage(self._spool, exam, uid)
            except SpoolError:
                return
            del self._unclosed[exam, uid]

    # --- inside -------------------------------------------------------------------------------------------

    def _record(self, recording: Recording, stop: threading.Event) -> None:
        capture: Capture | None = None
        error = self._begin(recording)
        if error is None:
            try:
                self._add_frames(recording, stop)
                capture = self._close(recording)
            except FAILURES as failure:
                error = explained(failure)
                recording.end = End.FAILED
                warn(_log, "clip_failed", exam=recording.header.exam, uid=recording.uid, code=error.code)
                capture = self._salvage(recording.header)
        del self._running[recording.header.source]
        self._recorder.alarm.note(error)
        if capture:
            give(recording.done, capture)
            event(_log, "clip_stored", uid=recording.uid, frames=capture.frames, end=recording.end)
        elif error:
            fail(recording.done, self._why(recording.header, error))

    def _begin(self, recording: Recording) -> ScopegateError | None:
        """Make a clip's start durable; return why there is none, and nothing is left of it then."""
        header = recording.header
        try:
            self._spool.captures.begin_clip(placeholder(header, recording.first))
            recording.writer = ClipWriter(layout=self._spool.layout, files=self._spool.files, header=header)
            # A frame, before the start is acknowledged: a clip that began is never empty.
            self._add(recording, recording.opening[0])
            recording.writer.sync()
        except FAILURES as failure:
            error = explained(failure)
            if recording.writer:
                recording.writer.abandon()
        else:
            if give(recording.begun, header.sop_instance_uid):
                event(_log, "clip_started", exam=header.exam, uid=recording.uid, source=header.source)
                return None
            recording.writer.abandon()
            error = Busy()
        warn(_log, "clip_not_started", exam=header.exam, uid=recording.uid, code=error.code)
        self._discard(header)
        fail(recording.begun, error)
        return error

    def _discard(self, header: ClipHeader) -> None:
        """Remove what is there of a clip whose start was refused; what cannot be removed now is closed later."""
        layout, exam, uid = self._spool.layout, header.exam, header.sop_instance_uid
        try:
            for place in (layout.index, layout.frames):
                self._spool.files.remove(place(exam, uid, recording=True))
            self._spool.captures.forget_clip(uid)
        except FAILURES:
            self._salvage(header)

    def _add(self, recording: Recording, frame: Frame | Developed) -> None:
        assert recording.writer
        made = frame if isinstance(frame, Developed) else develop(frame, recording.grabber)
        recording.writer.add(made.jpeg, time_ns=made.time_ns, sequence=made.sequence)

    def _add_frames(self, recording: Recording, stop: threading.Event) -> None:
        """Write frame after frame; every 400 ms what was written is made safe."""
        writer, written = recording.writer, recording.opening[0]
        assert writer
        synced_ns = self._clock.boottime_ns()
        try:
            for frame in self._frames(recording, stop):
                if frame and frame is not written:
                    self._add(recording, frame)
                if (now := self._clock.boottime_ns()) - synced_ns > _SYNC_NS:
                    writer.sync()
                    synced_ns = now
            writer.sync()
        except FAILURES:
            writer.abandon()
            raise

    def _frames(self, recording: Recording, stop: threading.Event) -> Iterator[Frame | Developed | None]:
        """Yield a clip's frames in order, and None whenever none came for a while, until it ends."""
        last = recording.opening[0]
        for leading in recording.opening:
            recording.lost += max(0, leading.sequence - last.sequence - 1)
            last = leading
            yield leading
        queue = self._prerecords.get(recording.header.source) or recording.grabber.ring
        while not stop.is_set():
            frame = queue.after(last.sequence, _WAIT_S)
            if end := self._end(recording, last, frame):
                recording.end = end
                return
            if frame:
                recording.lost += frame.sequence - last.sequence - 1
                last = frame
            yield frame

    def _end(self, recording: Recording, last: Frame | Developed, frame: Frame | Developed | None) -> End | None:
        """Say why a clip ends before `frame`, or before the one that did not come."""
        now = self._clock.boottime_ns()
        time_ns = frame.time_ns if frame else now
        if recording.stopped_ns and (frame is None or time_ns > recording.stopped_ns):
            return End.ASKED
        if frame and frame.size != recording.first.size:
            return End.SIZE
        if time_ns - recording.started_ns > LIMIT_S * 1e9:
            return End.LIMIT
        if self._signal_lost(recording, last, frame, now):
            return End.SIGNAL
        recorded = recording.writer.frames.size if recording.writer else 0
        return None if room.clip_fits(self._spool.space.room(), recorded) else End.DISK

    def _signal_lost(
        self, recording: Recording, last: Frame | Developed, frame: Frame | Developed | None, now: int
    ) -> bool:
        """Say whether there has been no picture for too long, or only the one of a device without signal."""
        state = recording.grabber.state
        if state.signal is Signal.CARD:
            return recording.grabber.watch.plain_s > _LOST_SIGNAL_S
        return frame is None and state.signal is not Signal.LIVE and now - last.time_ns > _LOST_SIGNAL_S * 1e9

    def _close(self, recording: Recording) -> Capture:
        assert recording.writer
        capture = recording.writer.close(lost_frames=recording.lost)
        self._spool.captures.write_sidecar(capture)
        self._recorder.put_row(capture)
        return capture

    def _salvage(self, header: ClipHeader) -> Capture | None:
        """Make a capture of what is whole, or remove what is there; later when the disk does not allow it now."""
        try:
            return recovery.salvage(self._spool, header.exam, header.sop_instance_uid)
        except SpoolError as error:
            warn(_log, "clip_not_closed", exam=header.exam, uid=header.sop_instance_uid, code=error.code)
            self._unclosed[header.exam, header.sop_instance_uid] = error.code
            return None

    def _why(self, header: ClipHeader, error: ScopegateError) -> ScopegateError:
        """Return what to say of a clip that is no capture, or not yet."""
        if (header.exam, header.sop_instance_uid) not in self._unclosed:
            return error
        return _kept(error.code)


def _kept(code: str) -> SpoolError:
    return SpoolError(
        "The clip was ended: the box's disk took no more. What was recorded is kept.",
        code=code,
        action="Make room on the box: the clip is closed by itself then.",
    )
