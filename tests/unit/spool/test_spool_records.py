"""Records survive the way to the disk and back, and damage is named without quoting a patient."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.clock import FakeClock, Moment
from gateway.errors import SpoolDamaged
from gateway.model import (
    Capture,
    Equipment,
    Exam,
    ExamState,
    Identity,
    Patient,
    Procedure,
    RequestStamp,
    SealedObject,
    Series,
    WorklistItem,
)
from gateway.spool import records
from gateway.spool.captures import Rejection
from gateway.spool.clips import ClipHeader
from tests.unit.spool.values import ANNA, BORIS, MOMENT, ULTRASOUND, clip_header, sealed, still

EXAM = Exam(
    id="e1",
    revision=3,
    state=ExamState.FINISHED,
    identity=Identity.WORKLIST,
    patient=replace(BORIS, name="Wang^Xiao=王^小"),
    procedure=Procedure(description='Línea\nmit "Anführung" \\ und \u2028', scheduled_at="20261121"),
    study_instance_uid="1.2.3",
    study_key="k",
    study_id="s",
    server="ris",
    character_set="\\ISO 2022 IR 87",
    opened=MOMENT,
    timezone_minutes=-210,
    ended=MOMENT,
    series=(Series(source="us", family="still", number=1, series_instance_uid="1.2.3.4"),),
    request=RequestStamp(id="r", digest="d"),
)
CLOCK = FakeClock()
STILL = replace(still(EXAM, 4, clock=CLOCK), lossy_ratio=12.25, frame_times=(1, 2**62), lost_frames=2)
ITEM = WorklistItem(
    id="i",
    server="ris",
    patient=ANNA,
    procedure=Procedure(),
    study_instance_uid="",
    character_set="",
    missing=("StudyInstanceUID",),
    answer=b"kept beside it",
)
VALUES = [
    EXAM,
    replace(EXAM, ended=None, request=None, series=()),
    STILL,
    replace(STILL, lossy_ratio=0),
    clip_header(EXAM, 2, clock=CLOCK),
    sealed(STILL, b"x", clock=CLOCK),
    Rejection(reason="blurred", utc="2026-11-21T09:00:00+00:00"),
    ANNA,
    ULTRASOUND,
]
KINDS = [Exam, Capture, ClipHeader, SealedObject, Rejection, Patient, Equipment, WorklistItem]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_record_comes_back_from_the_disk_as_it_was(value: Any) -> None:
    assert records.load(type(value), records.dump(value)) == value


def test_a_worklist_item_comes_back_without_the_answer_that_is_stored_beside_it() -> None:
    assert records.load(WorklistItem, records.dump(ITEM)) == replace(ITEM, answer=b"")


def test_a_key_of_a_newer_release_is_passed_over_and_one_of_an_older_takes_its_default() -> None:
    content = unchecked(EXAM)
    content["invented_later"] = {"deep": [1]}
    content["patient"]["species"] = "homo"
    for key in ("please_check", "series", "request", "timezone_minutes"):
        del content[key]
    loaded = records.load(Exam, json.dumps(content))
    assert loaded == replace(EXAM, please_check="", series=(), request=None, timezone_minutes=0)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b"null", b"7", b'"text"', b"\0" * 64, b"\xff\xfe"])
def test_a_damaged_record_is_refused(kind: type, content: bytes) -> None:
    with pytest.raises(SpoolDamaged):
        records.load(kind, content)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("revision", "3"),
        ("revision", True),
        ("state", "sleeping"),
        ("patient", None),
        ("opened", {"utc": "yesterday"}),
        ("opened", 3),
        ("opened", {**MOMENT.to_json(), "utc": "2026-11-21T09:00:00"}),
        ("series", 5),
        ("opened", {**MOMENT.to_json(), "offset_minutes": 10**15}),
    ],
)
def test_a_record_with_a_value_of_the_wrong_kind_is_refused_without_naming_the_patient(
    key: str, value: Any
) -> None:
    content = {**unchecked(EXAM), key: value}
    with pytest.raises(SpoolDamaged) as caught:
        records.load(Exam, json.dumps(content))
    assert "Wang" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_every_beginning_of_a_record_that_a_cut_may_leave_is_refused() -> None:
    whole = records.dump(EXAM)
    for size in range(len(whole) - 2):  # without its last newline it is still whole
        with pytest.raises(SpoolDamaged):
            records.load(Exam, whole[:size])


def test_a_moment_keeps_its_microseconds_its_offset_and_its_boot() -> None:
    assert Moment.from_json(json.loads(json.dumps(MOMENT.to_json()))) == MOMENT
    assert MOMENT.to_json()["utc"] == "2026-11-21T09:00:00.123456Z"


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_no_byte_of_a_record_can_change_and_be_read_as_something_else(value: Any) -> None:
    content = records.dump(value)
    for place in range(len(content)):
        for bit in (0x01, 0x20):
            changed = bytearray(content)
            changed[place] ^= bit
            try:
                found = records.load(type(value), bytes(changed))
            except SpoolDamaged:
                continue
            assert replace(found, **apart(value)) == value, f"byte {place} makes another record"


def apart(value: Any) -> dict[str, Any]:
    """Return what a record does not hold (an item's answer)."""
    return {"answer": value.answer} if isinstance(value, WorklistItem) else {}


def test_a_record_of_release_0_1_has_no_check_value_and_is_read() -> None:
    assert records.load(Capture, json.dumps(unchecked(STILL))) == STILL


def unchecked(value: Any) -> dict[str, Any]:
    """Return a record as release 0.1 wrote it, for others to change."""
    content: dict[str, Any] = json.loads(records.dump(value))
    del content["crc32"]
    return content
