"""Erasing an exam: what goes, what stays, what forbids it, and who finds it gone."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import ClipRecording, NotFound, ScopegateError, WrongState
from gateway.model import Capture, DeliveryState, Exam, MessageKind, Patient, Procedure, WorklistItem
from gateway.spool.erasure import erasable, erasing
from gateway.spool.exam_records import ExamRecords
from gateway.spool.inspection import inspect_exam
from gateway.spool.opening import open_spool, rebuild_index
from gateway.spool.purging import Purging
from gateway.spool.queue.proofs import Unproven, Verdict
from gateway.spool.spool import Spool
from gateway.spool.states import Owner
from tests.unit.spool.values import BORIS, begin_clip, item_subject, seal, sealed, store, subject

CANARY = Patient(name="Kanarienvogel^Zitronella=黄^金丝", id="CANARY77031", issuer="CLINIC", birth_date="19380229")
BEFORE = replace(CANARY, name="Goldammer^Emberiza", id="CANARY44012")  # the wrong choice that was put right
ORDER = Procedure(description="Abdomen", accession_number="ACANARY55019", requested_procedure_id="RP-9")
WORDS = (
    "Kanarienvogel",
    "Zitronella",
    "黄",
    "金丝",
    "CANARY77031",
    "19380229",
    "ACANARY55019",
    "Goldammer",
    "CANARY44012",
)
Opened = Callable[..., Spool]


def item(patient: Patient, number: int) -> WorklistItem:
    return WorklistItem(
        id=f"item-{number}",
        server="ris",
        patient=patient,
        procedure=ORDER if patient == CANARY else Procedure(accession_number="A-2"),
        study_instance_uid=f"1.2.3.{number}",
        character_set="ISO_IR 192",
        answer=f"order of {patient.id} {patient.name}".encode(),
    )


def words_on_disk(root: Path) -> list[tuple[str, str]]:
    """Return where words of the canary stand: in files, their names, or in what is left of the index."""
    found = []
    for path in sorted(path for path in root.rglob("*")):
        content = path.name.encode() + (path.read_bytes() if path.is_file() else b"")
        found += [(path.name, word) for word in WORDS if word.encode() in content]
        found += [(path.name, word) for word in WORDS if word.encode("unicode_escape") in content]
    return found


def release(spool: Spool, exam: Exam) -> Exam:
    spool.exams.finish(exam.id)
    return spool.exams.release(exam.id)


def with_everything(spool: Spool) -> Exam:
    """Return a released exam that left its patient wherever a spool keeps patients."""
    spool.worklist.replace("ris", [item(BORIS, 1), item(CANARY, 2)])
    exam, _ = spool.exams.open(item_subject(BEFORE, answer=b"order of Goldammer^Emberiza CANARY44012"))
    spool.exams.assign(exam.id, item_subject(CANARY, procedure=ORDER, answer=item(CANARY, 2).answer))
    exam = spool.exams.get(exam.id)
    captures = [store(spool, exam, number) for number in range(1, 5)]
    writer = begin_clip(spool, exam, 5)
    writer.add(b"\xff\xd8clip\xff\xd9", time_ns=1, sequence=1)
    clip = replace(writer.close(), patient=exam.patient)
    spool.captures.write_sidecar(clip)
    spool.captures.put_row(clip)
    spool.captures.reject(captures[3].sop_instance_uid, "blurred")
    step = exam.steps[-1].sop_instance_uid
    spool.steps.write(exam.id, step, MessageKind.CREATE, f"begun {CANARY.name}".encode())
    spool.steps.queue(exam, step, MessageKind.CREATE, ["ris"])
    release(spool, exam)
    for capture in captures[:3]:
        seal(spool, capture, ("pacs", "backup"))
    spool.key_stills.plan(exam.id, clip.sop_instance_uid, 5, wanted=1, frames=[1])
    spool.objects.write_sums(exam.id)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'sent' WHERE destination = 'pacs'")
        connection.execute("UPDATE step_message SET state = 'held'")
    spool.commitments.ask("pacs", spool.proofs.due("pacs", cap_s=60))
    done = spool.requests.ask("export", {"exams": [exam.id], "destination": "stick"}, deadline_s=60)
    with spool.database.write() as connection:
        connection.execute("UPDATE request SET state = 'done' WHERE id = ?", (done,))
    spool.layout.database.with_name("scopegate.db.damaged-1234").write_bytes(CANARY.name.encode())
    spool.layout.media(exam.id, "order.dcm.damaged").write_bytes(CANARY.name.encode())
    return spool.exams.get(exam.id)


def of_another(spool: Spool) -> Exam:
    exam, _ = spool.exams.open(subject(BORIS))
    for number in (1, 2):
        capture = store(spool, exam, number)
    exam = release(spool, exam)
    seal(spool, capture)
    return exam


def erase(spool: Spool, exam: Exam, *, servers: tuple[str, ...] = ()) -> bool:
    loss = erasable.loss(spool, exam.id, ["pacs"])
    return erasing.erase(spool, loss, by="command-line", servers=servers)


def rows_of(spool: Spool, exam: str) -> dict[str, int]:
    """Return in which tables an exam's number stands, in whatever column."""
    found = {}
    with spool.database.read() as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            if count := sum(any(exam in str(value) for value in row) for row in rows):
                found[table] = count
    return found


