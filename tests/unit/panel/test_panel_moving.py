"""Moving pictures to the exam that they are of, the next exam of a patient, and opening one again, over HTTP."""

from dataclasses import replace

import pytest

from gateway.config.settings import Release
from gateway.errors import CaptureGone
from gateway.model import Identity
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, item, running
from tests.unit.panel.exams_that_leave import move, said_of_forward, sealed_exam


def uids(bench: Bench, exam: str) -> list[str]:
    return [str(each["sop_instance_uid"]) for each in bench.get(f"/exams/{exam}")["captures"]]


def two_exams(bench: Bench) -> tuple[str, str]:
    """Two pictures in an exam that the next patient's closed."""
    first = bench.open_exam()
    for _ in range(2):
        bench.still(first)
    second = bench.open_exam("HUBER^Eva", close_open=True)
    return first, second


def test_pictures_go_to_another_exam_under_numbers_that_capture_gives(bench: Bench) -> None:
    first, second = two_exams(bench)
    bench.still(second)
    stays, goes = uids(bench, first)
    moved = bench.post(f"/exams/{first}/move", {"captures": [goes], "to": second})
    assert moved == {"exam": first, "to": second, "captures": [goes]}
    assert uids(bench, first) == [stays]
    found = bench.get(f"/exams/{second}")["captures"]
    assert [(each["sop_instance_uid"], each["exam"], each["instance_number"]) for each in found][1] == (
        goes,
        second,
        2,
    )
    assert bench.client.get(f"/api/v1/captures/{goes}/thumbnail").status_code == 200
    assert "capture-moved" in bench.spool.layout.audit.read_text()


def test_without_capture_nothing_is_moved_for_nobody_knows_which_numbers_are_taken(bench: Bench) -> None:
    first, second = two_exams(bench)
    uid = bench.still(second)
    bench.capture.script.refuse = CaptureGone()
    bench.refused(f"/exams/{second}/move", {"captures": [uid], "to": first}, 503, "recorder-gone")
    assert uids(bench, second) == [uid]
    bench.capture.script.refuse = None
    bench.post(f"/exams/{second}/move", {"captures": [uid], "to": first})
    assert uids(bench, first)[2:] == [uid]


def test_what_cannot_be_moved_is_refused(bench: Bench) -> None:
    first, second = two_exams(bench)
    uid, other = uids(bench, first)
    path = f"/exams/{first}/move"
    for body in ({}, {"to": second}, {"captures": "x", "to": second}, {"captures": [], "to": second}):
        bench.refused(path, body, 422, "bad-value")
    bench.refused(path, {"captures": [uid], "to": first}, 422, "bad-value")
    bench.refused(path, {"captures": [uid], "to": "0000000000"}, 404, "not-found")
    bench.refused(path, {"captures": ["2.25.1"], "to": second}, 404, "not-found")
    bench.post(f"/captures/{other}/reject")
    bench.refused(path, {"captures": [uid, other], "to": second}, 409, "wrong-state")
    assert uids(bench, first) == [uid, other]


def test_the_page_offers_this_picture_and_all_after_it_or_it_alone(bench: Bench) -> None:
    first, second = two_exams(bench)
    bench.capture.store(bench.spool.exams.get(first), frame=(7 << 32) + 1)
    _, middle, last = uids(bench, first)
    page = bench.client.get(f"/move/{middle}").text
    assert f'"captures": ["{middle}", "{last}"], "to": "{second}"' in page
    assert f'"captures": ["{middle}"], "to": "{second}"' in bench.client.get(f"/move/{middle}?only=1").text


