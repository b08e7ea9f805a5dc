"""Captures: the sidecar is the fact, the row follows; rejecting and restoring until the release."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.errors import DiskFailed, NotFound, RequestReused, SpoolBusy, WrongState
from gateway.model import Capture, CaptureState, Exam, RequestStamp
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.spool import Spool
from tests.unit.spool.values import (
    BORIS,
    add_frames,
    begin_clip,
    codestream_of,
    index_unwritable,
    still,
    store,
    subject,
)


@pytest.fixture
def exam(spool: Spool) -> Exam:
    return spool.exams.open(subject())[0]


def uids(spool: Spool, exam: Exam) -> list[str]:
    return [listed.capture.sop_instance_uid for listed in spool.captures.of_exam(exam.id)]


def test_a_stored_picture_is_listed_in_the_order_of_the_presses(spool: Spool, exam: Exam) -> None:
    second, first = store(spool, exam, 2), store(spool, exam, 1)
    assert [listed.capture for listed in spool.captures.of_exam(exam.id)] == [first, second]
    assert spool.captures.get(first.sop_instance_uid).capture == first
    media = spool.layout.media(exam.id, first.media)
    assert media.read_bytes() == codestream_of(first.sop_instance_uid)


def test_a_picture_whose_row_cannot_be_written_is_stored_all_the_same(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    capture = still(exam, 1, clock=spool.clock)
    spool.captures.write_media(exam.id, capture.media, [codestream_of(capture.sop_instance_uid)])
    spool.captures.write_sidecar(capture)
    with index_unwritable(spool), pytest.raises(DiskFailed):
        spool.captures.put_row(capture)
    again = reopened()
    recover_captures(again)
    assert again.captures.get(capture.sop_instance_uid).capture == capture


def test_a_busy_index_is_said_within_the_patience_of_the_caller(
    spool: Spool, exam: Exam, opened: Callable[..., Spool]
) -> None:
    with opened().database.write(), pytest.raises(SpoolBusy):
        spool.captures.put_row(still(exam, 1, clock=spool.clock), patience_ms=20)


def test_a_row_written_twice_changes_nothing(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    spool.captures.reject(capture.sop_instance_uid, "blurred")
    spool.captures.put_row(capture)  # the retry of a row that was written after all
    assert spool.captures.get(capture.sop_instance_uid).capture.state is CaptureState.REJECTED


def test_a_rejected_picture_is_kept_with_its_reason_and_comes_back(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    uid = store(spool, exam, 1).sop_instance_uid
    rejected = spool.captures.reject(uid, "blurred")
    assert (rejected.capture.state, rejected.reason) == (CaptureState.REJECTED, "blurred")
    assert spool.captures.reject(uid, "again") == rejected
    assert spool.layout.tombstone(exam.id, uid).exists()
    assert spool.layout.media(exam.id, rejected.capture.media).exists()
    rebuilt = reopened(lose_index=True)
    assert rebuilt.captures.get(uid) == rejected
    restored = rebuilt.captures.restore(uid)
    assert (restored.capture.state, restored.reason) == (CaptureState.SAVED, "")
    assert not rebuilt.layout.tombstone(exam.id, uid).exists()
    assert reopened(lose_index=True).captures.get(uid).capture.state is CaptureState.SAVED


@pytest.mark.parametrize("end", ["release", "discontinue"])
def test_after_the_release_nothing_is_rejected_or_restored(spool: Spool, exam: Exam, end: str) -> None:
    one, two = (store(spool, exam, number).sop_instance_uid for number in (1, 2))
    spool.captures.reject(two, "blurred")
    spool.exams.finish(exam.id, discontinued="110513" if end == "discontinue" else "")
    spool.captures.restore(two)
    spool.captures.reject(two, "blurred")  # still possible: finished, not released
    spool.exams.release(exam.id)
    with pytest.raises(WrongState):
        spool.captures.reject(one, "late")
    with pytest.raises(WrongState):
        spool.captures.restore(two)
    assert [listed.capture.sop_instance_uid for listed in spool.captures.unsealed()] == [one]


def test_a_picture_nobody_stored_is_not_found(spool: Spool) -> None:
    for call in (spool.captures.get, spool.captures.restore):
        with pytest.raises(NotFound):
            call("1.2.3")


@pytest.mark.parametrize("lost", ["rows", "sidecars", "nothing"])
def test_numbering_continues_above_everything_ever_stored(spool: Spool, exam: Exam, lost: str) -> None:
    for number in (1, 2, 7):
        capture = store(spool, exam, number)
    if lost == "rows":
        with spool.database.write() as connection:
            connection.execute("DELETE FROM capture WHERE instance_number > 1")
    if lost == "sidecars":
        spool.layout.sidecar(exam.id, capture.sop_instance_uid).unlink()
    assert spool.captures.highest_number(exam.id) == 7


def test_numbering_continues_above_a_clip_that_is_known_by_its_files_alone(spool: Spool, exam: Exam) -> None:
    store(spool, exam, 3)
    writer = begin_clip(spool, exam, 9)
    writer.abandon()
    spool.captures.forget_clip(writer.header.sop_instance_uid)
    assert spool.captures.highest_number(exam.id) == 9


def test_a_damaged_sidecar_keeps_nobody_from_capturing(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 4)
    spool.layout.sidecar(exam.id, capture.sop_instance_uid).write_bytes(b"\0" * 40)
    assert spool.captures.highest_number(exam.id) == 4


def test_a_repeated_press_finds_its_picture_also_after_a_rebuild(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    request = RequestStamp(id="r-1", digest="d-1")
    assert spool.captures.remembered(request) is None
    uid = store(spool, exam, 1, request=request).sop_instance_uid
    for look in (spool, reopened(), reopened(lose_index=True)):
        spool = look
        found = spool.captures.remembered(request)
        assert found
        assert (found.uid, found.state) == (uid, CaptureState.SAVED)
    with pytest.raises(RequestReused):
        spool.captures.remembered(replace(request, digest="d-2"))


def test_a_clip_that_is_recorded_is_in_no_list_until_it_is_closed(spool: Spool, exam: Exam) -> None:
    writer = begin_clip(spool, exam, 1)
    uid = writer.header.sop_instance_uid
    assert uids(spool, exam) == []
    assert spool.captures.recording() == [(exam.id, uid)]
    with pytest.raises(NotFound):
        spool.captures.get(uid)
    add_frames(writer, 2)
    capture = writer.close()
    spool.captures.write_sidecar(capture)
    spool.captures.put_row(capture)
    assert spool.captures.recording() == []
    assert spool.captures.get(uid).capture == capture
    assert spool.exams.finish(exam.id)


def test_a_clip_of_no_picture_is_forgotten_and_frees_its_exam(spool: Spool, exam: Exam) -> None:
    writer = begin_clip(spool, exam, 1)
    writer.abandon()
    spool.captures.forget_clip(writer.header.sop_instance_uid)
    assert spool.exams.finish(exam.id)


def test_no_clip_begins_in_an_exam_that_was_finished(spool: Spool, exam: Exam) -> None:
    spool.exams.finish(exam.id)
    with pytest.raises(WrongState):
        begin_clip(spool, exam, 1)
    assert spool.captures.recording() == []


def test_only_saved_pictures_of_released_exams_wait_for_their_object(spool: Spool, exam: Exam) -> None:
    captures = [store(spool, exam, number) for number in range(1, 5)]
    spool.captures.reject(captures[0].sop_instance_uid, "blurred")
    assert spool.captures.unsealed() == []
    spool.exams.finish(exam.id)
    assert spool.captures.unsealed() == []
    spool.exams.release(exam.id)
    other, _ = spool.exams.open(subject(BORIS))
    store(spool, other, 1)
    assert waiting(spool) == captures[1:]
    spool.captures.set_problem(captures[2].sop_instance_uid, "object", "It does not fit.")
    assert waiting(spool) == [captures[1], captures[3]]
    listed = spool.captures.get(captures[2].sop_instance_uid)
    assert (listed.problem_code, listed.problem) == ("object", "It does not fit.")
    assert spool.captures.clear_problems() == 1
    assert waiting(spool) == captures[1:]


def waiting(spool: Spool) -> list[Capture]:
    return [listed.capture for listed in spool.captures.unsealed()]
