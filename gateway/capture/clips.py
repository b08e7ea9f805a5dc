"""Records clips: one thread a source, frames from the ring, JPEG after JPEG into append-only files."""

import logging
import shutil
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from gateway.capture.grabber import Grabber, Signal
from gateway.capture.moment import Fixed
from gateway.capture.recorder import Recorder
from gateway.clock import Clock
from gateway.errors import ScopegateError, SpoolError
from gateway.log import event, warn
from gateway.model import Capture, Equipment, MediaKind, RequestStamp
from gateway.spool import recovery
from gateway.spool.clips import ClipHeader, ClipWriter
from gateway.spool.spool import Spool
from hardware.errors import DeviceError
from hardware.pixels import clip_jpeg

_log = logging.getLogger(__name__)
LIMIT_S = 600.0  # a forgotten clip ends by itself
_SYNC_NS = 400_000_000  # under the 500 ms that a power cut may cost
_LOST_SIGNAL_S = 10.0
_LEAST_FREE = 0.15  # of the disk: what is left belongs to stills
_WAIT_S = 0.1


@dataclass(kw_only=True, slots=True, eq=False)
class Recording:
    """A clip that is being recorded."""

    writer: ClipWriter
    grabber: Grabber
    first: Fixed
    started_ns: int
    stopped_ns: int = 0  # 0 = goes on; else frames up to this time belong to it
    lost: int = 0
    done: Future[Capture | None] = field(default_factory=Future)

    @property
    def uid(self) -> str:
        return self.first.uid


