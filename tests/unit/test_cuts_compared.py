"""What a power cut left is held against what was acknowledged, and what the archive got: each lie is seen."""

from pathlib import Path
from typing import Any

import pytest

from tests.appliance.received import Received
from tests.appliance.story import WHILE_WRITTEN, Found, Story
from tests.dicom_samples import exam, seal, still

PATIENT = exam().patient.id
RECORD, STREAMS = still()
UID, OTHER = RECORD.sop_instance_uid, "2.25.6002"
EXAM = {"exam": "e1", "patient": PATIENT, "state": "ended"}
MACHINE = {"state": "running", "failed": "", "active": ["active"] * 3, "kernel": [], "journal_mb": 9}
SAID = {
    "machine": MACHINE, "product": {"audit": [0, ""], "doctor": []}, "careless": {}, "waited_s": 2,
    "settings": '[station]\ninstitution = ""\n', "update": {"last": {"phase": "none", "reason": ""}},
}  # fmt: skip


@pytest.fixture
def received(tmp_path: Path) -> Path:
    seal(tmp_path / f"US.{UID}", exam(), RECORD, STREAMS)
    return tmp_path


def story(**more: Any) -> Story:
    told = Story(port=0, **more)
    told.hear({"capture": UID, "exam": "e1", "patient": PATIENT, "sha256": RECORD.sha256})
    return told


def wrong(told: Story, received: Path, *, states: tuple[str, ...] = ("sent",), **said: Any) -> list[str]:
    found = Found()
    for report in (
        {**EXAM, "captures": {UID: ["still", 1, list(states)]}, **said.pop("exam", {})},
        {"uid": UID, "exams": ["e1"]},
        {"picture": UID, "sha256": RECORD.sha256, "pieces": 1},
        {**SAID, **said},
    ):
        found.hear(report)
    start = found.compared(told, Received(received))
    assert start.lost == []
    return start.wrong


def test_what_was_sent_is_in_the_archive(received: Path) -> None:
    assert wrong(story(finished=["e1"], arrived=["e1"]), received) == []


def test_what_is_called_sent_and_is_not_in_the_archive_is_wrong(received: Path) -> None:
    (received / f"US.{UID}").unlink()
    assert wrong(story(), received, states=("waiting",)) == []
    assert wrong(story(), received) == [f"{UID}: sent, and 0 times in the archive"]
    assert len(wrong(story(arrived=["e1"]), received, states=("waiting",))) == 2  # not there, and to be sent again


def test_what_a_new_index_holds_was_sent_before(received: Path) -> None:
    told = story(arrived=["e1"])
    told.hear({"index": "gone"})
    assert told.held == ["e1"]
    assert wrong(told, received, states=("held",)) == []


def test_half_a_file_in_the_archive_is_wrong(received: Path) -> None:
    file = received / f"US.{UID}"
    file.write_bytes(file.read_bytes()[:-2000])
    (found,) = wrong(story(), received)
    assert "sent, and" in found


def test_another_picture_or_patient_in_the_archive_is_wrong(received: Path) -> None:
    one = Received(received)
    assert one.wrong(UID, PATIENT, "") == ""
    assert one.wrong(UID, PATIENT, "0" * 64) == "another picture in the archive"
    assert one.wrong(UID, "P2", RECORD.sha256) == f"of {PATIENT} in the archive, taken of P2"


def test_an_exam_that_was_finished_and_is_open_is_wrong(received: Path) -> None:
    assert wrong(story(finished=["e1"]), received, exam={"state": "open"}) == ["e1: open, and was finished"]


@pytest.mark.parametrize(
    ("phase", "why", "is_wrong"),
    [("failed", "cut-off", False), ("trying", "", False), ("none", "", True), ("went-back", "picture", True)],
)
def test_an_update_that_was_cut_off_says_so(received: Path, phase: str, why: str, is_wrong: bool) -> None:  # noqa: FBT001
    said = {"last": {"phase": phase, "reason": why}}
    assert wrong(story(), received, update=said) == []
    assert bool(wrong(story(cuts=[{"step": WHILE_WRITTEN}]), received, update=said)) is is_wrong


@pytest.mark.parametrize(("content", "lost"), [(("x", 40), False), (("x", 1), True), (("HTTP 404", 0), True)])
def test_a_clip_that_was_cut_off_has_pictures(received: Path, content: tuple[str, int], lost: bool) -> None:  # noqa: FBT001
    told, found = story(), Found()
    told.hear({"capture": OTHER, "exam": "e1", "patient": PATIENT})
    digest, pieces = content
    for report in (
        {**EXAM, "captures": {UID: ["still", 1, []], OTHER: ["clip", 2, []]}},
        {"uid": UID, "exams": ["e1"]},
        {"uid": OTHER, "exams": ["e1"]},
        {"picture": OTHER, "sha256": digest, "pieces": pieces},
        SAID,
    ):
        found.hear(report)
    assert found.compared(told, Received(received)).lost == ([OTHER] if lost else [])
