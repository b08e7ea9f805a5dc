"""Exams onto a stick, on the screen: what would be written, why it cannot be, how far it is, when it is done."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gateway.config.settings import Destination
from gateway.dicom import medium_room
from gateway.errors import MediaError, MediaForeign, MediaFull, MediaGone, MediaReadOnly
from gateway.forward.media.medium import Capacity
from gateway.panel.calls.exports import EXPORT
from gateway.panel.shown import copies
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running, seal
from tests.unit.panel.exams_that_leave import said_of_forward, sealed_exam

STICK = Destination(name="stick", kind="media", folder=Path("/media/stick"), required=False)


@pytest.fixture
def box() -> Iterator[Bench]:
    """A panel with two archives and a stick."""
    with folder_in_memory() as folder, running(folder, STICK) as bench:
        yield bench


def plugged(box: Bench, *, free: int = 14_200_000_000, read_only: bool = False) -> None:
    medium = asdict(Capacity(free=free, total=16_000_000_000, read_only=read_only))
    said_of_forward(box, destinations=[{"name": "stick", "state": "ok", "medium": medium}])


def asked(box: Bench, exam: str) -> str:
    return str(box.post("/exports", {"exams": [exam], "destination": "stick"}, status=202)["id"])


def test_before_anything_is_written_the_screen_says_what_where_and_whose(box: Bench) -> None:
    exam = sealed_exam(box)
    plugged(box)
    page = box.client.get(f"/copy?exam={exam}").text
    for words in (
        "names and pictures of patients",
        "2 images",
        "DICOM files with their DICOMDIR",
        "14.2 GB",
        "/media/stick",
        'data-post="/api/v1/exports"',
    ):
        assert words in page
    assert "and JPEG copies" not in page  # only when somebody wants them
    assert "and JPEG copies" in box.client.get(f"/copy?exam={exam}&to=stick&jpeg=1").text


def test_several_exams_are_chosen_by_their_numbers_and_named_by_their_patients(box: Bench) -> None:
    first, second = sealed_exam(box), sealed_exam(box, 1)
    plugged(box)
    which = box.client.get("/copy/which").text
    assert all(f'value="{exam}"' in which for exam in (first, second))
    page = box.client.get(f"/copy?exam={first}&exam={second}").text
    assert "2 exams" in page
    assert f"[&#34;{first}&#34;, &#34;{second}&#34;]" in page or f'["{first}", "{second}"]' in page


def test_what_it_needs_and_what_is_free_stand_in_one_place_and_hold_for_the_copies_too(box: Bench) -> None:
    exam = sealed_exam(box)
    plugged(box, free=14_200_000_000)
    page = box.client.get(f"/copy?exam={exam}").text
    assert page.count(" MB</bdi>") == 1
    assert "needs <bdi>2 MB</bdi>, <bdi>14.2 GB</bdi> are free" in page
    objects = [(each, box.spool.objects.path(each)) for each in box.spool.objects.of_exam(exam)]
    plain, with_copies = (medium_room.on_an_empty_one(objects, jpeg=jpeg) for jpeg in (False, True))
    assert plain < with_copies
    plugged(box, free=plain)
    assert "too little room" not in box.client.get(f"/copy?exam={exam}").text
    assert MediaFull().what in box.client.get(f"/copy?exam={exam}&jpeg=1").text  # the word that Delivery has too


@pytest.mark.parametrize(
    ("stick", "words"),
    [
        ({"free": 10}, "The stick has too little room."),
        ({"read_only": True}, "The stick is write-protected."),
    ],
)
def test_a_stick_that_cannot_take_it_is_said_before_anybody_waits(
    box: Bench, stick: dict[str, Any], words: str
) -> None:
    exam = sealed_exam(box)
    plugged(box, **stick)
    page = box.client.get(f"/copy?exam={exam}").text
    assert words in page
    assert "data-post" not in page


def test_without_a_stick_the_screen_asks_for_one_and_looks_again_by_itself(box: Bench) -> None:
    exam = sealed_exam(box)
    said_of_forward(box, destinations=[{"name": "stick", "state": "absent"}])
    page = box.client.get(f"/copy?exam={exam}").text
    assert "There is no stick." in page
    assert 'data-poll="1"' in page
    assert "data-post" not in page


def test_an_exam_is_copied_only_once_it_ended_and_its_objects_are_made(box: Bench) -> None:
    plugged(box)
    exam = box.open_exam()
    assert "Finish it first." in box.client.get(f"/copy?exam={exam}").text
    uid = box.still(exam)
    box.post(f"/exams/{exam}/finish")
    waiting = box.client.get(f"/copy?exam={exam}").text
    assert "Its pictures are being prepared." in waiting
    assert 'data-poll="1"' in waiting
    box.spool.exams.release(exam)
    seal(box, exam, uid, ("pacs",))
    assert "data-post" in box.client.get(f"/copy?exam={exam}").text


def test_an_exam_whose_patient_must_be_checked_is_not_copied(box: Bench) -> None:
    plugged(box)
    exam = str(box.post("/exams", {"emergency": True}, status=201)["id"])
    box.still(exam)
    box.post(f"/exams/{exam}/finish")
    page = box.client.get(f"/copy?exam={exam}").text
    assert "Choose or check its patient first." in page
    assert "data-post" not in page


def test_while_it_is_written_the_screen_says_how_far_it_is_and_not_to_pull_the_stick(box: Bench) -> None:
    plugged(box)
    export = asked(box, sealed_exam(box))
    assert "Waiting. It begins by itself." in box.client.get(f"/copying/{export}").text
    request = box.spool.requests.begin(EXPORT)
    assert request
    so_far = {
        "objects_done": 4,
        "objects": 13,
        "pictures_done": 4,
        "pictures": 13,
        "bytes_done": 10,
        "bytes": 60,
        "left_s": 9,
    }
    box.spool.requests.progress(request, so_far)
    page = box.client.get(f"/copying/{export}").text
    for words in ("Do not remove the stick.", "4 of 13 checked", "about 9 s left", 'max="60" value="10"'):
        assert words in page
    assert 'data-poll="1"' in page
    assert "can be removed" not in page


def test_only_what_was_read_back_may_be_pulled_and_what_is_missing_is_said(box: Bench) -> None:
    plugged(box)
    export = asked(box, sealed_exam(box))
    request = box.spool.requests.begin(EXPORT)
    assert request
    box.spool.requests.done(request, {"exams": 1, "objects": 13, "pictures": 13, "bytes": 30, "left_out": 1})
    page = box.client.get(f"/copying/{export}").text
    assert "Copied and checked: 13 of 13. The stick can be removed." in page
    assert "Not on the stick: 1." in page
    assert 'data-poll="1"' not in page


@pytest.mark.parametrize("error", [MediaFull(), MediaReadOnly(), MediaGone(), MediaForeign()], ids=lambda e: e.code)
def test_a_copy_that_failed_says_why_whether_the_work_is_safe_and_what_to_do(box: Bench, error: MediaError) -> None:
    export = asked(box, sealed_exam(box))
    request = box.spool.requests.begin(EXPORT)
    assert request
    box.spool.requests.failed(request, error)
    page = box.client.get(f"/copying/{export}").text.replace("&#39;", "'")
    for words in ("Not copied.", error.what, error.safe, error.action, error.code, "Try again"):
        assert words in page
    assert "can be removed" not in page


def test_a_clinic_without_archive_finishes_and_keeps_or_finishes_and_copies() -> None:
    with folder_in_memory() as folder, running(folder, STICK, archives=False) as box:
        exam = box.open_exam()
        box.still(exam)
        page = box.client.get(f"/finish/{exam}").text
        assert "Finish and keep" in page
        assert "Finish and copy to USB" in page
        assert "Finish and send" not in page
        box.post(f"/exams/{exam}/finish")
        assert "Will be sent." not in box.client.get(f"/exam/{exam}").text
        box.spool.exams.release(exam)
        (listed,) = box.spool.captures.of_exam(exam)
        seal(box, exam, listed.capture.sop_instance_uid, ("stick",))
        said_of_forward(box, destinations=[{"name": "stick", "state": "absent"}])
        page = box.client.get("/").text
        assert "1 for the stick" in page
        assert 'class="badge none"' in page


def test_copying_is_not_offered_where_no_stick_is_set_up(bench: Bench) -> None:
    exam = sealed_exam(bench)
    for path in (f"/exam/{exam}", "/delivery"):
        assert "Copy to USB" not in bench.client.get(path).text


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "about 1 s left"), (119, "about 119 s left"), (150, "about 2 min left")]
)
def test_the_time_that_is_left_is_said_in_the_unit_that_people_use(seconds: int, words: str) -> None:
    assert copies.left(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(1, "1 MB"), (86_000_001, "87 MB"), (14_200_000_000, "14.2 GB")])
def test_sizes_are_said_as_sticks_are_sold(count: int, words: str) -> None:
    assert copies.size(count) == words
