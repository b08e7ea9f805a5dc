"""The calls that say of which side of the body pictures are."""

import pytest

from gateway.model import Side
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running
from tests.unit.panel.fake_capture import START


def side_of(bench: Bench, uid: str) -> str:
    return bench.spool.captures.get(uid).capture.side


def test_a_side_is_said_changed_and_taken_back_until_the_exam_leaves(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    for side in ("L", "R", "B", "U", "", "L"):
        said = bench.post(f"/captures/{uid}/laterality", {"laterality": side})
        assert said == {"sop_instance_uid": uid, "laterality": side}
        assert bench.get(f"/exams/{exam}")["captures"][0]["laterality"] == side
    bench.post(f"/exams/{exam}/finish")
    bench.post(f"/captures/{uid}/laterality", {"laterality": "R"})
    bench.spool.exams.release(exam)
    bench.refused(f"/captures/{uid}/laterality", {"laterality": "L"}, 409, "wrong-state")
    assert side_of(bench, uid) == "R"


def test_a_side_said_for_the_exam_holds_from_then_on_and_for_the_picture_just_taken(bench: Bench) -> None:
    exam = bench.open_exam()
    first, last = bench.still(exam), bench.still(exam)
    said = bench.post(f"/exams/{exam}/laterality", {"laterality": "L"})
    assert said == {"exam": exam, "laterality": "L", "sop_instance_uids": [last]}
    later = bench.still(exam)
    assert bench.get(f"/exams/{exam}")["laterality"] == "L"
    assert [side_of(bench, uid) for uid in (first, last, later)] == ["", "L", "L"]


def test_a_press_says_the_side_that_its_screen_showed(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.still(exam)
    uid = bench.still(exam, laterality="R")
    bench.post(f"/exams/{exam}/clips", {"laterality": "L"}, status=201)
    assert "side" not in bench.capture.pressed[0]
    assert bench.capture.pressed[1]["side"] == "R"
    assert side_of(bench, uid) == "R"


def test_one_answer_says_it_of_every_picture_that_misses_it(bench: Bench) -> None:
    exam = bench.open_exam()
    found = bench.spool.exams.get(exam)
    knees = [bench.capture.store(found, frame=START + 1, body_part="KNEE").sop_instance_uid for _ in range(2)]
    colon = bench.capture.store(found, frame=START + 1, body_part="COLON").sop_instance_uid
    answer = bench.get(f"/exams/{exam}")
    assert answer["laterality_missing"] == knees
    assert [each["laterality"] for each in answer["captures"]] == ["", "", None]
    said = bench.post(f"/exams/{exam}/laterality", {"laterality": "B", "missing": True})
    assert said["sop_instance_uids"] == knees
    assert [side_of(bench, uid) for uid in (*knees, colon)] == ["B", "B", ""]
    assert bench.get(f"/exams/{exam}")["laterality"] == ""
    bench.refused(f"/captures/{colon}/laterality", {"laterality": "L"}, 422, "bad-value")


def test_every_side_that_a_person_said_stands_in_the_audit_file(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    bench.post(f"/captures/{uid}/laterality", {"laterality": "R"})
    assert "capture-laterality" in bench.spool.layout.audit.read_text()


@pytest.mark.parametrize(
    "body", [{}, {"laterality": None}, {"laterality": "X"}, {"laterality": 1}, {"laterality": []}]
)
def test_what_is_no_side_is_refused(bench: Bench, body: dict[str, object]) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    bench.refused(f"/captures/{uid}/laterality", body, 422, "bad-value")
    bench.refused(f"/exams/{exam}/laterality", body, 422, "bad-value")
    assert bench.spool.exams.get(exam).side is Side.NOT_SAID


@pytest.mark.parametrize("body_part", ["", "KNEE", "COLON"])
def test_a_screen_asks_for_a_side_only_where_there_can_be_one(body_part: str) -> None:
    with folder_in_memory() as folder, running(folder, body_part=body_part) as bench:
        exam = bench.open_exam()
        live = bench.client.get(f"/live/{exam}").text
        capture = bench.capture.store(bench.spool.exams.get(exam), frame=START + 1, body_part=body_part)
        picture = bench.client.get(f"/picture/{capture.sop_instance_uid}").text
        finish = bench.client.get(f"/finish/{exam}").text
    assert ('data-side="L"' in live, "side-key" in picture) == (body_part != "COLON",) * 2
    assert ("side-asked" in finish) == (body_part == "KNEE")
