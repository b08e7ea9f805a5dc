"""Pictures that leave while their exam is open: each once, none of a patient somebody must look at first."""

import contextlib
import errno
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.errors import ScopegateError, WrongState
from gateway.forward.making.release import Release
from gateway.model import Capture, DeliveryState, ExamState, Identity, PleaseCheck
from gateway.spool.opening import open_spool, rebuild_index
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.forward.bench import (
    Disk,
    clip,
    deliveries,
    objects,
    open_exam,
    ordered,
    release,
    still,
    typed,
    wrap_all,
)

OTHER = ordered("utf-8")


def at_once(spool: Spool, temporary: str = "hold") -> Release:
    return release(spool, temporary, at_once=True)


def go(spool: Spool, temporary: str = "hold") -> None:
    """Let forward do what there is to do."""
    part = at_once(spool, temporary)
    while part.step():
        pass
    wrap_all(spool)


def sealed(spool: Spool, capture: Capture) -> bool:
    return spool.objects.of_capture(capture.sop_instance_uid) is not None


def test_a_picture_of_an_open_exam_is_sealed_and_queued_as_soon_as_it_is_saved(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    for number in range(1, 4):
        still(spool, exam)
        go(spool)
        assert len(deliveries(spool)) == number
    assert spool.exams.get(exam.id).state is ExamState.OPEN
    clip(spool, exam)
    go(spool)
    assert [d.state for d in deliveries(spool)] == [DeliveryState.QUEUED] * 4


def test_without_the_setting_an_open_exam_stays(spool: Spool) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    assert not Release(spool=spool, temporary="hold").step()
    assert list(spool.layout.exam(exam.id).glob("*.released")) == []


def test_a_clip_leaves_when_it_is_closed_and_not_before(spool: Spool) -> None:
    exam = open_exam(spool)
    recorded = clip(spool, exam)
    with spool.database.write() as connection:
        connection.execute("UPDATE capture SET state = 'recording'")
    go(spool)
    assert deliveries(spool) == []
    with spool.database.write() as connection:
        connection.execute("UPDATE capture SET state = 'saved'")
    go(spool)
    assert sealed(spool, recorded)


def test_pictures_without_a_patient_wait_for_one_and_leave_then(spool: Spool) -> None:
    exam = open_exam(spool, typed(identity=Identity.TEMPORARY))
    still(spool, exam)
    go(spool)
    assert deliveries(spool) == []
    spool.exams.assign(exam.id, ordered())
    go(spool)
    assert len(deliveries(spool)) == 1


def test_pictures_without_a_patient_leave_when_the_clinic_wants_that(spool: Spool) -> None:
    exam = open_exam(spool, typed(identity=Identity.TEMPORARY))
    still(spool, exam)
    go(spool, temporary="send")
    assert len(deliveries(spool)) == 1
    with pytest.raises(WrongState, match="released already"):
        spool.exams.assign(exam.id, ordered())


def test_pictures_of_a_patient_to_be_checked_wait_until_somebody_looked(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    first = still(spool, exam)
    go(spool)
    spool.exams.ask_to_check(exam.id, PleaseCheck.REBOOT)
    second = still(spool, exam)
    go(spool)
    assert (sealed(spool, first), sealed(spool, second)) == (True, False)
    spool.exams.confirm(exam.id)
    go(spool)
    assert sealed(spool, second)


def test_what_did_not_leave_can_be_removed_and_what_left_cannot(spool: Spool) -> None:
    exam = open_exam(spool)
    left, removed = still(spool, exam), still(spool, exam)
    spool.captures.reject(removed.sop_instance_uid, "blurred")
    go(spool)
    with pytest.raises(WrongState, match="released already"):
        spool.captures.reject(left.sop_instance_uid, "blurred")
    assert not sealed(spool, removed)
    spool.captures.restore(removed.sop_instance_uid)
    go(spool)
    assert sealed(spool, removed)


def test_between_release_and_sealing_nothing_can_be_changed_any_more(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    capture = still(spool, exam)
    assert at_once(spool).step()
    assert not sealed(spool, capture)
    with pytest.raises(WrongState, match="released already"):
        spool.captures.reject(capture.sop_instance_uid, "")
    with pytest.raises(WrongState, match="left the box under its patient"):
        spool.exams.assign(exam.id, OTHER)
    wrap_all(spool)
    assert sealed(spool, capture)
    with pytest.raises(WrongState, match="left the box under its patient"):
        spool.exams.assign(exam.id, OTHER)
    assert spool.exams.get(exam.id).patient == exam.patient


def test_an_exam_of_which_nothing_left_gets_another_patient(spool: Spool) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    spool.exams.assign(exam.id, OTHER)
    go(spool)
    assert len(deliveries(spool)) == 1


def test_nothing_is_made_of_an_exam_whose_row_fell_behind_its_file(spool: Spool) -> None:
    exam = open_exam(spool)
    capture = still(spool, exam)
    old = spool.exams.get(exam.id)
    spool.exams.assign(exam.id, OTHER)
    with spool.database.write() as connection:  # as if the index had been full when the patient was assigned
        connection.execute("DELETE FROM capture")
        connection.execute("DELETE FROM exam")
    spool.exams.put_row(old)
    spool.captures.put_row(capture)
    part = at_once(spool)
    assert not part.step()
    assert part.step()
    wrap_all(spool)
    assert sealed(spool, capture)
    assert spool.exams.get(exam.id).patient == OTHER.patient


def test_the_end_of_the_exam_releases_the_rest(spool: Spool) -> None:
    exam = open_exam(spool)
    first = still(spool, exam)
    go(spool)
    second = still(spool, exam)
    spool.exams.finish(exam.id)
    go(spool)
    assert spool.exams.get(exam.id).state is ExamState.RELEASED
    assert sealed(spool, first)
    assert sealed(spool, second)
    assert [d.sop_instance_uid for d in deliveries(spool)] == [first.sop_instance_uid, second.sop_instance_uid]


def test_an_exam_from_the_wrong_worklist_entry_keeps_what_did_not_leave(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    still(spool, exam)
    go(spool)
    second = still(spool, exam)
    spool.exams.finish(exam.id, discontinued="110514", please_check="incorrect-worklist-entry")
    go(spool)
    assert not sealed(spool, second)
    with pytest.raises(WrongState, match="left the box under its patient"):
        spool.exams.assign(exam.id, OTHER)


def test_series_are_numbered_in_the_order_in_which_their_first_picture_left(spool: Spool) -> None:
    exam = open_exam(spool)
    for make in (still, clip, still, clip):
        make(spool, exam)
        go(spool)
    series = spool.exams.get(exam.id).series
    assert [(each.number, each.family) for each in series] == [(1, "still"), (2, "clip")]
    assert len({each.series_instance_uid for each in series}) == 2
    assert spool.captures.highest_number(exam.id) == 4


def test_a_rebuilt_index_knows_what_had_left(spool: Spool, clock: FakeClock, root: Path) -> None:
    exam = open_exam(spool)
    marked = still(spool, exam)
    at_once(spool).step()
    free = still(spool, exam)
    spool.close()
    rebuild_index(root, clock=clock, destinations=("pacs",))
    again = open_spool(root, clock=clock, destinations=("pacs",))
    with pytest.raises(WrongState, match="released already"):
        again.captures.reject(marked.sop_instance_uid, "")
    wrap_all(again)
    assert sealed(again, marked)
    assert not sealed(again, free)
    again.captures.reject(free.sop_instance_uid, "")
    again.close()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_anywhere_leaves_each_picture_released_or_free_and_never_both(
    spool: Spool, clock: FakeClock, root: Path, disk: Disk, error: int
) -> None:
    exam = open_exam(spool, ordered())
    released = free = 0
    for operations in range(40):
        capture = still(spool, exam)
        disk.fail(error, after=operations)
        with contextlib.suppress(ScopegateError):
            go(spool)
        disk.heal()
        spool.close()
        spool = open_spool(root, clock=clock, files=disk, destinations=("pacs",))
        recover_captures(spool)
        spool.releases.reconcile()
        adopt_seals(spool, ("pacs",))
        if spool.layout.released(exam.id, capture.sop_instance_uid).exists():
            released += 1
            with pytest.raises(WrongState):
                spool.captures.reject(capture.sop_instance_uid, "")
            wrap_all(spool)
            assert sealed(spool, capture)
        else:
            free += 1
            wrap_all(spool)
            assert not sealed(spool, capture)
            spool.captures.reject(capture.sop_instance_uid, "")
    assert released > 5
    assert free > 3
    assert len(objects(spool, spool.exams.get(exam.id))) == released
    spool.close()
