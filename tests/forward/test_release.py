"""Which exams leave the box, and which wait for a person."""

from pathlib import Path

import pytest

from gateway.errors import DiskFull
from gateway.model import ExamState, Identity, PleaseCheck
from gateway.spool.spool import Spool
from tests.forward.bench import Disk, open_exam, ordered, release, still, typed, wrap_all


def state(spool: Spool, exam_id: str) -> ExamState:
    return spool.exams.get(exam_id).state


def test_a_finished_exam_is_released(spool: Spool) -> None:
    exam = open_exam(spool)
    assert not release(spool).step()
    spool.exams.finish(exam.id)
    assert release(spool).step()
    assert state(spool, exam.id) is ExamState.RELEASED
    assert not release(spool).step()


@pytest.mark.parametrize("temporary", ["hold", "send"])
def test_an_open_exam_never_leaves(spool: Spool, temporary: str) -> None:
    exam = open_exam(spool, typed(identity=Identity.TEMPORARY))
    still(spool, exam)
    assert not release(spool, temporary).step()
    wrap_all(spool)
    assert state(spool, exam.id) is ExamState.OPEN
    assert spool.objects.of_exam(exam.id) == []


@pytest.mark.parametrize("why", list(PleaseCheck))
def test_an_exam_to_be_checked_waits_until_a_person_confirmed_it(spool: Spool, why: PleaseCheck) -> None:
    exam = open_exam(spool)
    spool.exams.finish(exam.id, please_check=why)
    assert not release(spool).step()
    assert state(spool, exam.id) is ExamState.FINISHED
    spool.exams.confirm(exam.id)
    assert release(spool).step()
    assert state(spool, exam.id) is ExamState.RELEASED


def test_an_exam_without_patient_waits_for_one(spool: Spool) -> None:
    exam = open_exam(spool, typed(identity=Identity.TEMPORARY))
    spool.exams.finish(exam.id)
    assert not release(spool).step()
    spool.exams.assign(exam.id, typed())
    assert release(spool).step()
    assert state(spool, exam.id) is ExamState.RELEASED


def test_an_exam_without_patient_leaves_where_the_site_says_so(spool: Spool) -> None:
    exam = open_exam(spool, typed(identity=Identity.TEMPORARY))
    spool.exams.finish(exam.id)
    assert release(spool, "send").step()
    assert state(spool, exam.id) is ExamState.RELEASED


def test_an_exam_of_the_wrong_worklist_entry_waits(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    still(spool, exam)
    spool.exams.finish(exam.id, discontinued="110514")
    assert not release(spool, "send").step()
    wrap_all(spool)
    assert state(spool, exam.id) is ExamState.FINISHED
    assert spool.objects.of_exam(exam.id) == []


def test_an_exam_discontinued_for_another_reason_leaves_with_its_pictures(spool: Spool) -> None:
    exam = open_exam(spool)
    capture = still(spool, exam)
    spool.exams.finish(exam.id, discontinued="110501")
    assert release(spool).step()
    assert state(spool, exam.id) is ExamState.DISCONTINUED
    wrap_all(spool)
    assert spool.objects.of_capture(capture.sop_instance_uid)


def test_hundreds_of_exams_that_wait_for_a_person_keep_no_other_waiting(spool: Spool) -> None:
    for number in range(120):
        waiting = open_exam(spool, typed(identity=Identity.TEMPORARY))
        spool.exams.finish(waiting.id, discontinued="110514" if number % 2 else "")
    for _ in range(60):
        wrong = open_exam(spool)
        spool.exams.finish(wrong.id, discontinued="110514")
    last = open_exam(spool)
    spool.exams.finish(last.id)
    assert release(spool).step()
    assert state(spool, last.id) is ExamState.RELEASED
    assert len(spool.exams.list(states_wanted=(ExamState.FINISHED,))) == 180


def test_an_exam_whose_file_is_damaged_is_passed_over(spool: Spool) -> None:
    damaged, good = open_exam(spool), open_exam(spool)
    spool.exams.finish(good.id)
    spool.layout.exam_json(damaged.id).write_bytes(b"{")
    part = release(spool)
    assert part.step()
    assert state(spool, good.id) is ExamState.RELEASED
    assert state(spool, damaged.id) is ExamState.FINISHED
    assert not part.step()


def test_an_exam_whose_file_is_lost_is_passed_over(spool: Spool) -> None:
    lost, good = open_exam(spool), open_exam(spool)
    spool.exams.finish(good.id)
    spool.layout.exam_json(lost.id).unlink()
    assert release(spool).step()
    assert state(spool, good.id) is ExamState.RELEASED


def test_a_full_disk_releases_nothing_and_fails_no_exam(spool: Spool, disk: Disk, root: Path) -> None:
    del root
    exam = open_exam(spool)
    spool.exams.finish(exam.id)
    part = release(spool)
    disk.fail()
    with pytest.raises(DiskFull):
        part.step()
    disk.heal()
    assert part.step()
    assert state(spool, exam.id) is ExamState.RELEASED
