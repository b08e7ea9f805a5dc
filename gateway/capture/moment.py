"""The moment of a press: frame, exam, number and time are fixed here, once, and never looked up again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gateway.capture.grabber import Grabber, Signal
from gateway.capture.ring import Frame
from gateway.clock import Clock
from gateway.errors import BadValue, ExamChanged, FrameGone, NoExam, NoSignal, NoSignalPicture
from gateway.model import Equipment, Exam, RequestStamp, Side
from gateway.spool.clips import ClipHeader
from gateway.spool.spool import Spool
from hardware.errors import EncodingFailed

_SHOWING = (Signal.LIVE, Signal.CARD)
_HALF = 0.5  # a frame interval: sources wobble
_STALE_NS = 2_000_000_000  # a frame that old was not on the screen any more: the source had gone silent


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a press waits for its frame, in seconds."""

    on_its_way: float = 1.0  # from its time to the ring: on a machine that is busy with everything else
    first_frame: float = 0.5  # right after the opening, for a frame of this exam


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """What a press says of itself. Empty values mean: what is so now."""

    time_ns: int  # when it was made, CLOCK_BOOTTIME
    source: str = ""
    exam: str = ""  # the exam on the screen
    frame: int = 0  # the sequence of the frame on the screen
    anyway: bool = False  # also when it is a picture that a device shows without signal
    side: Side | None = None  # that the screen showed
    found: Frame | None = None  # the frame of its moment, once that was waited for
    request: RequestStamp | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fixed:
    """What was so at the moment of the press."""

    exam: Exam
    grabber: Grabber
    frame: Frame
    number: int
    uid: str
    since_ns: int  # frames from before may not enter this exam


