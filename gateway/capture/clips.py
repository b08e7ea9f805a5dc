"""Records clips: one thread a source, frames from the ring, JPEG after JPEG into append-only files."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from queue import Empty, SimpleQueue

from gateway.capture.answers import FAILURES, explained, fail, give
from gateway.capture.ending import why
from gateway.capture.grabber import Grabber
from gateway.capture.prerecord import Developed, PreRecord, develop
from gateway.capture.recorder import Recorder
from gateway.capture.recording import End, Made, Recording, placeholder
from gateway.capture.reel import Reel
from gateway.capture.ring import Frame
from gateway.clock import Clock
from gateway.errors import Busy, DiskFull, ScopegateError, SpoolError
from gateway.log import event, warn
from gateway.model import Capture
from gateway.spool import recovery, room
from gateway.spool.clips import ClipHeader, ClipWriter
from gateway.spool.spool import Spool
from hardware.errors import EncodingFailed

_log = logging.getLogger(__name__)
_REMEMBERED = 32  # clips whose parts are told again
MOST_PARTS = 20  # of a clip: a source whose size flaps makes no thousand files
_SYNC_NS = 400_000_000  # under the 500 ms that a power cut may cost
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
        next_part: Callable[[ClipHeader, tuple[int, int]], ClipHeader] | None = None,
    ) -> None:
        self._spool = spool
        self._recorder = recorder
        self._clock = clock
        self._queues: dict[str, SimpleQueue[Recording]] = {source: SimpleQueue() for source in sources}
        self._prerecords = prerecords or {}
        self._next_part = next_part  # from a header, and columns and rows of what is seen now
        self._running: dict[str, Recording] = {}  # by source
        self._ended: deque[tuple[str, ...]] = deque(maxlen=_REMEMBERED)
        self._unclosed: dict[tuple[str, str], str] = {}  # (exam, UID) that the disk kept open: the code of why

    def of_source(self, source: str) -> Recording | None:
        """Return the clip that is recorded from this source."""
        return self._running.get(source)

    def running(self) -> list[Recording]:
        """Return the clips that are recorded now."""
        return list(self._running.values())

    def parts_of(self, uid: str) -> tuple[str, ...]:
        """Return the UIDs of all parts of one of the last clips; of another one its own."""
        return next((uids for uids in self._ended if uid in uids), (uid,))

    def kept_open(self, uid: str) -> SpoolError | None:
        """Return why a clip that has ended is not stored yet."""
        return next((_kept(code) for (_, unclosed), code in self._unclosed.items() if unclosed == uid), None)

    def start(
        self, header: ClipHeader, grabber: Grabber, first: Frame, *, since_ns: int, anyway: bool = False
    ) -> Recording:
        """Take a clip to be recorded from its first frame on, or from what is kept of the time before.

        Nothing from before `since_ns` enters it.
        """
        before = self._reel(header.source, grabber).before(first, since_ns=since_ns, anyway=anyway)
        recording = Recording(header=header, grabber=grabber, first=first, before=before, anyway=anyway)
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

    def _record(self, first: Recording, stop: threading.Event) -> None:
        """Record a clip; where the picture changes its size, another part follows."""
        stored: Capture | None = None
        recording: Recording | None = first
        error: ScopegateError | None = None
        while recording:
            capture, error = self._part(recording, stop)
            stored = capture or stored
            recording = self._following(recording) if capture else None
        last = self._running.pop(first.header.source)
        self._ended.append(last.uids if last.has_begun else last.earlier)
        if error and not last.has_begun:
            last.end = End.DISK if isinstance(error, DiskFull) else End.FAILED
        self._recorder.alarm.note(error)
        if stored:
            give(first.done, stored)
        elif error:
            fail(first.done, self._why(last.header, error))

    def _part(self, recording: Recording, stop: threading.Event) -> tuple[Capture | None, ScopegateError | None]:
        """Record one part to its end; return what is stored of it, and what went wrong."""
        if error := self._begin(recording):
            return None, error
        try:
            self._add_frames(recording, stop)
            capture: Capture | None = self._close(recording)
        except FAILURES as failure:
            error = explained(failure)
            recording.end = End.FAILED
            warn(_log, "clip_failed", exam=recording.header.exam, uid=recording.uid, code=error.code)
            capture = self._salvage(recording.header)
        if capture:
            event(_log, "clip_stored", uid=recording.uid, frames=capture.frames, end=recording.end)
        return capture, error

    def _following(self, recording: Recording) -> Recording | None:
        """Return the part that follows one whose picture changed its size, if one does."""
        frame, grabber = recording.unfit, recording.grabber
        if frame is None or recording.header.part >= MOST_PARTS or self._next_part is None:
            return None
        try:
            made = frame if isinstance(frame, Developed) else develop(frame, grabber)
            header = self._next_part(recording.header, made.seen)
        except FAILURES as failure:
            warn(_log, "clip_not_continued", uid=recording.uid, code=explained(failure).code)
            return None
        part = Recording(
            header=header,
            grabber=grabber,
            first=made,
            anyway=recording.anyway,
            earlier=recording.uids,
            done=recording.done,
        )
        recording.next = part
        part.stopped_ns = recording.stopped_ns  # whoever stops the clip from now on finds this part
        self._running[header.source] = part
        return part

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

    def _add(self, recording: Recording, frame: Made) -> None:
        assert recording.writer
        made = frame if isinstance(frame, Developed) else develop(frame, recording.grabber)
        recording.writer.add(made.jpeg, time_ns=made.time_ns, sequence=made.sequence)

    def _try_to_add(self, recording: Recording, frame: Made) -> None:
        """Add a frame; one that cannot be compressed is lost, and the clip goes on."""
        try:
            self._add(recording, frame)
        except EncodingFailed as error:
            recording.lost += 1
            if not recording.torn:
                warn(_log, "frames_left_out", uid=recording.uid, code=error.code)
            recording.torn = True

    def _add_frames(self, recording: Recording, stop: threading.Event) -> None:
        """Write frame after frame; every 400 ms what was written is made safe."""
        writer, written = recording.writer, recording.opening[0]
        assert writer
        synced_ns = self._clock.boottime_ns()
        try:
            for frame in self._frames(recording, stop):
                if frame and frame is not written:
                    self._try_to_add(recording, frame)
                if (now := self._clock.boottime_ns()) - synced_ns > _SYNC_NS:
                    writer.sync()
                    synced_ns = now
            writer.sync()
        except FAILURES:
            writer.abandon()
            raise

    def _frames(self, recording: Recording, stop: threading.Event) -> Iterator[Made | None]:
        """Yield a clip's frames in order, and None whenever none came for a while, until it ends."""
        last = recording.opening[0]
        for leading in recording.opening:
            recording.lost += max(0, leading.sequence - last.sequence - 1)
            last = leading
            yield leading
        reel = self._reel(recording.header.source, recording.grabber)
        while not stop.is_set():
            frame = reel.after(last.sequence, _WAIT_S)
            recording.waited = 0 if frame else recording.waited + 1
            if end := self._end(recording, last, frame):
                recording.end, recording.unfit = end, frame if end is End.SIZE else None
                return
            if frame:
                recording.lost += frame.sequence - last.sequence - 1
                last = frame
            yield None if frame and _is_left_out(recording, frame) else frame

    def _reel(self, source: str, grabber: Grabber) -> Reel:
        return Reel(grabber=grabber, kept=self._prerecords.get(source))

    def _end(self, recording: Recording, last: Made, frame: Made | None) -> End | None:
        """Say why a clip ends before `frame`, or before the one that did not come."""
        recorded = recording.writer.frames.size if recording.writer else 0
        if end := why(recording, last, frame, now_ns=self._clock.boottime_ns()):
            return end
        return None if room.clip_fits(self._spool.space.room(), recorded) else End.DISK

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


def _is_left_out(recording: Recording, frame: Made) -> bool:
    """Say whether this is what the device shows without signal; the watch looks twice a second."""
    card = recording.grabber.watch.plain or (isinstance(frame, Developed) and frame.card)
    return bool(card) and not recording.anyway
