"""Makes a pinned frame durable: encode, media, sidecar, row, in this order. The row never gates safety."""

import logging
import threading
from collections import Counter, deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from queue import Empty, Queue

from gateway.capture.alarm import Alarm
from gateway.capture.answers import FAILURES, STOPPING, explained, fail, give
from gateway.capture.ring import Frame
from gateway.clock import Moment
from gateway.errors import Busy, SpoolError
from gateway.log import event, warn
from gateway.model import Capture, Equipment, MediaKind, Patient, RequestStamp, Side
from gateway.spool.files import PART
from gateway.spool.spool import Spool
from hardware.stills import StillKind, still_of
from hardware.views import View

_log = logging.getLogger(__name__)
MAX_PINS = 16
_SUFFIXES = {
    StillKind.JPEG_LOSSLESS: ".ljpg",
    StillKind.JPEG_LS: ".jls",
    StillKind.JPEG: ".jpg",
    StillKind.UNCOMPRESSED: ".raw",
}
_WAIT_S = 0.05  # between two looks at `stop`


@dataclass(frozen=True, kw_only=True, slots=True)
class Pressed:
    """A press with everything that was fixed at its moment."""

    exam: str
    patient: Patient
    source: str
    equipment: Equipment
    frame: Frame
    view: View
    still: StillKind
    quality: int
    taken: Moment
    pressed: Moment
    sop_instance_uid: str
    instance_number: int
    side: Side = Side.NOT_SAID
    request: RequestStamp | None = None


class Recorder:
    """Stores stills with a few worker threads; at most 16 frames are pinned at a time."""

    def __init__(self, *, spool: Spool, row_patience_ms: int = 1000) -> None:
        self.alarm = Alarm(spool=spool)
        self._spool = spool
        self._row_patience_ms = row_patience_ms
        # No SimpleQueue (CPython 3.11): who wakes late and finds the job taken waits past its time, deaf to `stop`.
        self._jobs: Queue[tuple[Pressed, Future[Capture]]] = Queue()
        self._settled = threading.Condition()
        self._pending: Counter[str] = Counter()
        self._ended = False  # nobody would store what is taken from now on
        self._rowless: deque[Capture] = deque()

    @property
    def pending(self) -> int:
        with self._settled:
            return self._pending.total()

    def submit(self, pressed: Pressed) -> Future[Capture]:
        """Take a press to be stored; its future can be cancelled until its record is written.

        Raises Busy with 16 pinned, and when the process is being stopped.
        """
        future: Future[Capture] = Future()
        with self._settled:
            if self._ended:
                raise Busy(STOPPING)
            if self._pending.total() >= MAX_PINS:
                raise Busy
            self._pending[pressed.exam] += 1
            self._jobs.put((pressed, future))
        return future

    def work(self, stop: threading.Event) -> None:
        """Store one press after the other until stopped and nothing waits any more."""
        while True:
            try:
                pressed, future = self._jobs.get(timeout=_WAIT_S)
            except Empty:
                if self._ends(stop):
                    return
                continue
            try:
                self._settle(pressed, future)
            finally:
                self._unpin(pressed.exam)

    def drain(self, exam: str, seconds: float) -> int:
        """Wait until no press of this exam is being stored; return how many still are after `seconds`."""
        with self._settled:
            self._settled.wait_for(lambda: not self._pending[exam], seconds)
            return self._pending[exam]

    def put_row(self, capture: Capture) -> None:
        """Write the row of a durable capture, or remember to."""
        try:
            self._spool.captures.put_row(capture, patience_ms=self._row_patience_ms)
        except SpoolError as error:
            warn(_log, "row_delayed", exam=capture.exam, uid=capture.sop_instance_uid, code=error.code)
            self._rowless.append(capture)

    def write_rows(self) -> None:
        """Write the rows that could not be written when their captures were stored."""
        while self._rowless:
            try:
                self._spool.captures.put_row(self._rowless[0])
            except SpoolError:
                if self._spool.layout.exam(self._rowless[0].exam).is_dir():
                    return  # else its exam was erased, and its files with it
            self._rowless.popleft()

    def without_row(self) -> list[Capture]:
        """Return the captures that are durable but not in the index yet."""
        return list(self._rowless)

    # --- inside -------------------------------------------------------------------------------------------

    def _ends(self, stop: threading.Event) -> bool:
        """Say whether no press waits, and none will be taken any more."""
        with self._settled:
            self._ended |= stop.is_set() and self._jobs.empty()
            return self._ended

    def _settle(self, pressed: Pressed, future: Future[Capture]) -> None:
        if future.cancelled():
            return  # given up while it waited
        try:
            capture = self._store(pressed, future)
        except FAILURES as failure:
            error = explained(failure)
            warn(_log, "press_not_stored", exam=pressed.exam, code=error.code)
            self.alarm.note(error)
            fail(future, error)
        else:
            self.alarm.note(None)
            event(_log, "still_stored", exam=capture.exam, uid=capture.sop_instance_uid, bytes=capture.bytes)
            give(future, capture)

    def _store(self, pressed: Pressed, future: Future[Capture]) -> Capture:
        """Encode and store one press; it is durable when this returns. One given up meanwhile is not stored."""
        still = still_of(pressed.frame.picture, pressed.view, kind=pressed.still, quality=pressed.quality)
        name = pressed.sop_instance_uid + _SUFFIXES[still.codec]
        try:
            written = self._spool.captures.write_media(pressed.exam, name, [still.data])
            capture = Capture(
                sop_instance_uid=pressed.sop_instance_uid,
                exam=pressed.exam,
                kind=MediaKind.STILL,
                source=pressed.source,
                instance_number=pressed.instance_number,
                media=name,
                codec=still.codec.value,
                rows=still.rows,
                columns=still.columns,
                samples=still.samples,
                lossy_ratio=still.lossy_ratio,
                lossy_before=still.lossy_before,
                pixel_aspect=_vertical_first(still.pixel_aspect),
                frames=1,
                frame_times=(pressed.frame.time_ns,),
                sequence=pressed.frame.sequence,
                bytes=written.bytes,
                sha256=written.sha256,
                taken=pressed.taken,
                pressed=pressed.pressed,
                patient=pressed.patient,
                equipment=pressed.equipment,
                side=pressed.side,
                request=pressed.request,
            )
            if not future.set_running_or_notify_cancel():
                raise Busy
            self._spool.captures.write_sidecar(capture)
        except FAILURES:
            self._take_back(pressed.exam, pressed.sop_instance_uid, name)
            raise
        self.put_row(capture)
        return capture

    def _take_back(self, exam: str, uid: str, media: str) -> None:
        """Remove what is there of a press that was not stored: on a full disk it is the room that others need."""
        with suppress(SpoolError):  # in this order: a sidecar without its media would sound an alarm for nothing
            for path in (self._spool.layout.sidecar(exam, uid), self._spool.layout.media(exam, media)):
                self._spool.files.remove(path)
                self._spool.files.remove(path.with_name(path.name + PART))

    def _unpin(self, exam: str) -> None:
        with self._settled:
            self._pending[exam] -= 1
            self._pending += Counter()  # forgets exams with nothing pending
            self._settled.notify_all()


def _vertical_first(aspect: Fraction) -> str:
    """Return the shape of a pixel in the order of DICOM, "" for a square (PS3.3 C.7.6.3.1.7)."""
    return "" if aspect == 1 else f"{aspect.denominator}\\{aspect.numerator}"
