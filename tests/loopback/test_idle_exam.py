"""An exam on which nobody works: asked about, then ended; never while somebody works on it."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Source, idle_mode
from gateway.forward.keeping.idle import Idle
from gateway.model import ExamState, Identity, Patient
from gateway.spool.processes.live import LiveState
from gateway.spool.spool import Spool
from gateway.spool.subjects import Subject
from tests.loopback.forward_archive import memory_spool
from tests.unit.spool.values import store

ULTRASOUND = Source(name="us", device="pattern:bars", modality="US")
ENDOSCOPE = Source(name="es", device="pattern:bars", modality="ES")


class Room:
    """An examination room, in which time passes minute by minute."""

    def __init__(self, spool: Spool, clock: FakeClock, *sources: Source) -> None:
        self.spool, self.clock = spool, clock
        self.live = LiveState(folder=spool.layout.root, process="capture", files=spool.files, clock=clock)
        self.idle = Idle(spool=spool, sources=sources, capture=self.live, clock=clock)
        self.sources = sources
        self.state = "live"
        self.moves = False
        self.clip: dict[str, Any] | None = None
        self._unchanged_s = 0
        opened, _ = spool.exams.open(Subject(identity=Identity.TYPED, patient=Patient(name="MEIER^Anna", id="1")))
        self.exam = opened.id

    def wait(self, minutes: int) -> None:
        for _ in range(minutes):
            self.clock.move(60)
            self._unchanged_s = 0 if self.moves else self._unchanged_s + 60
            seen = [
                {"name": s.name, "state": self.state, "unchanged_s": self._unchanged_s, "since": "-"}
                for s in self.sources
            ]
            self.live.write({"sources": seen, "clip": self.clip})
            self.idle.step()

    @property
    def asked(self) -> bool:
        return self.spool.exams.get(self.exam).please_check == "idle"

    @property
    def is_open(self) -> bool:
        return self.spool.exams.get(self.exam).state is ExamState.OPEN


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def spool(clock: FakeClock) -> Iterator[Spool]:
    with memory_spool(clock) as opened:
        yield opened


@pytest.fixture
def room(spool: Spool, clock: FakeClock) -> Room:
    return Room(spool, clock, ULTRASOUND)


def test_after_ten_minutes_of_a_picture_that_stands_still_it_is_asked_and_after_thirty_the_exam_ends(
    room: Room,
) -> None:
    room.wait(9)
    assert not room.asked
    room.wait(1)
    assert room.asked
    assert room.is_open
    room.wait(19)
    assert room.is_open
    room.wait(1)
    exam = room.spool.exams.get(room.exam)
    assert (exam.state, exam.please_check) == (ExamState.FINISHED, "idle")
    lines = room.spool.layout.audit.read_text()
    assert '"exam-idle", "by": "forward"' in lines
    assert '"exam-ended-idle", "by": "forward"' in lines


def test_a_picture_that_moves_is_work(room: Room) -> None:
    room.moves = True
    room.wait(60)
    assert not room.asked
    assert room.is_open


def test_a_picture_that_is_away_is_no_work(room: Room) -> None:
    room.moves, room.state = True, "no-signal"
    room.wait(10)
    assert not room.asked
    room.wait(1)
    assert room.asked


def test_a_clip_is_work_however_still_its_picture(room: Room) -> None:
    room.clip = {"clip": "1.2"}
    room.wait(60)
    assert not room.asked
    assert room.is_open


def test_yes_begins_the_time_anew(room: Room) -> None:
    room.wait(12)
    room.spool.exams.confirm(room.exam)
    assert not room.asked
    room.wait(9)
    assert not room.asked
    room.wait(1)
    assert room.asked
    room.wait(19)
    assert room.is_open


def test_a_capture_process_that_is_gone_says_nothing_about_the_patient(room: Room) -> None:
    room.wait(5)
    room.clock.move(3600)
    room.idle.step()
    assert not room.asked


def test_a_clock_that_is_set_neither_asks_nor_ends(room: Room) -> None:
    room.state = "no-signal"
    room.wait(2)
    room.clock.set(room.clock.utc().replace(year=2036))
    room.wait(2)
    assert not room.asked


def test_at_an_endoscope_it_is_asked_and_nothing_ends(spool: Spool, clock: FakeClock) -> None:
    room = Room(spool, clock, ENDOSCOPE)
    room.wait(90)
    assert room.asked
    assert room.is_open


def test_nothing_is_asked_where_that_is_switched_off(spool: Spool, clock: FakeClock) -> None:
    room = Room(spool, clock, Source(name="us", idle="off"))
    room.wait(90)
    assert not room.asked
    assert room.is_open


def test_an_exam_may_be_asked_about_and_never_end(spool: Spool, clock: FakeClock) -> None:
    room = Room(spool, clock, Source(name="us", idle_minutes=2, idle_end_minutes=0))
    room.wait(90)
    assert room.asked
    assert room.is_open


@pytest.mark.parametrize(
    ("sources", "mode"),
    [
        ((), "off"),
        ((ULTRASOUND,), "cover"),
        ((ULTRASOUND, ENDOSCOPE), "strip"),
        ((Source(object="endoscopic"),), "strip"),
        ((Source(modality="ES", idle="cover"),), "cover"),
        ((Source(idle="off"), ENDOSCOPE), "off"),
    ],
)
def test_of_several_sources_the_mildest_way_counts(sources: tuple[Source, ...], mode: str) -> None:
    assert idle_mode(sources) == mode


@pytest.mark.parametrize("work", ["a press", "a yes"])
def test_an_exam_does_not_end_when_somebody_works_on_it_while_it_is_looked_at(
    room: Room, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    room.wait(29)
    listed = room.spool.captures.of_exam

    def looked(exam: str, **more: Any) -> object:
        found = listed(exam, **more)
        monkeypatch.undo()
        if work == "a press":
            store(room.spool, room.spool.exams.get(exam), 1)
        else:
            room.spool.exams.confirm(exam)
        return found

    monkeypatch.setattr(room.spool.captures, "of_exam", looked)
    room.wait(1)
    assert room.is_open
    room.wait(29)
    assert room.is_open
    room.wait(1)
    assert not room.is_open
