"""Makes a pinned frame durable: encode, media, sidecar, row, in this order. The row never gates safety."""

import logging
import threading
from collections import Counter, deque
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from gateway.capture.ring import Frame
from gateway.clock import Moment
from gateway.errors import Busy, ScopegateError, SpoolError
from gateway.log import event, warn
from gateway.model import Capture, Equipment, MediaKind, Patient, RequestStamp
from gateway.spool.spool import Spool
from hardware.codecs import lossless_jpeg
from hardware.errors import DeviceError
from hardware.pixels import to_gray_or_rgb

_log = logging.getLogger(__name__)
MAX_PINS = 16
_ROW_PATIENCE_MS = 1000
_GRAY_AXES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Pressed:
    """A press with everything that was fixed at its moment."""

    exam: str
    patient: Patient
    source: str
    equipment: Equipment
    frame: Frame
    taken: Moment
    pressed: Moment
    sop_instance_uid: str
    instance_number: int
    request: RequestStamp | None = None


class Recorder:
    """Stores stills with a few worker threads; at most 16 frames are pinned at a time."""

    def __init__(self, *, spool: Spool) -> None:
        self._spool = spool
        self._jobs: SimpleQueue[tuple[Pressed, Future[Capture]]] = SimpleQueue()
        self._settled = threading.Condition()
        self._pending: Counter[str] = Counter()
        self._rowless: deque[Capture] = deque()

    @property
    def pending(self) -> int:
        return self._pending.total()

    def submit(self, pressed: Pressed) -> Future[Capture]:
        """Take a press to be stored. Raises Busy when too many frames are pinned."""
        future: Future[Capture] = Future()
        with self._settled:
            if self._pending.total() >= MAX_PINS:
                raise Busy
            self._pending[pressed.exam] += 1
        self._jobs.put((pressed, future))
        return future

    def work(self, stop: threading.Event) -> None:
        """Store one press after the other until stopped and nothing waits any more."""
        while True:
            try:
                pressed, future = self._jobs.get(timeout=0.2)
            except Empty:
                if stop.is_set():
                    return
                continue
            self._settle(pressed, future)

    def drain(self, exam: str, seconds: float) -> int:
        """Wait until no press of this exam is being stored; return how many still are after `seconds`."""
        with self._settled:
            self._settled.wait_for(lambda: self._pending[exam] <= 0, seconds)
            return self._pending[exam]

    def write_rows(self) -> None:
        """Write the rows that could not be written when their captures were stored."""
        while self._rowless:
            try:
                self._spool.captures.put_row(self._rowless[0])
            except SpoolError:
                return
            self._rowless.popleft()

    def put_row(self, capture: Capture) -> None:
        """Write the row of a durable capture, or remember to."""
        try:
            self._spool.captures.put_row(capture, patience_ms=_ROW_PATIENCE_MS)
        except SpoolError as error:
            warn(_log, "row_delayed", exam=capture.exam, uid=capture.sop_instance_uid, code=error.code)
            self._rowless.append(capture)

    def _settle(self, pressed: Pressed, future: Future[Capture]) -> None:
        try:
            future.set_result(self.store(pressed))
        except ScopegateError as error:
            warn(_log, "press_not_stored", exam=pressed.exam, code=error.code)
            future.set_exception(error)
        except DeviceError as error:
            warn(_log, "press_not_stored", exam=pressed.exam, code=error.code)
            future.set_exception(ScopegateError(f"The picture was NOT stored: {error}", code=error.code))
        finally:
            with self._settled:
                self._pending[pressed.exam] -= 1
                self._pending += Counter()  # forgets exams with nothing pending
                self._settled.notify_all()

    def store(self, pressed: Pressed) -> Capture:
        """Encode and store one press; it is durable when this returns."""
        pixels = to_gray_or_rgb(pressed.frame.picture)
        codestream = lossless_jpeg(pixels)
        name = pressed.sop_instance_uid + ".ljpg"
        written = self._spool.captures.write_media(pressed.exam, name, [codestream])
        capture = Capture(
            sop_instance_uid=pressed.sop_instance_uid,
            exam=pressed.exam,
            kind=MediaKind.STILL,
            source=pressed.source,
            instance_number=pressed.instance_number,
            media=name,
            codec="jpeg-lossless",
            rows=pixels.shape[0],
            columns=pixels.shape[1],
            samples=1 if pixels.ndim == _GRAY_AXES else pixels.shape[2],
            frames=1,
            frame_times=(pressed.frame.time_ns,),
            sequence=pressed.frame.sequence,
            bytes=written.bytes,
            sha256=written.sha256,
            taken=pressed.taken,
            pressed=pressed.pressed,
            patient=pressed.patient,
            equipment=pressed.equipment,
            request=pressed.request,
        )
        self._spool.captures.write_sidecar(capture)
        self.put_row(capture)
        event(_log, "still_stored", exam=capture.exam, uid=capture.sop_instance_uid, bytes=capture.bytes)
        return capture
