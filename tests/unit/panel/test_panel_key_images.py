"""The call that marks key images, and the screens that show them."""

import pytest

from tests.unit.panel.conftest import Bench


def test_a_picture_is_marked_and_unmarked_until_its_exam_leaves(bench: Bench) -> None:
    exam = bench.open_exam()
    uid, other = bench.still(exam), bench.still(exam)
    for key in (True, False, True):
        assert bench.post(f"/captures/{uid}/key", {"key": key}) == {"sop_instance_uid": uid, "key": key}
        found = bench.get(f"/exams/{exam}")
        assert {each["sop_instance_uid"]: each["key"] for each in found["captures"]} == {uid: key, other: False}
        assert found["key_images"] == int(key)
    bench.post(f"/exams/{exam}/finish")
    bench.post(f"/captures/{other}/key", {"key": True})
    bench.spool.exams.release(exam)
    bench.refused(f"/captures/{uid}/key", {"key": False}, 409, "wrong-state")
    assert [each["key"] for each in bench.get(f"/exams/{exam}")["captures"]] == [True, True]
    assert "capture-key" in bench.spool.layout.audit.read_text()


def test_a_removed_picture_is_no_key_image(bench: Bench) -> None:
    exam = bench.open_exam()
    uid = bench.still(exam)
    bench.post(f"/captures/{uid}/reject", {"reason": "mistake"})
    bench.refused(f"/captures/{uid}/key", {"key": True}, 409, "wrong-state")


@pytest.mark.parametrize("body", [{}, {"key": None}, {"key": "yes"}, {"key": 1}])
def test_what_is_no_mark_is_refused(bench: Bench, body: dict[str, object]) -> None:
    uid = bench.still(bench.open_exam())
    bench.refused(f"/captures/{uid}/key", body, 422, "bad-value")


def test_the_finish_sheet_counts_key_images_and_says_which_they_are(bench: Bench) -> None:
    exam = bench.open_exam()
    uid, _ = bench.still(exam), bench.still(exam)
    bench.post(f"/captures/{uid}/key", {"key": True})
    page = bench.client.get(f"/finish/{exam}").text
    assert "2 images · 1 key" in page
    assert page.count("key image") == 1
    assert 'aria-pressed="true"' in bench.client.get(f"/picture/{uid}").text
