"""After a cut, a kill or damage: files win over rows, and nothing that was acknowledged is lost or doubled."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.model import Capture, CaptureState, Exam, ExamState, PleaseCheck, RequestStamp
from gateway.spool import records
from gateway.spool.files import Files
from gateway.spool.inspection import inspect_exam
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.exams import question_after_reboot
from gateway.spool.spool import Spool
from tests.unit.spool.values import (
    ANNA,
    BORIS,
    add_frames,
    begin_clip,
    codestream_of,
    index_unwritable,
    item_subject,
    seal,
    still,
    store,
    subject,
)


@pytest.fixture
def exam(spool: Spool) -> Exam:
    return spool.exams.open(subject())[0]


def write_exam(spool: Spool, exam: Exam) -> None:
    """Write an exam's file alone, as a process that died before the row did."""
    folder = spool.layout.exam(exam.id)
    folder.mkdir(exist_ok=True)
    spool.files.write(folder / "exam.json", [records.dump(exam)])


def names(spool: Spool, exam: Exam) -> set[str]:
    return {path.name for path in spool.layout.exam(exam.id).iterdir()} - {".lock", "exam.json"}


# --- exams -------------------------------------------------------------------------------------------------------


def test_an_exam_file_that_is_newer_than_its_row_wins(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    newer = replace(exam, revision=2, patient=BORIS)
    write_exam(spool, newer)
    assert reopened().exams.get(exam.id) == newer


def test_an_exam_file_without_a_row_is_entered(spool: Spool, exam: Exam, reopened: Callable[..., Spool]) -> None:
    spool.exams.finish(exam.id)
    other = replace(exam, id="feedbeef00")
    write_exam(spool, other)
    assert reopened().exams.open_one() == other


def test_an_exam_that_ended_in_its_file_alone_makes_room_for_the_one_that_followed(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool], clock: FakeClock
) -> None:
    ended = replace(exam, revision=2, state=ExamState.FINISHED, ended=exam.opened)
    write_exam(spool, ended)
    clock.move(60)
    for other in ("0000000000", "zzzzzzzzzz"):  # before and after it in the order of names
        following = replace(exam, id=other, opened=clock.now())
        write_exam(spool, following)
        again = reopened()
        assert again.exams.open_one() == following
        assert again.exams.get(exam.id) == ended
        again.exams.finish(other)


@pytest.mark.parametrize("lose_index", [False, True])
def test_of_two_open_exam_files_one_stays_open_and_the_other_is_held_for_a_person(
    spool: Spool,
    exam: Exam,
    reopened: Callable[..., Spool],
    clock: FakeClock,
    lose_index: bool,  # noqa: FBT001
) -> None:
    clock.move(60)
    second = replace(exam, id="0000000000", opened=clock.now())
    write_exam(spool, second)
    again = reopened(lose_index=lose_index)
    stays, held = (second, exam) if lose_index else (exam, second)
    assert again.exams.open_one() == stays
    closed = again.exams.get(held.id)
    assert (closed.state, closed.please_check) == (ExamState.FINISHED, PleaseCheck.REBOOT)
    assert records.load(Exam, again.layout.exam_json(held.id).read_bytes()) == closed
    assert again.exams.unquestioned() == []


def test_two_exam_files_of_one_request_keep_the_box_from_nothing(
    spool: Spool, reopened: Callable[..., Spool]
) -> None:
    request = RequestStamp(id="r-1", digest="d-1")
    exam, _ = spool.exams.open(subject(), request=request)
    write_exam(spool, replace(exam, id="0000000000"))
    again = reopened()
    assert again.exams.open(subject(), request=request) == (exam, False)
    assert again.exams.get("0000000000").please_check == PleaseCheck.REBOOT


