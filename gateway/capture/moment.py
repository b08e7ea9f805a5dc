"""The moment of a press: frame, exam, number and time are fixed here, once, and never looked up again."""

import threading
from dataclasses import dataclass

from gateway.capture.grabber import Grabber, Signal
from gateway.capture.ring import Frame
from gateway.clock import Clock
from gateway.errors import BadValue, ExamChanged, FrameGone, NoExam, NoSignal
from gateway.model import Equipment, Exam, RequestStamp
from gateway.spool.spool import Spool

_FIRST_FRAME_S = 0.5  # a press right after the opening waits so long for a frame of this exam


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """What a press says of itself. Empty values mean: what is so now."""

    source: str = ""
    exam: str = ""  # the exam on the screen
    frame: int = 0  # the sequence of the frame on the screen
    time_ns: int = 0  # when a pedal was pressed, CLOCK_BOOTTIME
    request: RequestStamp | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fixed:
    """What was so at the moment of the press."""

    exam: Exam
    grabber: Grabber
    frame: Frame
    number: int
    uid: str


class Moments:
    """Fixes one press after the other; presses get their numbers in the order in which they come."""

    def __init__(self, *, spool: Spool, grabbers: dict[str, Grabber], clock: Clock) -> None:
        self.lock = threading.RLock()
        self._spool = spool
        self._grabbers = grabbers
        self._clock = clock
        self._numbered = ("", 0)  # exam, the highest InstanceNumber given in it

    def fix(self, ask: Ask) -> Fixed:
        """Return what this press is about.

        Raises NoExam, ExamChanged, FrameGone, NoSignal, BadValue: nothing was stored then.
        """
        with self.lock:
            exam = self._exam(ask)
            grabber = self.grabber(ask.source)
            frame = self._frame(ask, exam, grabber)
            return Fixed(
                exam=exam, grabber=grabber, frame=frame, number=self.next_number(exam.id), uid=self._clock.uid()
            )

    def grabber(self, source: str) -> Grabber:
        """Return the source of that name, or the first one for "". Raises BadValue."""
        if not source:
            return next(iter(self._grabbers.values()))
        if source not in self._grabbers:
            raise BadValue("There is no picture source of that name.")
        return self._grabbers[source]

    def next_number(self, exam: str) -> int:
        """Return the next InstanceNumber of this exam; a number is given once, gaps stay."""
        with self.lock:
            known, highest = self._numbered
            if known != exam:
                highest = self._spool.captures.highest_number(exam)
            self._numbered = (exam, highest + 1)
            return highest + 1

    def _exam(self, ask: Ask) -> Exam:
        exam = self._spool.exams.open_one()
        if exam is None:
            raise (
                NoExam
                if not ask.exam
                else ExamChanged("The picture was NOT stored: this exam is not open any more.")
            )
        if ask.exam and ask.exam != exam.id:
            raise ExamChanged
        if ask.time_ns and ask.time_ns < self._since(exam):
            raise ExamChanged("The picture was NOT stored: the pedal was pressed before this exam was opened.")
        return exam

    def _frame(self, ask: Ask, exam: Exam, grabber: Grabber) -> Frame:
        since = self._since(exam)
        if ask.frame:
            frame = grabber.ring.get(ask.frame)
            if frame is None or frame.time_ns < since:
                raise FrameGone
            return frame
        if grabber.state.signal is not Signal.LIVE:
            raise NoSignal(f"The picture was NOT stored: {grabber.state.what}")
        frame = grabber.ring.newest(until_ns=ask.time_ns)
        if frame is None or frame.time_ns < since:
            frame = grabber.ring.first_since(max(since, ask.time_ns), _FIRST_FRAME_S)
        if frame is None:
            raise NoSignal
        return frame

    def _since(self, exam: Exam) -> int:
        """Return from when on frames may enter this exam: of an earlier boot there are none left."""
        return exam.opened.boottime_ns if exam.opened.boot_id == self._clock.boot_id else 0


def equipment_of(grabber: Grabber, *, station: str, institution: str) -> Equipment:
    """Return the imaging device behind a source, as configured now."""
    source = grabber.settings
    return Equipment(
        modality=source.modality,
        manufacturer=source.manufacturer,
        model=source.model,
        serial_number=source.serial_number,
        station_name=source.station_name or station,
        institution=institution,
        department=source.department,
    )
