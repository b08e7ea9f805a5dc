"""What an administrator types to erase an exam or a patient: what would go, the number to repeat, what is left."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.app import app
from gateway.clock import Clock
from gateway.errors import BadValue, NotFound, WrongState
from gateway.model import DeliveryState, Exam, Identity, MessageKind, Patient
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from gateway.spool.states import Owner
from tests.empty_index import with_index
from tests.unit.spool.values import BORIS, seal, store, subject

CONFIG = """
[station]
data_dir = "{root}"
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = 10400
[[destination]]
name = "backup"
ae_title = "BACKUP"
host = "127.0.0.1"
port = 10401
required = false
[[procedure_step]]
name = "ris"
ae_title = "RIS"
host = "127.0.0.1"
port = 10402
"""
CANARY = Patient(name="Kanarienvogel^Zitronella", id="CANARY77031", issuer="CLINIC", birth_date="19380229")


@pytest.fixture
def config(root: Path, tmp_path: Path) -> Path:
    file = tmp_path / "scopegate.toml"
    file.write_text(CONFIG.format(root=with_index(root)))
    return file


def box(root: Path) -> Spool:
    return open_spool(root, clock=Clock())


def ended(spool: Spool, patient: Patient = CANARY, *, pictures: int = 3) -> Exam:
    """Return a released exam: one picture is vouched for by the archive, one was sent there, the others wait."""
    exam, _ = spool.exams.open(subject(patient), close_open=True)
    captures = [store(spool, exam, number) for number in range(1, pictures + 1)]
    spool.exams.finish(exam.id)
    exam = spool.exams.release(exam.id)
    for capture in captures:
        seal(spool, capture, ("pacs", "backup"))
    with spool.database.write() as connection:
        for state, capture in zip(("committed", "sent"), captures, strict=False):
            connection.execute(
                "UPDATE delivery SET state = ? WHERE sop_instance_uid = ? AND destination = 'pacs'",
                (state, capture.sop_instance_uid),
            )
    return exam


def erase(config: Path, *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["exam", "erase", *words, "--config", str(config)], input=typed)


def listed(root: Path) -> list[str]:
    spool = box(root)
    found = [exam.id for exam in spool.exams.list()]
    spool.close()
    return found


def test_without_the_number_it_says_what_would_go_and_nothing_goes(config: Path, root: Path) -> None:
    spool = box(root)
    exam = ended(spool)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET in_doubt = 1 WHERE destination = 'backup' AND id < 4")
    spool.audit.note("exported", by="command-line", exam=exam.id, objects=3, to="/media/stick")
    spool.close()
    done = erase(config, exam.id)
    assert done.exit_code == 1
    first, *rest = done.output.splitlines()
    assert first.split() == [
        exam.id,
        *f"{exam.opened.local:%d-%b-%Y %H:%M}".split(),
        "released",
        CANARY.name,
        CANARY.id,
    ]
    assert rest == [
        "    3 pictures, 1 never sent to pacs, 2 not vouched for by pacs",
        "    elsewhere: backup: 0 objects, perhaps 1 more",
        "    elsewhere: pacs: 2 objects, vouches for 1",
        "    elsewhere: /media/stick: 3 objects",
        "Nothing was erased. To erase 1 exam with 3 pictures from this box for good: --yes 3",
    ]
    assert listed(root) == [exam.id]


@pytest.mark.parametrize("number", ["2", "0", "4"])
def test_another_number_erases_nothing(config: Path, root: Path, number: str) -> None:
    spool = box(root)
    exam = ended(spool)
    spool.close()
    assert erase(config, exam.id, "--yes", number).exit_code == 1
    assert listed(root) == [exam.id]


def test_with_the_number_the_exam_is_gone_and_the_audit_says_so_without_a_name(config: Path, root: Path) -> None:
    spool = box(root)
    exam, other = ended(spool), ended(spool, BORIS)
    spool.close()
    done = erase(config, exam.id, "--yes", "3")
    assert done.exit_code == 0, done.output
    assert "Erased from this box: 1 exam with 3 pictures. Copies elsewhere" in done.output
    assert listed(root) == [other.id]
    (line,) = [json.loads(line) for line in (root / "audit.jsonl").read_text().splitlines()]
    assert (line["what"], line["exam"], line["pictures"], line["unsent"], line["unproven"]) == (
        "exam-erased",
        exam.id,
        3,
        1,
        2,
    )
    assert isinstance(erase(config, exam.id, "--yes", "3").exception, NotFound)


def test_an_exam_without_pictures_is_erased_as_well(config: Path, root: Path) -> None:
    spool = box(root)
    exam = ended(spool, pictures=0)
    spool.close()
    assert "--yes 0" in erase(config, exam.id).output
    assert listed(root) == [exam.id]
    assert erase(config, exam.id, "--yes", "0").exit_code == 0
    assert listed(root) == []


def test_a_patient_goes_with_every_exam_but_the_open_one(config: Path, root: Path) -> None:
    spool = box(root)
    ended(spool), ended(spool, pictures=1)
    other = ended(spool, replace(CANARY, id="CANARY770310"))
    still_open, _ = spool.exams.open(subject(CANARY))
    spool.close()
    asked = erase(config, "--patient-id", CANARY.id)
    assert f"{still_open.id} stays: This exam is open." in asked.output
    assert "2 exams with 4 pictures from this box for good: --yes 4" in asked.output
    assert len(listed(root)) == 4
    done = erase(config, "--patient-id", "-", "--yes", "4", typed=f"{CANARY.id}\n")
    assert "Erased from this box: 2 exams with 4 pictures." in done.output
    assert "Traces are left on the disk: they go by themselves once the box had no exam open for" in done.output
    assert done.exit_code == 1
    assert set(listed(root)) == {still_open.id, other.id}


def test_an_exam_that_was_given_to_another_patient_is_named_and_stays(config: Path, root: Path) -> None:
    spool = box(root)
    ended(spool)
    exam, _ = spool.exams.open(subject(CANARY))
    store(spool, exam, 1)
    spool.exams.assign(exam.id, subject(BORIS))
    spool.exams.finish(exam.id)
    spool.close()
    done = erase(config, "--patient-id", CANARY.id)
    assert f"{exam.id} was this patient's first and is another's now" in done.output
    assert erase(config, "--patient-id", CANARY.id, "--yes", "3").exit_code == 0
    assert listed(root) == [exam.id]
    assert "first" not in erase(config, "--patient-id", BORIS.id).output


@pytest.mark.parametrize("near", ["CANARY7703", "canary77031", "CANARY77031 ", "CANARY%", "CANARY770310"])
def test_an_id_that_is_only_nearly_the_patients_finds_nobody(config: Path, root: Path, near: str) -> None:
    spool = box(root)
    ended(spool)
    spool.close()
    done = erase(config, "--patient-id", near, "--yes", "3")
    assert isinstance(done.exception, NotFound)
    assert near not in str(done.exception)
    assert len(listed(root)) == 1


def test_an_id_of_two_issuers_is_not_taken_for_one_patient(config: Path, root: Path) -> None:
    spool = box(root)
    ended(spool)
    other = ended(spool, replace(CANARY, issuer="", name="Another^One"))
    spool.close()
    done = erase(config, "--patient-id", CANARY.id, "--yes", "6")
    assert isinstance(done.exception, BadValue)
    assert done.exception.action == "Add one of these: --issuer '', --issuer 'CLINIC'."
    assert len(listed(root)) == 2
    assert erase(config, "--patient-id", CANARY.id, "--issuer", "CLINIC", "--yes", "3").exit_code == 0
    assert listed(root) == [other.id]


def test_an_open_exam_and_one_that_is_being_sent_are_refused(config: Path, root: Path) -> None:
    spool = box(root)
    sent = ended(spool)
    delivery = spool.deliveries.list(exam=sent.id, states_wanted=(DeliveryState.QUEUED,))[0]
    spool.deliveries.move(delivery, DeliveryState.SENDING, Owner.FORWARD)
    still_open, _ = spool.exams.open(subject(BORIS))
    spool.close()
    for words, why in (
        ((still_open.id, "--yes", "0"), "This exam is open."),
        ((sent.id, "--yes", "3"), "is being sent at this moment"),
    ):
        done = erase(config, *words)
        assert isinstance(done.exception, WrongState)
        assert why in done.exception.what
    assert len(listed(root)) == 2


def test_of_a_patient_what_cannot_be_erased_is_named_and_stops_no_other_exam(config: Path, root: Path) -> None:
    spool = box(root)
    sent, unchecked, goes = ended(spool, pictures=2), spool.exams.open(subject(CANARY))[0], ended(spool)
    delivery = spool.deliveries.list(exam=sent.id, states_wanted=(DeliveryState.QUEUED,))[0]
    spool.deliveries.move(delivery, DeliveryState.SENDING, Owner.FORWARD)
    spool.close()
    done = erase(config, "--patient-id", CANARY.id, "--yes", "3")
    assert done.exit_code == 0, done.output
    assert f"{sent.id} stays: A picture of this exam is being sent at this moment." in done.output
    assert f"{unchecked.id} stays: Nobody has confirmed the patient of this exam yet" in done.output
    assert f"{goes.id}  " in done.output
    assert set(listed(root)) == {sent.id, unchecked.id}


def test_an_exam_whose_patient_nobody_chose_is_no_patient_s(config: Path, root: Path) -> None:
    spool = box(root)
    spool.exams.open(replace(subject(CANARY), identity=Identity.TEMPORARY))
    spool.close()
    done = erase(config, "--patient-id", CANARY.id)
    assert isinstance(done.exception, NotFound)
    assert "is erased by its number" in done.exception.action


def test_who_fetched_pictures_with_a_browser_has_copies(config: Path, root: Path) -> None:
    spool = box(root)
    exam, other = ended(spool), ended(spool, BORIS, pictures=1)
    first, second, _ = (each.capture.sop_instance_uid for each in spool.captures.of_exam(exam.id))
    foreign = spool.captures.of_exam(other.id)[0].capture.sop_instance_uid
    for uid, form, who in (
        (first, "dicom", {"person": "Huber^Maria"}),
        (first, "media", {"person": "Huber^Maria"}),
        (second, "dicom", {"person": "Huber^Maria"}),
        (second, "dicom", {}),
        (foreign, "dicom", {"person": "Nobody^Else"}),
    ):
        spool.audit.note("capture-downloaded", by="panel", capture=uid, form=form, **who, address="10.0.0.7")
    spool.close()
    said = erase(config, exam.id).output
    assert "elsewhere: fetched as files by Huber^Maria: 2 objects" in said
    assert "elsewhere: fetched as files by 10.0.0.7: 1 object\n" in said
    assert "Nobody^Else" not in said


def test_a_procedure_step_is_not_left_in_progress_at_its_server(config: Path, root: Path) -> None:
    spool = box(root)
    exam = ended(spool)
    spool.steps.queue(exam, exam.steps[-1].sop_instance_uid, MessageKind.CREATE, ["ris", "old"])
    spool.close()
    done = erase(config, exam.id, "--yes", "3")
    assert isinstance(done.exception, WrongState)
    assert "The server ris does not know how this exam ended" in done.exception.what
    config.write_text(config.read_text().partition("[[procedure_step]]")[0])
    assert "2 messages about its procedure steps never went to their server" in erase(config, exam.id).output
    assert erase(config, exam.id, "--yes", "3").exit_code == 0


@pytest.mark.parametrize("words", [(), ("3bd7cbffc7", "--patient-id", "X"), ("3bd7cbffc7", "--issuer", "X")])
def test_it_must_be_said_whether_an_exam_or_a_patient_is_meant(config: Path, root: Path, words: tuple[str]) -> None:
    box(root).close()
    assert erase(config, *words).exit_code == 2


def test_what_only_an_archive_has_that_was_replaced_counts_for_nobody(config: Path, root: Path) -> None:
    spool = box(root)
    exam = ended(spool)
    spool.exams.keep(exam.id, keep=True)
    with spool.database.write() as connection:
        connection.execute("INSERT INTO destination (name, peer, settings, generation) VALUES ('pacs', '', '', 1)")
    spool.close()
    said = erase(config, exam.id).output
    assert "3 pictures, 3 never sent to pacs, 3 not vouched for by pacs" in said
    assert "elsewhere: pacs as it was before it was replaced: 2 objects, vouches for 1" in said
    assert "somebody asked to keep its pictures" in said


def test_a_check_of_the_spool_names_what_is_left_of_an_erased_exam_and_reads_nothing_of_it(
    config: Path, root: Path
) -> None:
    spool = box(root)
    exam = ended(spool)
    spool.close()
    spool.layout.exam(exam.id).rename(spool.layout.erased(exam.id))
    (spool.layout.erased(exam.id) / "a folder that somebody made").mkdir()
    done = CliRunner().invoke(app, ["spool", "check", "--config", str(config)])
    assert done.exit_code == 1
    assert f"{exam.id}: was erased, and traces of it are left" in done.output
    (spool.layout.erased(exam.id) / "a folder that somebody made").rmdir()
    done = CliRunner().invoke(app, ["spool", "check", "--config", str(config)])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "0 exams read, 0 problems.")