def test_a_whole_exam_is_moved_by_choosing_its_patient_until_anything_of_it_left(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    page = bench.client.get(f"/move/{uid}").text
    assert f'href="/?assign={exam}"' in page
    assert "Move picture 1 to which patient?" in page  # one is no plural
    assert bench.spool.releases.release(exam, uid, tuple(Identity))
    assert f'href="/?assign={exam}"' not in bench.client.get(f"/move/{uid}").text


def test_from_a_picture_looked_at_before_the_end_one_comes_back_to_the_end(bench: Bench) -> None:
    exam = bench.open_exam()
    first, second = bench.still(exam), bench.still(exam)
    assert f'href="/picture/{first}?from=finish"' in bench.client.get(f"/finish/{exam}").text
    page = bench.client.get(f"/picture/{first}?from=finish").text
    assert f'href="/finish/{exam}"' in page
    assert f'href="/picture/{second}?from=finish"' in page
    assert f'href="/picture/{first}?from=finish"' in bench.client.get(f"/move/{first}?from=finish").text


def test_the_next_exam_of_a_patient_is_the_next_thing_that_is_ordered(bench: Bench) -> None:
    first, second, other = item(1, "Meier^Anna"), item(2, "Meier^Anna"), item(3, "Huber^Eva")
    second = replace(second, patient=first.patient)
    bench.spool.worklist.replace("ris", [first, second, other])
    exam = str(bench.post("/exams", {"worklist_item": "item-1"}, status=201)["id"])
    bench.post(f"/exams/{exam}/finish")
    page = bench.client.get(f"/exam/{exam}").text
    assert '{"worklist_item": "item-2"}' in page
    following = str(bench.post("/exams", {"worklist_item": "item-2"}, status=201)["id"])
    bench.post(f"/exams/{following}/finish")
    assert f'{{"same_patient": "{following}"}}' in bench.client.get(f"/exam/{following}").text


def test_the_next_exam_of_a_patient_has_that_patient_and_a_study_of_its_own(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [item(1, "Meier^Anna")])
    exam = str(bench.post("/exams", {"worklist_item": "item-1"}, status=201)["id"])
    bench.post(f"/exams/{exam}/finish")
    opened = str(bench.post("/exams", {"same_patient": exam}, status=201)["id"])
    before, after = bench.spool.exams.get(exam), bench.spool.exams.get(opened)
    assert (after.patient, after.identity) == (before.patient, Identity.TYPED)
    assert after.study_instance_uid != before.study_instance_uid
    bench.refused("/exams", {"same_patient": exam, "emergency": True}, 422, "bad-value")


@pytest.mark.parametrize("how", ["temporary", "unchecked"])
def test_nobody_is_the_same_patient_as_one_that_nobody_knows(bench: Bench, how: str) -> None:
    body: dict[str, object] = {"emergency": True}
    exam = str(bench.post("/exams", body, status=201)["id"]) if how == "temporary" else bench.open_exam()
    bench.still(exam)
    other = bench.open_exam("HUBER^Eva", close_open=True)
    bench.post(f"/exams/{other}/finish")
    assert "same_patient" not in bench.client.get(f"/exam/{exam}").text
    bench.refused("/exams", {"same_patient": exam}, 409, "wrong-state")


def test_what_was_released_is_opened_again_from_its_page_while_that_may_be(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.post(f"/exams/{exam}/finish")
    assert f"/exams/{exam}/reopen" not in bench.client.get(f"/exam/{exam}").text
    bench.spool.exams.release(exam)
    assert f"/exams/{exam}/reopen" in bench.client.get(f"/exam/{exam}").text
    other = bench.open_exam("HUBER^Eva")
    page = bench.client.get(f"/exam/{exam}").text
    assert f"/exams/{exam}/reopen" not in page
    assert 'inert">Open again<small>after the open exam' in page
    bench.post(f"/exams/{other}/finish")
    bench.post(f"/exams/{exam}/reopen")
    assert bench.exam == exam


def test_a_picture_that_left_has_no_keys_that_would_only_refuse_and_says_why(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    closed = bench.client.get(f"/picture/{uid}").text
    bench.post(f"/exams/{exam}/reopen")
    added = bench.still(exam)
    for page in (closed, bench.client.get(f"/picture/{uid}").text):
        assert "It was sent, or will be at any moment: it stays in this exam as it is" in page
        assert ("Key images can be marked only before sending" in page) == (f"/captures/{uid}/key" not in page)
        assert f"/captures/{uid}/reject" not in page
        assert f"/move/{uid}" not in page
        assert f"/captures/{uid}/laterality" not in page
    assert "Key images can be marked only before sending" in closed
    page = bench.client.get(f"/picture/{added}").text
    assert f"/captures/{added}/reject" in page
    assert "it stays in this exam as it is" not in page
    said = bench.refused(f"/captures/{uid}/reject", {}, 409, "wrong-state")
    assert said["action"] == "Leave it in the exam; call IT if it must be taken back."


def test_the_name_of_an_exams_patient_leads_to_what_to_do_when_it_is_the_wrong_one(bench: Bench) -> None:
    exam = bench.open_exam()
    first, second = bench.still(exam), bench.still(exam)
    for page in (f"/live/{exam}", f"/exam/{exam}", f"/picture/{first}", f"/finish/{exam}"):
        assert f'id="banner" class="known" data-refresh="exam" href="/wrong/{exam}"' in bench.client.get(page).text
    page = bench.client.get(f"/wrong/{exam}").text
    assert f'href="/?assign={exam}"' in page  # the whole exam
    assert f'href="/move/{first}"' in page  # or its pictures from one on
    assert f'href="/move/{second}"' in page
    assert f'href="/live/{exam}">No: right patient' in page
    assert bench.spool.exams.get(exam).please_check == ""  # looking changed nothing


def test_the_name_of_a_patient_whose_exam_was_sent_leads_nowhere_for_nothing_can_be_changed_here(
    bench: Bench,
) -> None:
    exam = bench.open_exam()
    bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    assert "/wrong/" not in bench.client.get(f"/exam/{exam}").text
    assert bench.client.get(f"/wrong/{exam}").url.path == f"/exam/{exam}"


def test_an_exam_of_which_a_picture_was_sent_gets_no_other_patient_as_a_whole(bench: Bench) -> None:
    exam = bench.open_exam()
    sent, kept = bench.still(exam), bench.still(exam)
    assert bench.spool.releases.release(exam, sent, tuple(Identity))
    page = bench.client.get(f"/wrong/{exam}").text
    assert f'href="/?assign={exam}"' not in page
    assert f'href="/move/{sent}"' not in page
    assert f'href="/move/{kept}"' in page
    assert "Call IT" in page


def test_where_pictures_go_a_name_like_another_one_is_marked_and_two_lines_say_how_to_go_on(bench: Bench) -> None:
    first, second = two_exams(bench)
    third = bench.open_exam("MAYER^Anne", close_open=True, patient={"name": "MAYER^Anne", "id": "77"})
    uid = uids(bench, first)[0]
    found = bench.client.get(f"/move/{uid}").text.split('"to": "')[1:]
    assert {row[:10]: "similar name" in row for row in found} == {second: False, third: True}
    alone = bench.open_exam("WEBER^Max", close_open=True)
    for each in (first, second, third):
        bench.spool.exams.confirm(each)
        bench.spool.exams.release(each)
    uid = bench.still(alone)
    bench.still(alone)
    page = bench.client.get(f"/move/{uid}").text
    assert page.count('<p class="plain">') == 2
    assert "The whole exam" in page
    assert "Start an exam" in page


def test_what_left_too_long_ago_to_be_opened_again_says_so() -> None:
    with folder_in_memory() as folder, running(folder, release=Release(reopen_hours=0)) as bench:
        exam = bench.open_exam()
        bench.post(f"/exams/{exam}/finish")
        bench.spool.exams.release(exam)
        page = bench.client.get(f"/exam/{exam}").text
        assert f"/exams/{exam}/reopen" not in page
        assert 'inert">Open again<small>only for 0 h' in page


def test_a_picture_that_was_stopped_is_marked_and_its_exam_says_who_helps(bench: Bench) -> None:
    exam = sealed_exam(bench)
    mark = '<span class="mark bad" aria-hidden="true"></span>'
    assert f"{mark}On this box, stopped" not in bench.client.get(f"/exam/{exam}").text
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok"}])
    move(bench, state="held", code="gone-wrong", reason="Nobody knows why.")
    page = bench.client.get(f"/exam/{exam}").text
    assert page.count(f"{mark}On this box, stopped") == 2
    assert "call IT. Details says what happened." in page
    picture = bench.client.get(f"/picture/{uids(bench, exam)[0]}").text
    assert f"{mark} On this box, stopped: Nobody knows why. Call IT." in picture