class Moments:
    """Fixes one press after the other; presses get their numbers in the order in which they come."""

    def __init__(
        self, *, spool: Spool, grabbers: dict[str, Grabber], clock: Clock, patience: Patience | None = None
    ) -> None:
        self.lock = threading.RLock()
        self._spool = spool
        self._grabbers = grabbers
        self._clock = clock
        self._patience = patience or Patience()
        self._turns = {name: threading.Lock() for name in grabbers}
        self._numbered: dict[tuple[str, int], int] = {}  # the highest InstanceNumber given, by exam and opening

    @property
    def sources(self) -> list[str]:
        """Return the names of the sources."""
        return list(self._grabbers)

    @contextmanager
    def turn(self, ask: Ask) -> Iterator[Ask]:
        """Wait for the frame of a press, then hold the lock of all presses; a source's presses keep their order.

        A source whose frames are late holds up its own presses alone. Raises BadValue and SpoolError.
        """
        grabber = self.grabber(ask.source)
        with self._turns[grabber.settings.name]:
            found = None
            if not ask.frame and grabber.state.signal in _SHOWING:
                found = self._awaited(ask, grabber)
            with self.lock:
                yield replace(ask, found=found)

    def fix(self, ask: Ask) -> Fixed:
        """Return what this press is about.

        Raises NoExam, ExamChanged, FrameGone, NoSignal, BadValue: nothing was stored then.
        """
        with self.lock:
            exam = self._exam(ask)
            grabber = self.grabber(ask.source)
            frame = self._frame(ask, exam, grabber)
            return Fixed(
                exam=exam,
                grabber=grabber,
                frame=frame,
                number=self._next_number(exam),
                uid=self._clock.uid(),
                since_ns=self._since(exam) + grabber.delay_ns,
            )

    def next_part(self, header: ClipHeader, seen: tuple[int, int]) -> ClipHeader:
        """Return the header of the part of a clip that follows this one; `seen`: its columns and rows."""
        with self.lock:
            number = self._next_number(self._spool.exams.get(header.exam))
        columns, rows = seen
        return replace(
            header,
            sop_instance_uid=self._clock.uid(),
            instance_number=number,
            part=header.part + 1,
            rows=rows,
            columns=columns,
            request=None,
        )

    def grabber(self, source: str) -> Grabber:
        """Return the source of that name, or the first one for "". Raises BadValue."""
        grabber = self._grabbers.get(source) if source else next(iter(self._grabbers.values()), None)
        if grabber is None:
            raise BadValue("There is no picture source of that name.")
        return grabber

    def reserve(self, exam: str, count: int) -> list[int]:
        """Give numbers to pictures that somebody moves into this exam. Raises NotFound.

        Also of one that ended: a still that was pinned before may be on its way into it. They are durable before
        anybody hears of them: who dies now gives none of them to the next press.
        """
        with self.lock:
            found = self._spool.exams.get(exam)
            numbers = [self._next_number(found) for _ in range(count)]
        self._spool.exams.change(exam, lambda old: replace(old, numbered=max(old.numbered, *numbers)))
        return numbers

    def _next_number(self, exam: Exam) -> int:
        """Return the next InstanceNumber of this exam; a number is given once, gaps stay."""
        key = (exam.id, exam.begun.boottime_ns)  # opened again, it may have got pictures meanwhile
        highest = self._numbered.get(key)
        if highest is None:
            # A still with a number may be on its way, from before the exam was opened again.
            given = [number for (of, _), number in self._numbered.items() if of == exam.id]
            highest = max([self._spool.captures.highest_number(exam.id), *given])
        self._numbered[key] = highest + 1
        return highest + 1

    def _exam(self, ask: Ask) -> Exam:
        exam = self._spool.exams.open_one()
        if exam is None and ask.exam:
            raise ExamChanged("The picture was NOT stored: this exam is not open any more.")
        if exam is None:
            raise NoExam
        if ask.exam and ask.exam != exam.id:
            raise ExamChanged
        if ask.time_ns < self._since(exam):
            raise ExamChanged("The picture was NOT stored: it was asked for before this exam was opened.")
        return exam

    def _frame(self, ask: Ask, exam: Exam, grabber: Grabber) -> Frame:
        since = self._since(exam) + grabber.delay_ns  # what arrived before shows the screen of before the opening
        frame = self._shown(ask, grabber) if ask.frame else _newest(ask, grabber)
        if frame.time_ns < since:
            raise FrameGone
        self._is_a_picture(ask, grabber, frame)
        named = ask.frame and grabber.state.signal in _SHOWING
        if ask.time_ns - frame.time_ns > _STALE_NS and not named:
            raise NoSignal
        return frame

    def _is_a_picture(self, ask: Ask, grabber: Grabber, frame: Frame) -> None:
        """Refuse what a device shows without signal, unless somebody looked at it and says that it counts."""
        try:
            if ask.anyway or not grabber.watch.is_no_picture(frame.picture):
                return
        except EncodingFailed:
            return  # storing it says why
        raise NoSignalPicture

    def _shown(self, ask: Ask, grabber: Grabber) -> Frame:
        """Return the very frame that the screen showed."""
        if not ask.source and len(self._grabbers) > 1:
            raise BadValue("A frame is named together with its source: every source counts its own.")
        frame = grabber.ring.get(ask.frame)
        if frame is None:
            raise FrameGone
        return frame

    def _awaited(self, ask: Ask, grabber: Grabber) -> Frame | None:
        """Wait for the frame that was the newest when this was asked for, and return it.

        The first one after it only when none of this exam had arrived yet, never because it was evicted since.
        """
        on_screen_ns = _on_screen_ns(ask, grabber)
        frame = grabber.ring.newest_by(on_screen_ns, self._on_its_way_s(grabber, on_screen_ns))
        exam = self._spool.exams.open_one()
        if exam is None or (frame is None and grabber.ring.evicted):
            return frame
        since = self._since(exam) + grabber.delay_ns
        if frame is None or frame.time_ns < since:
            frame = grabber.ring.first_since(max(since, on_screen_ns), self._patience.first_frame)
        return frame

    def _on_its_way_s(self, grabber: Grabber, time_ns: int) -> float:
        """Return how long a frame of that time may be on its way; 0 when none can follow the newest before it."""
        newest, rate = grabber.ring.newest(), grabber.ring.rate()
        if newest is None or not rate or time_ns - newest.time_ns < _HALF * 1e9 / rate:
            return 0
        ahead_s = max(0.0, (time_ns - self._clock.boottime_ns()) / 1e9)
        return ahead_s + self._patience.on_its_way

    def _since(self, exam: Exam) -> int:
        """Return from when on frames may enter this exam: of an earlier boot there are none left."""
        return exam.begun.boottime_ns if exam.begun.boot_id == self._clock.boot_id else 0


def _on_screen_ns(ask: Ask, grabber: Grabber) -> int:
    """Return when what the screen showed at a press reaches the box."""
    return ask.time_ns + grabber.delay_ns


def _newest(ask: Ask, grabber: Grabber) -> Frame:
    """Return the frame that was waited for, or say why there is none."""
    state, ring = grabber.state, grabber.ring
    if state.signal not in _SHOWING:
        raise NoSignal(f"The picture was NOT stored: {state.what}", action=state.action)
    if ask.found:
        return ask.found
    raise FrameGone if ring.evicted and ring.newest_by(_on_screen_ns(ask, grabber), 0) is None else NoSignal


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
        body_part=source.body_part,
        object=source.object,
    )
