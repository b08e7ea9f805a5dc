"""Exports that a person asked for: which exams may go, what is said while they do, and how they end."""

import threading
from pathlib import Path

import pytest

from gateway.config.settings import Destination
from gateway.errors import NotFound, NotSealed, RequestReused
from gateway.forward.media import export as media
from gateway.forward.media.export import EXPORT, Exporter
from gateway.model import RequestState
from gateway.panel.calls import exports as export_calls
from gateway.spool.spool import Spool
from tests.forward.bench import Disk, let_go, open_exam, sealed_exam, still, wrap_all
from tests.forward.media_bench import holds, items, listed


def test_several_exams_go_onto_one_medium(spool: Spool, stick: Path) -> None:
    first, second = sealed_exam(spool, stills=2), sealed_exam(spool, clips=1)
    done = media.export(spool, [first.id, second.id, first.id], stick, by="test")

    assert holds(stick, items(spool, first, second))
    assert (done.exams, done.objects, done.left_out) == (2, 4, 0)
    assert done.bytes == sum(item.sealed.bytes for item in items(spool, first, second))


def test_an_export_leaves_the_queue_alone(spool: Spool, stick: Path) -> None:
    exam = sealed_exam(spool, stills=2)
    before = spool.deliveries.list()
    media.export(spool, [exam.id], stick, by="test")

    assert spool.deliveries.list() == before


def test_an_exam_whose_objects_are_not_made_yet_is_refused_with_what_to_do(spool: Spool, stick: Path) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    with pytest.raises(NotSealed, match="not released"):
        media.export(spool, [exam.id], stick, by="test")
    let_go(spool, exam)
    with pytest.raises(NotSealed, match="1 pictures"):
        media.export(spool, [exam.id], stick, by="test")
    wrap_all(spool)
    media.export(spool, [exam.id], stick, by="test")

    assert holds(stick, items(spool, exam))


def test_one_exam_that_cannot_go_keeps_all_of_them_off_the_medium(spool: Spool, stick: Path) -> None:
    ready, waiting = sealed_exam(spool), open_exam(spool)
    with pytest.raises(NotSealed):
        media.export(spool, [ready.id, waiting.id], stick, by="test")

    assert not list(stick.iterdir())


def test_captures_that_can_become_no_object_are_counted_and_not_passed_over_in_silence(
    spool: Spool, stick: Path
) -> None:
    exam = open_exam(spool)
    good, bad = still(spool, exam), still(spool, exam)
    let_go(spool, exam)
    spool.layout.media(exam.id, bad.media).write_bytes(b"no picture")
    wrap_all(spool)
    done = media.export(spool, [exam.id], stick, by="test")

    assert (done.objects, done.left_out) == (1, 1)
    assert list(listed(stick)) == [good.sop_instance_uid]


def test_what_was_removed_from_an_exam_is_not_exported(spool: Spool, stick: Path) -> None:
    exam = open_exam(spool)
    kept, gone = still(spool, exam), still(spool, exam)
    spool.captures.reject(gone.sop_instance_uid, "blurred")
    let_go(spool, exam)
    wrap_all(spool)
    done = media.export(spool, [exam.id], stick, by="test")

    assert list(listed(stick)) == [kept.sop_instance_uid]
    assert done.left_out == 0


def test_an_exam_that_is_unknown_or_empty_is_refused(spool: Spool, stick: Path) -> None:
    with pytest.raises(NotFound):
        media.export(spool, ["nothing"], stick, by="test")
    empty = let_go(spool, open_exam(spool))
    with pytest.raises(NotFound, match="no pictures"):
        media.export(spool, [empty.id], stick, by="test")

    assert not list(stick.iterdir())


def test_an_export_is_noted_in_the_audit_file_even_on_a_full_box_it_is_made(
    spool: Spool, stick: Path, disk: Disk
) -> None:
    exam = sealed_exam(spool)
    media.export(spool, [exam.id], stick, by="command-line")
    (line,) = [line for line in spool.layout.audit.read_text().splitlines() if '"exported"' in line]
    assert exam.id in line
    assert "command-line" in line

    disk.fail()
    other = stick / "other"
    other.mkdir()
    media.export(spool, [exam.id], other, by="command-line")
    assert holds(other, items(spool, exam))


# --- requests of the panel -------------------------------------------------------------------------------------


def exporter(spool: Spool, folder: Path, *, files: Disk | None = None) -> Exporter:
    destinations = [
        Destination(name="usb", kind="media", folder=folder),
        Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=104),
    ]
    return Exporter(spool=spool, destinations=destinations, stop=threading.Event(), files=files)


def ask(spool: Spool, *exams: str, destination: str = "usb") -> str:
    return spool.requests.ask(
        EXPORT, {"exams": list(exams), "destination": destination, "jpeg": False}, deadline_s=60
    )


def test_the_panel_and_the_forward_process_mean_the_same_kind_of_request() -> None:
    assert export_calls.EXPORT == EXPORT


def test_a_request_for_a_medium_that_is_not_mounted_fails_and_says_so(spool: Spool, stick: Path) -> None:
    exam = sealed_exam(spool)
    worker = exporter(spool, Path(spool.layout.root))
    request = ask(spool, exam.id)
    assert worker.step()
    found = spool.requests.get(request)
    assert (found.state, found.answer["code"]) == (RequestState.FAILED, "media-not-mounted")
    assert found.answer["action"]

    request = ask(spool, exam.id)
    assert exporter(spool, stick / "nothing").step()
    assert spool.requests.get(request).answer["code"] == "media-absent"


@pytest.mark.parametrize("name", ["pacs", "other", ""])
def test_a_request_for_anything_but_a_media_destination_fails(spool: Spool, stick: Path, name: str) -> None:
    request = ask(spool, sealed_exam(spool).id, destination=name)
    assert exporter(spool, stick).step()

    assert spool.requests.get(request).answer["code"] == "not-found"


def test_nothing_asked_is_nothing_done(spool: Spool, stick: Path) -> None:
    assert not exporter(spool, stick).step()


def test_a_request_is_the_same_under_the_same_id_and_refused_for_another_wish(spool: Spool) -> None:
    first = spool.requests.file(EXPORT, {"exams": ["a"]}, deadline_s=60, identifier="id-1")
    assert first == ("id-1", True)
    assert spool.requests.file(EXPORT, {"exams": ["a"]}, deadline_s=60, identifier="id-1") == ("id-1", False)
    with pytest.raises(RequestReused):
        spool.requests.file(EXPORT, {"exams": ["b"]}, deadline_s=60, identifier="id-1")