def test_an_erased_exam_leaves_no_letter_of_its_patient_on_the_disk(spool: Spool, root: Path) -> None:
    exam, other = with_everything(spool), of_another(spool)
    assert {word for _, word in words_on_disk(root)} == set(WORDS)  # the search can find them
    files = {path: path.read_bytes() for path in spool.layout.exam(other.id).iterdir()}
    rows = rows_of(spool, other.id)
    assert erase(spool, exam)
    spool.close()
    assert words_on_disk(root) == []
    assert not list(spool.layout.exams.glob(f"{exam.id}*"))
    assert rows_of(spool, exam.id) == {}
    with spool.database.read() as connection:
        assert not connection.execute("SELECT 1 FROM commitment UNION SELECT 1 FROM commitment_item").fetchone()
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert {path: path.read_bytes() for path in spool.layout.exam(other.id).iterdir()} == files
    assert rows_of(spool, other.id) == rows
    assert [each.id for each in spool.worklist.items()] == ["item-1"]
    assert list(inspect_exam(spool, other.id)) == []


def test_nothing_is_left_of_a_patient_where_the_index_wrote_again_and_again(spool: Spool, root: Path) -> None:
    with spool.database.read() as connection:
        connection.execute("PRAGMA secure_delete = OFF")  # as most builds of SQLite have it
    of_canary = release(spool, spool.exams.open(subject(CANARY))[0])
    for number in range(30):  # chosen wrongly, and put right: their rows took the place of longer ones
        wrong = replace(CANARY, name=f"{CANARY.name}^{'x' * 7 * number}")
        exam, _ = spool.exams.open(subject(wrong))
        spool.exams.assign(exam.id, subject(BORIS))
        release(spool, exam)
    assert erase(spool, of_canary)
    assert len(spool.exams.list()) == 30
    assert words_on_disk(root) == []


def test_nothing_is_left_either_while_the_box_runs(spool: Spool, opened: Opened, root: Path) -> None:
    others = [opened(), opened(checkpoints=True)]
    exam = with_everything(spool)
    assert all(other.exams.get(exam.id).patient == CANARY for other in others)
    assert erase(spool, exam)
    assert words_on_disk(root) == []
    for other in others:
        with pytest.raises(NotFound):
            other.exams.get(exam.id)


def test_traces_that_somebodys_look_keeps_are_said_and_go_at_the_next_start(
    spool: Spool, opened: Opened, root: Path
) -> None:
    exam = with_everything(spool)
    with closing(sqlite3.connect(spool.layout.database)) as looks:
        looks.execute("BEGIN")
        looks.execute("SELECT count(*) FROM exam").fetchone()
        assert not erase(spool, exam)
        assert not spool.layout.exam(exam.id).exists()
        assert rows_of(spool, exam.id) == {}
        assert words_on_disk(root) != []
    opened()
    assert words_on_disk(root) == []
    assert not list(spool.layout.exams.glob(f"{exam.id}*"))
    assert [line["what"] for line in spool.audit.about(exam.id)] == ["exam-erased"]