@pytest.mark.parametrize("damage", [b"", b"{", b"\0" * 500])
def test_a_damaged_exam_file_keeps_the_others_usable(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool], damage: bytes
) -> None:
    ended = spool.exams.finish(exam.id)
    other, _ = spool.exams.open(subject(BORIS))
    spool.layout.exam_json(other.id).write_bytes(damage)
    assert reopened(lose_index=True).exams.list() == [ended]
    assert spool.layout.exam_json(other.id).read_bytes() == damage


@pytest.mark.parametrize("damage", [None, b"", b"{", b"\0" * 500])
def test_a_damaged_exam_file_is_written_anew_from_the_index_and_its_patient_checked(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool], damage: bytes | None
) -> None:
    path = spool.layout.exam_json(exam.id)
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    again = reopened()
    restored = replace(exam, revision=2, please_check=PleaseCheck.REBOOT)
    assert again.exams.get(exam.id) == restored == records.load(Exam, path.read_bytes())
    assert damage is None or path.with_name("exam.json.damaged").read_bytes() == damage
    assert again.exams.finish(exam.id).state is ExamState.FINISHED


# --- the question after a reboot ---------------------------------------------------------------------------------


def test_an_exam_left_open_by_a_reboot_is_to_be_checked(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool], clock: FakeClock
) -> None:
    question_after_reboot(spool)
    assert spool.exams.get(exam.id).please_check == ""  # the same boot: a process restarted, not the box
    clock.reboot()
    again = reopened()
    question_after_reboot(again)
    assert again.exams.get(exam.id).please_check == PleaseCheck.REBOOT
    assert again.exams.open_one()


def test_who_said_yes_after_a_reboot_is_not_asked_again_in_the_same_boot(
    spool: Spool, exam: Exam, clock: FakeClock
) -> None:
    clock.reboot()
    question_after_reboot(spool)
    spool.exams.confirm(exam.id)
    question_after_reboot(spool)  # capture was restarted
    assert not spool.exams.get(exam.id).please_check
    clock.reboot()
    question_after_reboot(spool)
    assert spool.exams.get(exam.id).please_check


def test_after_a_reboot_without_an_open_exam_nobody_is_asked(spool: Spool, exam: Exam, clock: FakeClock) -> None:
    spool.exams.finish(exam.id)
    clock.reboot()
    question_after_reboot(spool)
    assert spool.exams.get(exam.id).please_check == ""


# --- captures ----------------------------------------------------------------------------------------------------


def test_pictures_without_rows_are_entered_once(spool: Spool, exam: Exam, reopened: Callable[..., Spool]) -> None:
    captures = [store(spool, exam, number) for number in (1, 2)]
    with spool.database.write() as connection:
        connection.execute("DELETE FROM capture")
    for _ in range(2):
        again = reopened()
        recover_captures(again)
        assert [listed.capture for listed in again.captures.of_exam(exam.id)] == captures


