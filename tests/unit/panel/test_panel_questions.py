"""What is asked about an exam's patient: a yes answers what was shown, and the audit says what it answered."""

import html
import json
import re
from collections.abc import Callable

import pytest

from gateway.model import PleaseCheck
from gateway.spool import questions
from tests.unit.panel.conftest import Bench
from tests.unit.spool.values import BORIS, subject

GIVEN = {"patient": {"name": "KURZ^Boris", "id": "2"}}


def meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen while the presses of the exam that was looked at are waited for."""
    drain = bench.capture._call_drain

    def drained(arguments: dict[str, object]) -> object:
        happens()
        return drain(arguments)

    monkeypatch.setattr(bench.capture, "_call_drain", drained)


def noted(bench: Bench, what: str) -> list[str]:
    """Return the exams of the audit's lines of this kind."""
    lines = map(json.loads, bench.spool.layout.audit.read_text().splitlines())
    return [line["exam"] for line in lines if line.get("what") == what]


def shown_by(bench: Bench, path: str) -> dict[str, object]:
    """Return what the yes of a page sends."""
    bodies = re.findall(r"data-body='([^']*question[^']*)'", bench.client.get(path).text)
    assert len(bodies) == 1
    return dict(json.loads(html.unescape(bodies[0])))


@pytest.mark.parametrize("page", ["live", "finish"])
def test_the_yes_of_a_page_that_was_overtaken_is_refused(bench: Bench, page: str) -> None:
    exam = bench.open_exam()
    bench.spool.exams.ask_to_check(exam, PleaseCheck.IDLE)
    yes, call = shown_by(bench, f"/{page}/{exam}"), "confirm" if page == "live" else "finish"
    bench.post(f"/exams/{exam}/assign", GIVEN)
    bench.spool.exams.ask_to_check(exam, PleaseCheck.IDLE)
    bench.refused(f"/exams/{exam}/{call}", yes, 409, "wrong-state")
    assert bench.get(f"/exams/{exam}")["please_check"] == "idle"
    assert bench.post(f"/exams/{exam}/{call}", shown_by(bench, f"/{page}/{exam}"))["please_check"] == ""
    assert noted(bench, "patient-confirmed") == [exam]


def test_the_yes_below_the_pictures_of_an_exam_that_was_a_wrong_entry_meanwhile_is_refused(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.still(exam)
    bench.spool.exams.ask_to_check(exam, PleaseCheck.IDLE)
    yes = shown_by(bench, f"/live/{exam}")
    bench.post(f"/exams/{exam}/discontinue", {"reason": "incorrect-worklist-entry"})
    bench.refused(f"/exams/{exam}/confirm", yes, 409, "wrong-state")
    left = bench.get(f"/exams/{exam}")
    assert (left["discontinued"], left["please_check"]) == ("110514", "incorrect-worklist-entry")
    assert bench.post(f"/exams/{exam}/confirm", shown_by(bench, f"/exam/{exam}"))["please_check"] == ""


def test_a_program_names_the_question_that_it_was_told_or_answers_what_is_asked(bench: Bench) -> None:
    exam = bench.open_exam()
    assert bench.get(f"/exams/{exam}")["question"] == ""
    bench.spool.exams.ask_to_check(exam, PleaseCheck.IDLE)
    asked = bench.get(f"/exams/{exam}")["question"]
    assert asked == questions.of(bench.spool.exams.get(exam))
    bench.refused(f"/exams/{exam}/confirm", {"question": "another"}, 409, "wrong-state")
    bench.refused(f"/exams/{exam}/confirm", {"question": 1}, 422, "bad-value")
    assert bench.post(f"/exams/{exam}/confirm", {"question": asked})["question"] == ""
    bench.spool.exams.ask_to_check(exam, PleaseCheck.IDLE)
    assert bench.post(f"/exams/{exam}/confirm")["please_check"] == ""


def test_a_question_that_came_after_the_look_is_answered_with_a_line_in_the_audit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam = bench.open_exam()
    meanwhile(bench, monkeypatch, lambda: bench.spool.exams.ask_to_check(exam, PleaseCheck.IDLE))
    assert bench.post(f"/exams/{exam}/finish", {"confirmed": True})["please_check"] == ""
    assert noted(bench, "patient-confirmed") == [exam]


@pytest.mark.parametrize("asked", ["study-shared", "closed-by-next"])
def test_what_finish_did_not_answer_is_not_confirmed_in_the_audit(bench: Bench, asked: str) -> None:
    exam = bench.open_exam()
    bench.spool.exams.ask_to_check(exam, PleaseCheck(asked))
    bench.post(f"/exams/{exam}/finish", {"confirmed": True})
    assert noted(bench, "exam-finished") == [exam]
    assert noted(bench, "patient-confirmed") == []


def test_a_yes_to_nothing_is_not_confirmed_in_the_audit(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.post(f"/exams/{exam}/confirm")
    assert noted(bench, "patient-confirmed") == []


def test_an_exam_that_a_person_finished_meanwhile_was_not_closed_by_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.open_exam()
    meanwhile(bench, monkeypatch, lambda: bench.spool.exams.finish(first))
    second = bench.post("/exams", {"emergency": True, "close_open": True}, status=201)["id"]
    assert noted(bench, "exam-opened") == [first, second]
    assert noted(bench, "exam-closed-by-next") == []


def test_the_exam_that_the_next_one_closed_is_noted_not_the_one_that_was_seen_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.open_exam()
    other: list[str] = []

    def another_is_opened() -> None:
        bench.spool.exams.finish(first)
        other.append(bench.spool.exams.open(subject(BORIS))[0].id)

    meanwhile(bench, monkeypatch, another_is_opened)
    bench.post("/exams", {"emergency": True, "close_open": True}, status=201)
    assert noted(bench, "exam-closed-by-next") == other