def test_the_audit_keeps_that_it_was_and_what_was_lost_with_it(spool: Spool) -> None:
    exam = with_everything(spool)
    with spool.database.write() as connection:
        connection.execute(
            "UPDATE delivery SET state = 'committed', proof = 'commitment' WHERE destination = 'pacs' AND id = 1"
        )
    erase(spool, exam)
    (line,) = spool.audit.about(exam.id)
    assert line.pop("utc") >= line.pop("begun")
    assert (line.pop("line"), len(line.pop("before"))) == (1, 64)
    assert line == {
        "what": "exam-erased",
        "by": "command-line",
        "exam": exam.id,
        "pictures": 5,
        "unsent": 2,  # the removed one, and the clip of which no object was made
        "unproven": 4,
    }


# --- what forbids it ---------------------------------------------------------------------------------------------


def is_open(spool: Spool) -> Exam:
    return spool.exams.open(subject(CANARY))[0]


def is_recorded(spool: Spool) -> Exam:
    exam = is_open(spool)
    begin_clip(spool, exam, 1)
    with spool.database.write() as connection:  # its row, for once, is behind
        connection.execute("UPDATE exam SET state = 'finished'")
    return exam


def is_sent(spool: Spool) -> Exam:
    exam = is_open(spool)
    capture = store(spool, exam, 1)
    exam = release(spool, exam)
    seal(spool, capture)
    (delivery,) = spool.deliveries.list(exam=exam.id)
    spool.deliveries.move(delivery, DeliveryState.SENDING, Owner.FORWARD)
    return exam


def is_exported(spool: Spool) -> Exam:
    exam = release(spool, is_open(spool))
    spool.requests.ask("export", {"exams": [exam.id]}, deadline_s=60)
    return exam


def is_in_progress(spool: Spool) -> Exam:
    """Its patient waits to be checked, and the server was told that it began."""
    exam = is_open(spool)
    step = exam.steps[-1].sop_instance_uid
    spool.steps.queue(exam, step, MessageKind.CREATE, ["ris"])
    with spool.database.write() as connection:
        connection.execute("UPDATE step_message SET state = 'sent'")
    return spool.exams.finish(exam.id, please_check="reboot")


def is_told(spool: Spool) -> Exam:
    exam = release(spool, is_open(spool))
    step = exam.steps[-1].sop_instance_uid
    spool.steps.queue(exam, step, MessageKind.CREATE, ["ris"])
    spool.steps.queue(exam, step, MessageKind.SET, ["ris"])
    return exam


@pytest.mark.parametrize(
    ("situation", "refusal"),
    [
        (is_open, WrongState),
        (is_recorded, (ClipRecording, WrongState)),
        (is_sent, WrongState),
        (is_exported, WrongState),
        (is_in_progress, WrongState),
        (is_told, WrongState),
    ],
)
def test_what_is_under_way_is_not_erased_and_nothing_changes(
    spool: Spool, root: Path, situation: Callable[[Spool], Exam], refusal: type[ScopegateError]
) -> None:
    exam = situation(spool)
    spool.exams.change(exam.id, lambda old: old)  # makes its lock's file
    before = {path: path.read_bytes() for path in spool.layout.exam(exam.id).iterdir()}
    rows = rows_of(spool, exam.id)
    states = [(d.state, d.code) for d in spool.deliveries.list()]
    with pytest.raises(refusal) as error:
        erase(spool, exam, servers=("ris",))
    assert not [word for word in WORDS if word in str(error.value)]
    assert {path: path.read_bytes() for path in spool.layout.exam(exam.id).iterdir()} == before
    assert rows_of(spool, exam.id) == rows
    assert [(d.state, d.code) for d in spool.deliveries.list()] == states
    assert not (root / "audit.jsonl").exists()


def test_a_server_that_was_taken_out_of_the_configuration_is_not_waited_for(spool: Spool) -> None:
    exam = is_told(spool)
    assert erasable.loss(spool, exam.id, []).untold == 2
    assert erase(spool, exam, servers=())