def test_a_picture_of_an_exam_that_was_assigned_meanwhile_belongs_to_its_present_patient(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    capture = store(spool, exam, 1)
    spool.exams.assign(exam.id, item_subject(BORIS))
    again = reopened(lose_index=True)
    recover_captures(again)
    assert again.exams.get(again.captures.get(capture.sop_instance_uid).capture.exam).patient == BORIS
    assert again.captures.get(capture.sop_instance_uid).capture.patient == ANNA  # evidence, never rewritten


def test_what_was_never_acknowledged_is_removed_and_what_others_are_writing_stays(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    folder = spool.layout.exam(exam.id)
    for name in ("9.ljpg.part", "9.json.part", "8.ljpg"):
        (folder / name).write_bytes(b"half")
    others = {"7.dcm.part", "7.dcm", "7.seal.part", "exam.json.part", "order.dcm", "order-3.dcm.part", "7.rejected"}
    for name in others:
        (folder / name).write_bytes(b"theirs")
    recover_captures(spool)
    assert names(spool, exam) == others | {"exam.json.part", capture.media, f"{capture.sop_instance_uid}.json"}
    assert spool.layout.media(exam.id, capture.media).read_bytes() == codestream_of(capture.sop_instance_uid)


def test_a_picture_that_lost_its_sidecar_keeps_its_media_and_raises_an_alarm(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    spool.layout.sidecar(exam.id, capture.sop_instance_uid).unlink()
    recover_captures(spool)
    assert spool.captures.get(capture.sop_instance_uid).problem_code == "file-missing"
    assert spool.layout.media(exam.id, capture.media).exists()


def test_a_picture_that_lost_its_media_raises_an_alarm_unless_it_is_sealed(spool: Spool, exam: Exam) -> None:
    lost, kept = store(spool, exam, 1), store(spool, exam, 2)
    seal(spool, kept)
    spool.layout.media(exam.id, lost.media).unlink()
    recover_captures(spool)
    assert spool.captures.get(lost.sop_instance_uid).problem_code == "file-missing"
    assert spool.captures.get(kept.sop_instance_uid).problem_code == ""


def test_a_damaged_sidecar_keeps_the_other_pictures_usable(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    damaged, whole = store(spool, exam, 1), store(spool, exam, 2)
    spool.layout.sidecar(exam.id, damaged.sop_instance_uid).write_bytes(b"\0" * 99)
    again = reopened(lose_index=True)
    recover_captures(again)
    assert [listed.capture for listed in again.captures.of_exam(exam.id)] == [whole]
    assert again.layout.media(exam.id, damaged.media).exists()


def test_two_pictures_with_one_number_keep_the_box_from_nothing(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    store(spool, exam, 1)
    spool.captures.write_sidecar(still(exam, 1, clock=spool.clock))
    again = reopened(lose_index=True)
    recover_captures(again)
    assert len(again.captures.of_exam(exam.id)) == 1


# --- rejections --------------------------------------------------------------------------------------------------


def test_a_rejection_cut_before_its_row_holds_at_the_next_start(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    uid = store(spool, exam, 1).sop_instance_uid
    with index_unwritable(spool), pytest.raises(Exception, match="disk"):
        spool.captures.reject(uid, "blurred")
    assert spool.captures.get(uid).capture.state is CaptureState.SAVED
    found = reopened().captures.get(uid)
    assert (found.capture.state, found.reason) == (CaptureState.REJECTED, "blurred")


def test_a_restoration_cut_before_its_row_holds_at_the_next_start(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    uid = store(spool, exam, 1).sop_instance_uid
    spool.captures.reject(uid, "blurred")
    with index_unwritable(spool), pytest.raises(Exception, match="disk"):
        spool.captures.restore(uid)
    assert reopened().captures.get(uid).capture.state is CaptureState.SAVED


def test_a_rejection_whose_reason_is_damaged_is_still_a_rejection(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    uid = store(spool, exam, 1).sop_instance_uid
    spool.captures.reject(uid, "blurred")
    spool.layout.tombstone(exam.id, uid).write_bytes(b"")
    assert reopened(lose_index=True).captures.get(uid).capture.state is CaptureState.REJECTED


def test_a_rejected_picture_without_a_row_never_comes_back_as_saved(spool: Spool, exam: Exam) -> None:
    uid = store(spool, exam, 1).sop_instance_uid
    spool.captures.reject(uid, "blurred")
    with spool.database.write() as connection:
        connection.execute("DELETE FROM capture")
    recover_captures(spool)
    assert spool.captures.get(uid).capture.state is CaptureState.REJECTED


# --- rebuild -----------------------------------------------------------------------------------------------------


class CutHere(Exception):
    """The power went away here."""


class CutAtRename(Files):
    def _rename(self, old: Path, new: Path) -> None:
        if new.name == "scopegate.db":
            raise CutHere
        super()._rename(old, new)


def a_full_day(spool: Spool) -> list[Exam]:
    """Leave a released, a finished and an open exam behind, with rejected and sealed pictures and a clip."""
    sent, _ = spool.exams.open(item_subject(ANNA))
    made = [store(spool, sent, number) for number in (1, 2, 3)]
    spool.captures.reject(made[1].sop_instance_uid, "blurred")
    spool.exams.finish(sent.id)
    spool.exams.release(sent.id)
    for capture in (made[0], made[2]):
        seal(spool, capture)
    finished, _ = spool.exams.open(subject(BORIS))
    store(spool, finished, 1)
    spool.exams.assign(finished.id, item_subject(BORIS))
    spool.exams.finish(finished.id, please_check=PleaseCheck.CLOSED_BY_NEXT)
    is_open, _ = spool.exams.open(subject(ANNA, study_key="k"), request=RequestStamp(id="r", digest="d"))
    store(spool, is_open, 4, request=RequestStamp(id="r2", digest="d2"))
    writer = begin_clip(spool, is_open, 6)
    add_frames(writer, 2)
    capture = writer.close()
    spool.captures.write_sidecar(capture)
    spool.captures.put_row(capture)
    return [spool.exams.get(exam.id) for exam in (sent, finished, is_open)]


def content(spool: Spool) -> dict[str, object]:
    exams = sorted(spool.exams.list(), key=lambda exam: exam.id)
    return {
        "exams": exams,
        "captures": [spool.captures.of_exam(exam.id) for exam in exams],
        "objects": [sorted(spool.objects.of_exam(exam.id), key=lambda o: o.sop_instance_uid) for exam in exams],
        "numbers": [spool.captures.highest_number(exam.id) for exam in exams],
    }


def test_a_rebuilt_index_says_the_same_of_every_patient_and_picture(
    spool: Spool, reopened: Callable[..., Spool]
) -> None:
    exams = a_full_day(spool)
    before = content(spool)
    rebuilt = reopened(lose_index=True)
    assert content(rebuilt) == before
    assert [exam.state for exam in exams] == [ExamState.RELEASED, ExamState.FINISHED, ExamState.OPEN]
    assert {d.code for d in rebuilt.deliveries.list()} == {"after-rebuild"}
    assert len(rebuilt.deliveries.list()) == 2
    assert rebuilt.captures.remembered(RequestStamp(id="r2", digest="d2"))
    assert rebuilt.captures.highest_number(exams[2].id) == 6


def test_an_interrupted_rebuild_is_made_again_from_the_beginning(
    spool: Spool, reopened: Callable[..., Spool]
) -> None:
    a_full_day(spool)
    before = content(spool)
    with pytest.raises(CutHere):
        reopened(lose_index=True, files=CutAtRename())
    assert not spool.layout.database.exists()
    rebuilt = reopened()
    assert content(rebuilt) == before
    assert list(spool.layout.root.glob("*.new*")) == []


def test_a_damaged_sidecar_is_written_anew_from_its_row_and_the_damaged_one_is_kept(
    spool: Spool, exam: Exam
) -> None:
    capture = store(spool, exam, 1)
    path = spool.layout.sidecar(exam.id, capture.sop_instance_uid)
    path.write_bytes(path.read_bytes().replace(b"ultrasound", b"vltrasound"))
    recover_captures(spool)
    assert records.load(Capture, path.read_bytes()) == capture
    assert path.with_name(path.name + ".damaged").exists()


def test_a_sidecar_that_the_disk_gives_no_more_keeps_nobody_from_starting(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    path = spool.layout.sidecar(exam.id, capture.sop_instance_uid)
    path.unlink()
    path.symlink_to("/proc/self/mem")  # reading its first byte is EIO, as of a bad sector
    recover_captures(spool)
    assert records.load(Capture, path.read_bytes()) == capture


def test_a_damaged_sidecar_of_a_sealed_picture_is_left_and_named_by_the_check(spool: Spool, exam: Exam) -> None:
    made = seal(spool, store(spool, exam, 1))
    path = spool.layout.sidecar(exam.id, made.capture)
    path.write_bytes(path.read_bytes().replace(b"ultrasound", b"vltrasound"))
    recover_captures(spool)
    assert [(found.file, found.what) for found in inspect_exam(spool, exam.id)] == [
        (path.name, "cannot be read (SpoolDamaged)")
    ]
