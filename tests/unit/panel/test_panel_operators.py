"""Who works at the box: said with one touch, in the exam, never a condition."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Panel
from gateway.errors import BadValue
from gateway.model import Exam, ExamState, Identity, Patient, Procedure
from gateway.panel.operators import Operators
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running

HUBER, MAY = "Huber^Maria", "Dr. May"


@pytest.fixture
def bench() -> Iterator[Bench]:
    with folder_in_memory() as folder, running(folder, panel=Panel(operators=(HUBER, MAY))) as bench:
        yield bench


def audit(bench: Bench) -> str:
    return bench.spool.layout.audit.read_text()


def test_who_said_so_is_in_the_exam_and_in_the_audit_file(bench: Bench) -> None:
    assert bench.get("/operator") == {"name": "", "names": [HUBER, MAY]}
    bench.post("/operator", {"name": HUBER})
    exam = bench.open_exam()
    assert bench.spool.exams.get(exam).operator == HUBER
    assert bench.get(f"/exams/{exam}")["operator"] == HUBER
    assert f'"exam-opened", "by": "panel", "exam": "{exam}", "identity": "typed", "operator": "{HUBER}"' in audit(
        bench
    )
    bench.post("/operator", {"name": MAY})
    assert bench.spool.exams.get(exam).operator == MAY
    assert f'"operator-chosen", "by": "panel", "operator": "{MAY}", "exam": "{exam}"' in audit(bench)
    bench.post(f"/exams/{exam}/finish")
    bench.post("/operator", {"name": ""})
    assert bench.spool.exams.get(exam).operator == MAY, "what is over keeps its name"


def test_pictures_are_taken_whoever_it_is(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.still(exam)
    assert bench.spool.exams.get(exam).operator == ""


def test_somebody_who_is_not_configured_is_refused(bench: Bench) -> None:
    bench.refused("/operator", {"name": "Nobody"}, 422, "bad-value")
    bench.refused("/operator", {"name": 1}, 422, "bad-value")
    assert bench.get("/operator")["name"] == ""


def test_the_list_asks_until_somebody_touched_and_the_bar_says_who(bench: Bench) -> None:
    page = bench.client.get("/").text
    assert "Who works here?" in page
    assert "Huber, Maria" in page
    bench.post("/operator", {"name": HUBER})
    page = bench.client.get("/").text
    assert "<bdi>Huber, Maria</bdi></a>" in page
    assert "Dr. May" not in page
    assert 'class="key chosen"' in bench.client.get("/operator").text


def exam_of(clock: FakeClock, state: ExamState = ExamState.FINISHED) -> Exam:
    return Exam(
        id="e1",
        revision=1,
        state=state,
        identity=Identity.TYPED,
        patient=Patient(name="A", id="1"),
        procedure=Procedure(),
        study_instance_uid="1.2",
        study_key="",
        study_id="",
        server="",
        character_set="",
        opened=clock.now(),
        ended=None if state is ExamState.OPEN else clock.now(),
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def operators(clock: FakeClock) -> Operators:
    made = Operators(names=(HUBER, MAY), clock=clock)
    made.choose(HUBER)
    return made


def test_a_quarter_of_an_hour_without_an_exam_ends_it(operators: Operators, clock: FakeClock) -> None:
    clock.move(899)
    assert operators.now(None) == HUBER
    clock.move(2)
    assert operators.now(None) == ""


def test_an_exam_keeps_it_however_long_and_its_end_begins_the_time_anew(
    operators: Operators, clock: FakeClock
) -> None:
    opened = exam_of(clock, ExamState.OPEN)
    clock.move(7200)
    ended = exam_of(clock)
    clock.move(600)
    assert operators.now(replace(opened, state=ExamState.FINISHED, ended=ended.ended)) == HUBER
    clock.move(301)
    assert operators.now(replace(opened, state=ExamState.FINISHED, ended=ended.ended)) == ""


def test_an_exam_from_before_a_restart_keeps_nobody(clock: FakeClock) -> None:
    clock.move(600)
    before = exam_of(clock)
    clock.reboot()
    made = Operators(names=(HUBER,), clock=clock)
    made.choose(HUBER)
    clock.move(901)
    assert made.now(before) == ""
    with pytest.raises(BadValue):
        made.choose(MAY)