def test_a_failing_disk_before_the_mark_leaves_the_exam_waiting_as_it_was(opened: Opened) -> None:
    from tests.forward.bench import Disk  # noqa: PLC0415 - a disk that fails

    disk = Disk()
    spool = opened(files=disk)
    exam = of_another(spool)
    before = rows_of(spool, exam.id)
    disk.fail()
    with pytest.raises(ScopegateError):
        erase(spool, exam)
    disk.heal()
    assert rows_of(spool, exam.id) == before
    assert [(d.state, d.code) for d in spool.deliveries.list()] == [(DeliveryState.QUEUED, "")]
    assert list(inspect_exam(spool, exam.id)) == []


# --- who finds it gone -------------------------------------------------------------------------------------------


def writers(spool: Spool, exam: Exam, capture: Capture) -> Iterator[Callable[[], object]]:
    """Yield what a running process may be about to do with an exam."""
    uid, step = capture.sop_instance_uid, exam.steps[-1].sop_instance_uid
    yield lambda: spool.exams.keep(exam.id, keep=True)
    yield lambda: ExamRecords.restore(spool.exams, exam.id)
    yield lambda: spool.captures.reject(uid, "late")
    yield lambda: spool.captures.put_row(capture)
    yield lambda: spool.releases.release(exam.id, uid, [exam.identity])
    yield lambda: spool.objects.write(exam.id, uid, [b"late"])
    yield lambda: spool.objects.seal(sealed(capture, b"late", clock=spool.clock), ("pacs",))
    yield lambda: spool.objects.put_row(sealed(capture, b"late", clock=spool.clock), ("pacs",))
    yield lambda: spool.steps.write(exam.id, step, MessageKind.SET, b"late")
    yield lambda: spool.steps.queue(exam, step, MessageKind.SET, ["ris"])
    yield lambda: spool.key_stills.plan(exam.id, uid, 1, wanted=1, frames=[1])


def test_whoever_was_about_to_write_finds_the_exam_gone_and_brings_nothing_of_it_back(spool: Spool) -> None:
    exam = of_another(spool)
    capture = spool.captures.of_exam(exam.id)[0].capture
    erase(spool, exam)
    for write in writers(spool, exam, capture):
        with pytest.raises(NotFound):
            write()
    spool.objects.write_sums(exam.id)
    assert not spool.layout.exam(exam.id).exists()
    assert rows_of(spool, exam.id) == {}


def test_whoever_waited_for_the_exams_lock_finds_it_gone(spool: Spool) -> None:
    exam = of_another(spool)

    def erased_meanwhile(old: Exam) -> Exam:
        marked(spool, old)
        return replace(old, keep=True)

    with pytest.raises(NotFound):
        spool.exams.change(exam.id, erased_meanwhile)
    assert not spool.layout.exam(exam.id).exists()


def test_a_picture_that_was_about_to_be_let_go_is_no_alarm(spool: Spool) -> None:
    exam = of_another(spool)
    purging = Purging(spool)
    facts = purging.here(after=0)[0][0]
    spool.layout.exam(exam.id).rename(spool.layout.erased(exam.id))
    purging.settle([(facts.uid, "committed", 1)])
    with pytest.raises(NotFound):
        purging.let_go(replace(facts, settled_why="committed"))


def test_what_was_seen_of_an_erased_picture_counts_for_no_other_that_got_its_id(spool: Spool) -> None:
    exam = of_another(spool)
    (seen,) = spool.deliveries.list()
    erase(spool, exam)
    of_another(spool)
    (new,) = spool.deliveries.list()
    assert new.id == seen.id  # SQLite gives it again
    assert not spool.deliveries.move(seen, DeliveryState.SENDING, Owner.FORWARD)
    spool.deliveries.postpone([seen], wait_s=60, code="dropped", reason="")
    assert spool.deliveries.move(new, DeliveryState.SENDING, Owner.FORWARD)
    sending = replace(new, state=DeliveryState.SENDING)
    assert spool.deliveries.move(sending, DeliveryState.SENT, Owner.FORWARD)
    asked = Unproven(
        delivery=seen.id, sop_instance_uid=seen.sop_instance_uid, exam=exam.id, destination="pacs", round=0
    )
    spool.proofs.settle([asked], lambda _: Verdict(state=DeliveryState.COMMITTED, proof="query"))
    assert spool.deliveries.get(new.id).state is DeliveryState.SENT
    spool.commitments.accepted(spool.commitments.ask("pacs", [asked]), wait_s=86_400)
    assert [each.delivery for each in spool.proofs.due("pacs", cap_s=1e6)] == [new.id]  # it waits for no answer


