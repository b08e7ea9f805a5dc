"""An exam that a person wants to stay on this box, whoever else has its pictures."""

import pytest

from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running
from tests.unit.panel.exams_that_leave import sealed_exam

KEPT = "This box lets none of its pictures go"


def test_an_exam_is_kept_and_treated_as_every_other_again(bench: Bench) -> None:
    exam = sealed_exam(bench)
    assert bench.get(f"/exams/{exam}")["keep"] is False
    for keep, says, offers in ((True, True, "No longer keep"), (False, False, "Keep on this box")):
        assert bench.post(f"/exams/{exam}/keep", {"keep": keep})["keep"] is keep
        assert bench.spool.exams.get(exam).keep is keep
        page = bench.client.get(f"/delivery/{exam}").text
        assert (KEPT in page) is says
        assert offers in page
    lines = bench.spool.audit.lately("exam-kept")
    assert [(line["by"], line["exam"], line["keep"]) for line in lines] == [("panel", exam, 1), ("panel", exam, 0)]


@pytest.mark.parametrize("body", [{}, {"keep": None}, {"keep": "yes"}, {"keep": 1}])
def test_what_is_no_answer_is_refused(bench: Bench, body: dict[str, object]) -> None:
    bench.refused(f"/exams/{sealed_exam(bench)}/keep", body, 422, "bad-value")


def test_an_exam_that_is_none_is_not_found(bench: Bench) -> None:
    bench.refused("/exams/0123456789/keep", {"keep": True}, 404, "not-found")
    assert not list(bench.spool.audit.lately("exam-kept"))


def test_a_box_that_lets_nothing_go_by_itself_does_not_ask() -> None:
    with folder_in_memory() as folder, running(folder, archives=False) as bench:
        exam = bench.open_exam()
        bench.post(f"/exams/{exam}/finish")
        assert "Keep on this box" not in bench.client.get(f"/delivery/{exam}").text
        bench.spool.exams.keep(exam, keep=True)  # before its archive was taken out of the settings
        assert "No longer keep" in bench.client.get(f"/delivery/{exam}").text
