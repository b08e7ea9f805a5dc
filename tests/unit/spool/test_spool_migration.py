"""The index between releases: an older one is brought up to date, and the release before works with the result."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from gateway.clock import FakeClock
from gateway.model import DeliveryState, ExamState, MessageKind
from gateway.spool.database import VERSION, Database
from gateway.spool.opening import open_spool
from tests.unit.spool.values import item_subject

PREVIOUS = Path(__file__).parents[2] / "releases" / "scopegate-0.1.0-py3-none-any.whl"

# What a day on the release before does to a spool: one exam to its end, one begun.
A_DAY = """
import sys
from dataclasses import replace
from pathlib import Path

import gateway
from gateway.clock import FakeClock
from gateway.model import *
from gateway.spool.exams import Subject
from gateway.spool.opening import open_spool
from gateway.spool.states import Owner

assert ".whl" in gateway.__file__, gateway.__file__
spool = open_spool(Path(sys.argv[1]), clock=FakeClock(), destinations=("pacs",))
about = Subject(identity=Identity.TYPED, patient=Patient(name="Doe^Jane", id="P1"))
for each in spool.exams.list(states_wanted=(ExamState.OPEN,)):
    spool.exams.finish(each.id)
exam, _ = spool.exams.open(about)
now = spool.clock.now()
capture = Capture(
    sop_instance_uid=spool.clock.uid(), exam=exam.id, kind=MediaKind.STILL, source="us", instance_number=1,
    media="x.jpg", codec="jpeg", rows=1, columns=1, samples=1, frames=1, frame_times=(1,), sequence=1, bytes=1,
    sha256="", taken=now, pressed=now, patient=exam.patient, equipment=Equipment(modality="US"),
)
spool.captures.write_sidecar(capture)
spool.captures.put_row(capture)
spool.exams.finish(exam.id)
spool.exams.release(exam.id)
spool.objects.put_row(SealedObject(
    sop_instance_uid=capture.sop_instance_uid, sop_class_uid="1.2", transfer_syntax_uid="1.2", exam=exam.id,
    capture=capture.sop_instance_uid, bytes=1, sha256="", lossy=False, frames=1, sealed=now,
), ("pacs",))
for delivery in spool.deliveries.list(states_wanted=(DeliveryState.QUEUED,)):
    assert spool.deliveries.move(delivery, DeliveryState.SENDING, Owner.FORWARD)
    assert spool.deliveries.move(replace(delivery, state=DeliveryState.SENDING), DeliveryState.SENT, Owner.FORWARD)
spool.exams.open(about)
spool.close()
"""

# What its capture process does when it starts: nobody's files are removed.
A_START = """
import sys
from pathlib import Path

import gateway
from gateway.clock import FakeClock
from gateway.spool import recovery
from gateway.spool.opening import open_spool

assert ".whl" in gateway.__file__, gateway.__file__
spool = open_spool(Path(sys.argv[1]), clock=FakeClock())
recovery.recover_captures(spool)
spool.close()
"""


def test_the_previous_release_works_with_an_index_of_this_one(tmp_path: Path, clock: FakeClock) -> None:
    open_spool(tmp_path, clock=clock).close()
    a_day_on_the_previous_release(tmp_path)
    a_day_on_the_previous_release(tmp_path)  # also on what it wrote itself
    assert_two_days(tmp_path, clock)


def test_the_previous_release_leaves_alone_what_is_said_of_procedure_steps(
    tmp_path: Path, clock: FakeClock
) -> None:
    spool = open_spool(tmp_path, clock=clock)
    exam, _ = spool.exams.open(item_subject())
    (step,) = exam.steps
    spool.steps.write(exam.id, step.sop_instance_uid, MessageKind.CREATE, b"said")
    spool.steps.queue(exam, step.sop_instance_uid, MessageKind.CREATE, ["ris"])
    spool.close()
    run_on_the_previous_release(A_START, tmp_path)
    spool = open_spool(tmp_path, clock=clock)
    assert spool.steps.path(exam.id, step.sop_instance_uid, MessageKind.CREATE).read_bytes() == b"said"
    assert [message.state for message in spool.steps.of_exam(exam.id)] == ["queued"]
    spool.close()


def test_an_index_of_the_previous_release_is_brought_up_to_date(tmp_path: Path, clock: FakeClock) -> None:
    a_day_on_the_previous_release(tmp_path)
    a_day_on_the_previous_release(tmp_path)
    assert version_of(tmp_path) == VERSION - 1
    assert_two_days(tmp_path, clock)
    assert version_of(tmp_path) == VERSION


def test_a_new_index_and_one_brought_up_to_date_are_alike(tmp_path: Path, clock: FakeClock) -> None:
    a_day_on_the_previous_release(tmp_path / "old")
    for name in ("old", "new"):
        open_spool(tmp_path / name, clock=clock).close()
    assert schema_of(tmp_path / "old") == schema_of(tmp_path / "new")


def a_day_on_the_previous_release(root: Path) -> None:
    run_on_the_previous_release(A_DAY, root)


def run_on_the_previous_release(script: str, root: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-P", "-c", script, str(root)],
        env={**os.environ, "PYTHONPATH": str(PREVIOUS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def assert_two_days(root: Path, clock: FakeClock) -> None:
    spool = open_spool(root, clock=clock)
    try:
        spool.database.check()
        found = sorted(exam.state for exam in spool.exams.list())
        assert found == [ExamState.FINISHED, ExamState.OPEN, ExamState.RELEASED, ExamState.RELEASED]
        assert [delivery.state for delivery in spool.deliveries.list()] == [DeliveryState.SENT] * 2
    finally:
        spool.close()


def version_of(root: Path) -> int:
    index = Database(root / "scopegate.db")
    with index.read() as connection:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
    index.close()
    return int(found)


def schema_of(root: Path) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(root / "scopegate.db")
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").fetchall()
    connection.close()
    return rows