# --- starts ------------------------------------------------------------------------------------------------------


def marked(spool: Spool, exam: Exam) -> None:
    """Leave an exam as a cut right after the mark does."""
    spool.layout.exam(exam.id).rename(spool.layout.erased(exam.id))


@pytest.mark.parametrize("lose_index", [False, True])
def test_the_next_start_finishes_what_was_begun(
    spool: Spool, reopened: Opened, root: Path, *, lose_index: bool
) -> None:
    exam = with_everything(spool)
    marked(spool, exam)
    again = reopened(lose_index=lose_index)
    assert again.exams.list() == []
    assert words_on_disk(root) == []


def test_a_rebuild_indexes_nothing_of_what_is_half_erased(spool: Spool, root: Path) -> None:
    exam, other = with_everything(spool), of_another(spool)
    spool.close()
    marked(spool, exam)
    assert rebuild_index(root, clock=spool.clock, destinations=()) == 1
    assert rows_of(spool, exam.id) == {}
    assert rows_of(spool, other.id)


def test_an_older_copy_of_the_index_brings_no_erased_exam_back(spool: Spool, reopened: Opened, root: Path) -> None:
    exam = with_everything(spool)
    with spool.database.read() as connection:
        copy = connection.serialize()
    erase(spool, exam)
    spool.close()
    (root / "scopegate.db").write_bytes(copy)
    again = reopened()
    assert again.exams.list() == []
    assert rows_of(again, exam.id) == {}
    assert words_on_disk(root) == []


def test_what_an_older_copy_of_the_index_brought_back_leaves_no_traces_either_when_somebody_reads_it_then(
    spool: Spool, opened: Opened, root: Path
) -> None:
    exam = with_everything(spool)
    with spool.database.read() as connection:
        copy = connection.serialize()
    erase(spool, exam)
    spool.close()
    (root / "scopegate.db").write_bytes(copy)
    with closing(sqlite3.connect(root / "scopegate.db")) as looks:
        looks.execute("BEGIN")
        looks.execute("SELECT count(*) FROM exam").fetchone()
        assert opened().exams.list() == []
        assert words_on_disk(root) != []
    again = opened()
    assert words_on_disk(root) == []
    assert [line["what"] for line in again.audit.about(exam.id)] == ["exam-erased"]


def test_where_the_exam_s_file_is_damaged_its_row_tells_who_goes_from_the_worklist(
    spool: Spool, root: Path
) -> None:
    exam = with_everything(spool)
    spool.layout.exam_json(exam.id).write_bytes(b"{")
    assert erase(spool, exam)
    assert [each.id for each in spool.worklist.items()] == ["item-1"]
    assert words_on_disk(root) == []


def test_an_exam_whose_files_are_lost_but_not_erased_stays_listed(spool: Spool, reopened: Opened) -> None:
    exam, _ = spool.exams.open(subject(BORIS))
    spool.captures.reject(store(spool, exam, 1).sop_instance_uid, "blurred")
    for path in spool.layout.exam(exam.id).iterdir():
        path.unlink()
    spool.layout.exam(exam.id).rmdir()
    assert reopened().exams.get(exam.id)


def test_a_note_that_the_disk_damaged_keeps_nothing_from_going(spool: Spool, reopened: Opened, root: Path) -> None:
    exam = with_everything(spool)
    spool.layout.media(exam.id, "erasure").write_bytes(b"{")
    marked(spool, exam)
    again = reopened()
    assert words_on_disk(root) == []
    assert [(line["what"], line["by"]) for line in again.audit.about(exam.id)] == [("exam-erased", "unknown")]


def test_a_file_that_cannot_be_removed_keeps_no_process_from_starting(spool: Spool, root: Path) -> None:
    exam = of_another(spool)
    spool.close()
    marked(spool, exam)
    (spool.layout.erased(exam.id) / "a folder that somebody made").mkdir()
    again = open_spool(root, clock=spool.clock)
    assert again.exams.list() == []
    again.close()
