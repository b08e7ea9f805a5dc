"""Exports over the API: filed for the forward process, to configured media only, with progress and an end."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config.settings import Destination
from gateway.errors import MediaFull
from gateway.panel.calls.exports import EXPORT
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running

USB = Destination(name="usb", kind="media", folder=Path("/media/usb"))


@pytest.fixture
def box() -> Iterator[Bench]:
    """A panel with one media destination."""
    with folder_in_memory() as folder, running(folder, USB) as bench:
        yield bench


def test_an_export_is_filed_and_its_answer_says_where_to_look(box: Bench) -> None:
    exam = box.open_exam()
    filed = box.post("/exports", {"exams": [exam, exam], "jpeg": True}, status=202)
    assert (filed["state"], filed["exams"], filed["destination"], filed["jpeg"]) == ("waiting", [exam], "usb", True)
    assert filed["removable"] is False
    request = box.spool.requests.begin(EXPORT)
    assert request
    assert request.arguments == {"exams": [exam], "destination": "usb", "jpeg": True}
    assert box.get(f"/exports/{filed['id']}")["state"] == "running"
    assert '"export-asked"' in box.spool.layout.audit.read_text()


def test_its_progress_can_be_watched_until_the_medium_may_be_taken_away(box: Bench) -> None:
    filed = box.post("/exports", {"exams": [box.open_exam()], "destination": "usb"}, status=202)
    request = box.spool.requests.begin(EXPORT)
    assert request
    so_far = {
        "objects_done": 1,
        "objects": 3,
        "pictures_done": 1,
        "pictures": 3,
        "bytes_done": 10,
        "bytes": 60,
        "left_s": 5,
    }
    box.spool.requests.progress(request, so_far)
    seen = box.get(f"/exports/{filed['id']}")
    assert {key: seen[key] for key in so_far} == so_far
    assert (seen["state"], seen["removable"]) == ("running", False)

    box.spool.requests.done(request, {"exams": 1, "objects": 3, "pictures": 3, "bytes": 30, "left_out": 1})
    seen = box.get(f"/exports/{filed['id']}")
    assert (seen["state"], seen["removable"]) == ("done", True)
    assert (seen["objects_done"], seen["objects"], seen["bytes_done"], seen["left_out"]) == (3, 3, 30, 1)


def test_an_export_that_failed_says_why_and_what_to_do(box: Bench) -> None:
    filed = box.post("/exports", {"exams": [box.open_exam()]}, status=202)
    request = box.spool.requests.begin(EXPORT)
    assert request
    box.spool.requests.failed(request, MediaFull())
    seen = box.get(f"/exports/{filed['id']}")
    assert (seen["state"], seen["code"], seen["removable"]) == ("failed", "media-full", False)
    assert seen["what"]
    assert seen["safe"]
    assert seen["action"]


def test_the_same_request_is_filed_once(box: Bench) -> None:
    exam = box.open_exam()
    body = {"exams": [exam], "request_id": str(uuid.uuid4())}
    first = box.post("/exports", body, status=202)
    assert box.post("/exports", body, status=202) == first
    box.refused("/exports", {**body, "jpeg": True}, 422, "request-reused")
    assert box.spool.requests.begin(EXPORT)
    assert box.spool.requests.begin(EXPORT) is None


@pytest.mark.parametrize("name", ["pacs", "other", "/media/usb", "/etc", "../usb"])
def test_nobody_can_name_a_place_that_is_not_configured_as_a_medium(box: Bench, name: str) -> None:
    box.refused("/exports", {"exams": [box.open_exam()], "destination": name}, 404, "not-found")
    assert box.spool.requests.begin(EXPORT) is None


def test_a_folder_is_no_key_of_the_call(box: Bench) -> None:
    box.refused("/exports", {"exams": [box.open_exam()], "to": "/etc"}, 400, "bad-request")


def test_without_a_media_destination_there_is_nothing_to_export_to(bench: Bench) -> None:
    bench.refused("/exports", {"exams": [bench.open_exam()]}, 404, "not-found")


@pytest.mark.parametrize("exams", [None, [], "e1", [1], ["x"] * 201, [["e1"]]])
def test_exams_that_are_no_list_of_exams_are_refused(box: Bench, exams: object) -> None:
    box.refused("/exports", {"exams": exams}, 422, "bad-value")


def test_an_unknown_exam_is_refused_before_anything_is_filed(box: Bench) -> None:
    box.refused("/exports", {"exams": [box.open_exam(), "nothing"]}, 404, "not-found")
    assert box.spool.requests.begin(EXPORT) is None


def test_a_request_of_another_kind_is_no_export(box: Bench) -> None:
    other = box.spool.requests.ask("worklist-refresh", {}, deadline_s=60)
    box.get(f"/exports/{other}", status=404)
    box.get("/exports/nothing", status=404)
