"""The kill test can name what the product writes, and finds what it looks for."""

import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.model import MessageKind
from gateway.spool.paths import Layout
from tests.crash import holdings, telling
from tests.crash.steps import rows, subject
from tests.crash.telling import Told

LAYOUT = Layout(Path("/data"))
UID, OTHER, STEP = "2.25.1", "2.25.2", "2.25.9"
NAMES = {
    LAYOUT.exam_json("e"): "exam",
    LAYOUT.exam_lock("e"): "lock",
    LAYOUT.role_lock("forward"): "lock",
    LAYOUT.audit.with_suffix(".lock"): "lock",
    LAYOUT.audit: "audit",
    LAYOUT.sidecar("e", UID): "sidecar",
    LAYOUT.tombstone("e", UID): "tombstone",
    LAYOUT.released("e", UID): "released mark",
    LAYOUT.purged("e", UID): "purged mark",
    LAYOUT.object("e", UID): "object",
    LAYOUT.seal("e", UID): "seal",
    LAYOUT.sums("e"): "sums",
    LAYOUT.key_stills("e", UID, 3): "key still plan",
    LAYOUT.frames("e", UID): "clip pictures",
    LAYOUT.index("e", UID): "clip index",
    LAYOUT.film("e", UID).with_suffix(""): "film",
    LAYOUT.step("e", STEP, MessageKind.CREATE): "step beginning",
    LAYOUT.step("e", STEP, MessageKind.SET): "step end",
    LAYOUT.media("e", "order.dcm"): "order",
    LAYOUT.media("e", "order-3-and-2.dcm"): "order",
    LAYOUT.media("e", f"{UID}.ljpg"): "still",
    LAYOUT.database: "index",
    Path("/medium/DICOM/SG000000/I0000001"): "medium object",
    Path("/medium/DICOMDIR"): "medium directory",
    Path("/medium/JPEG/20261126_0930_e/0001.JPG"): "medium copy",
}


@pytest.mark.parametrize("path", NAMES, ids=lambda path: path.name)
def test_what_the_box_writes_has_a_name_that_a_kill_can_be_aimed_at(path: Path) -> None:
    assert subject(path) == NAMES[path]
    assert subject(path.with_name(path.name + ".part")) == NAMES[path]


def test_what_a_commit_changes_has_a_name_that_a_kill_can_be_aimed_at() -> None:
    assert rows("SELECT 1 FROM exam") == ""
    assert rows("INSERT INTO object (sop_instance_uid) VALUES (?)") == "seal rows"
    assert rows("UPDATE object SET listed = 1 WHERE listed = 0") == "sums rows"
    assert rows("UPDATE capture SET purged = ? WHERE sop_instance_uid = ?") == "purging rows"
    assert rows("UPDATE capture SET state = ? WHERE state = ?") == "capture rows"
    assert rows("INSERT INTO commitment (transaction_uid) VALUES (?)") == "commitment rows"
    assert rows("DELETE FROM worklist_item WHERE server = ?") == "worklist rows"


# --- procedure steps ---------------------------------------------------------------------------------------------


def said(told: Told) -> list[str]:
    technician: Any = SimpleNamespace(owners={UID: "P1"}, exam_of={UID: "e"}, kept_back=set())
    exam = {"id": "e", "discontinued": "", "steps": [{"sop_instance_uid": STEP}]}
    return list(telling.wrong(told, technician, {"e": exam}, derived=set()))


def told(
    *messages: tuple[str, int], images: Iterable[str] = (UID,), patient: str = "P1", final: str = "COMPLETED"
) -> Told:
    return Told(
        steps={STEP: list(messages)},
        final={STEP: final},
        reason={STEP: ""},
        patient={STEP: patient},
        images={STEP: set(images)},
    )


def test_a_step_whose_messages_went_twice_is_as_good_as_one_whose_went_once() -> None:
    assert said(told(("create", 0), ("set", 0))) == []
    assert said(told(("create", 0), ("create", 0x0111), ("set", 0), ("set", 0x0110))) == []


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (told(("set", 0x0112), ("create", 0), ("set", 0)), "told in the order"),
        (told(("create", 0), ("set", 0), ("set", 0)), "was taken 2 times"),
        (told(("create", 0), ("set", 0), images=()), "in no procedure step"),
        (told(("create", 0), ("set", 0), images=(UID, OTHER)), "nobody let it go"),
        (told(("create", 0), ("set", 0), patient="P2"), "in another's procedure step"),
        (told(("create", 0), ("set", 0), final="DISCONTINUED"), "ended as DISCONTINUED"),
    ],
    ids=["order", "twice", "missing", "held back", "another's", "end"],
)
def test_a_procedure_step_that_was_told_wrongly_is_found(wrong: Told, why: str) -> None:
    assert any(why in line for line in said(wrong))


# --- what is there -----------------------------------------------------------------------------------------------


def vouching(arrived: Iterable[str], asked: Iterable[str]) -> Any:
    there = [SimpleNamespace(sop_instance_uid=uid, data_set=b"") for uid in arrived]
    return SimpleNamespace(arrived=there, requests={"2.25.7": list(asked)})


@pytest.mark.parametrize(
    ("archive", "called_safe", "heard", "why"),
    [
        (vouching([], [UID]), {UID}, {UID}, "called safe, and not there"),
        (vouching([UID], []), {UID}, set(), "nobody asked"),
        (vouching([UID], [UID]), set(), {UID}, "heard to be safe, and not called so"),
        (vouching([UID, OTHER], [UID]), {UID}, {UID}, "nobody let it go"),
    ],
    ids=["lost", "unasked", "forgotten", "held back"],
)
def test_a_picture_that_is_called_safe_wrongly_is_found(
    archive: Any, called_safe: set[str], heard: set[str], why: str
) -> None:
    assert any(why in line for line in holdings.vouching_wrong(archive, {UID: "P1"}, called_safe, heard))


def test_a_list_of_an_exams_files_that_lacks_one_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "e"
    folder.mkdir()
    (folder / f"{UID}.dcm").touch()
    (folder / f"{UID}.seal").write_text(json.dumps({"sha256": "ab"}))
    assert list(holdings.sums_wrong(tmp_path)) == ["e: lists other files than it has"]
    (folder / "SHA256SUMS").write_text(f"ab  {UID}.dcm\n")
    assert list(holdings.sums_wrong(tmp_path)) == []