class Clips:
    """Starts, records and stops clips; at most one a source at a time."""

    def __init__(self, *, spool: Spool, recorder: Recorder, clock: Clock) -> None:
        self._spool = spool
        self._recorder = recorder
        self._clock = clock
        self._queues: dict[str, SimpleQueue[Recording]] = {}
        self._running: dict[str, Recording] = {}  # by source
        self._unclosed: list[tuple[str, str]] = []  # (exam, UID) that a full disk kept from being closed

    def running(self, source: str = "") -> Recording | None:
        """Return the clip that is recorded from this source, or from any."""
        if source:
            return self._running.get(source)
        return next(iter(self._running.values()), None)

    def start(self, first: Fixed, equipment: Equipment, request: RequestStamp | None) -> Recording:
        """Begin a clip with the frame of the press; its start is durable when this returns."""
        now = self._clock.now()
        header = ClipHeader(
            exam=first.exam.id,
            source=first.grabber.settings.name,
            sop_instance_uid=first.uid,
            instance_number=first.number,
            part=1,
            pressed=now,
            patient=first.exam.patient,
            equipment=equipment,
            rows=first.frame.picture.height,
            columns=first.frame.picture.width,
            request=request,
        )
        self._spool.captures.begin_clip(_placeholder(header, first))
        try:
            writer = ClipWriter(layout=self._spool.layout, files=self._spool.files, header=header)
        except SpoolError:
            self._spool.captures.forget_clip(first.uid)
            raise
        recording = Recording(writer=writer, grabber=first.grabber, first=first, started_ns=now.boottime_ns)
        self._running[header.source] = recording
        self._queue(header.source).put(recording)
        event(_log, "clip_started", exam=header.exam, uid=first.uid, source=header.source)
        return recording

    def stop(self, recording: Recording, time_ns: int = 0) -> None:
        """End a clip with the frame of `time_ns`, or of now; `recording.done` tells when it is durable."""
        recording.stopped_ns = recording.stopped_ns or time_ns or self._clock.boottime_ns()

    def work(self, source: str, stop: threading.Event) -> None:
        """Record one clip of this source after the other until stopped."""
        queue = self._queue(source)
        while not stop.is_set():
            try:
                recording = queue.get(timeout=_WAIT_S)
            except Empty:
                continue
            self._record(recording, stop)

    def retry_unclosed(self) -> None:
        """Close the clips that a full disk kept open, as soon as there is room again."""
        for exam, uid in list(self._unclosed):
            try:
                recovery.salvage(self._spool, exam, uid)
            except SpoolError:
                return
            self._unclosed.remove((exam, uid))

    def free_share(self) -> float:
        """Return the share of the spool's disk that is free."""
        usage = shutil.disk_usage(self._spool.layout.root)
        return usage.free / usage.total

    # --- inside -------------------------------------------------------------------------------------------

    def _record(self, recording: Recording, stop: threading.Event) -> None:
        capture: Capture | None = None
        error: ScopegateError | None = None
        try:
            self._frames(recording, stop)
            capture = recording.writer.close(lost_frames=recording.lost)
            self._spool.captures.write_sidecar(capture)
            self._recorder.put_row(capture)
        except (ScopegateError, DeviceError) as failure:
            error = (
                failure if isinstance(failure, ScopegateError) else ScopegateError(str(failure), code=failure.code)
            )
            capture = self._rescue(recording)
        del self._running[recording.writer.header.source]
        if capture is None and error:
            recording.done.set_exception(error)
        else:
            recording.done.set_result(capture)
            event(
                _log, "clip_stored", uid=recording.uid, frames=capture.frames if capture else 0, lost=recording.lost
            )

    def _frames(self, recording: Recording, stop: threading.Event) -> None:
        frame, ring = recording.first.frame, recording.grabber.ring
        synced_ns = last_ns = recording.started_ns
        quality = recording.grabber.settings.jpeg_quality
        while True:
            recording.writer.add(clip_jpeg(frame.picture, quality), time_ns=frame.time_ns, sequence=frame.sequence)
            last_ns = max(last_ns, frame.time_ns)
            while True:
                now = self._clock.boottime_ns()
                if now - synced_ns > _SYNC_NS:
                    recording.writer.sync()
                    synced_ns = now
                following = ring.after(frame.sequence, _WAIT_S)
                if stop.is_set() or self._ends(recording, following.time_ns if following else now, last_ns):
                    return
                if following:
                    break
            if (following.picture.width, following.picture.height) != (frame.picture.width, frame.picture.height):
                warn(_log, "clip_ended_by_size", uid=recording.uid)
                return
            recording.lost += following.sequence - frame.sequence - 1
            frame = following

    def _ends(self, recording: Recording, time_ns: int, last_ns: int) -> bool:
        """Say whether a clip ends before the frame of `time_ns`."""
        if recording.stopped_ns:
            return time_ns > recording.stopped_ns
        if time_ns - recording.started_ns > LIMIT_S * 1e9:
            warn(_log, "clip_ended_by_limit", uid=recording.uid)
            return True
        gone = recording.grabber.state.signal is not Signal.LIVE and time_ns - last_ns > _LOST_SIGNAL_S * 1e9
        if gone:
            warn(_log, "clip_ended_by_signal", uid=recording.uid)
        return gone

    def _rescue(self, recording: Recording) -> Capture | None:
        """Keep what was recorded before an error; what cannot be closed now is closed when there is room."""
        header = recording.writer.header
        recording.writer.abandon()
        try:
            return recovery.salvage(self._spool, header.exam, header.sop_instance_uid)
        except SpoolError as error:
            warn(_log, "clip_not_closed", exam=header.exam, uid=recording.uid, code=error.code)
            self._unclosed.append((header.exam, recording.uid))
            return None

    def _queue(self, source: str) -> SimpleQueue[Recording]:
        return self._queues.setdefault(source, SimpleQueue())


def _placeholder(header: ClipHeader, first: Fixed) -> Capture:
    """Return the row's content while a clip is recorded."""
    return Capture(
        sop_instance_uid=header.sop_instance_uid,
        exam=header.exam,
        kind=MediaKind.CLIP,
        source=header.source,
        instance_number=header.instance_number,
        media="",
        codec="jpeg",
        rows=header.rows,
        columns=header.columns,
        samples=3,
        frames=0,
        frame_times=(),
        sequence=first.frame.sequence,
        bytes=0,
        sha256="",
        taken=header.pressed,
        pressed=header.pressed,
        patient=header.patient,
        equipment=header.equipment,
        request=header.request,
    )
