"""A clock that is set far back and far forward between the steps of an exam: nothing is lost, doubled or stuck."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pydicom

from gateway.clock import FakeClock
from gateway.model import Capture, DeliveryState, Exam
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.exams import question_after_reboot
from gateway.spool.spool import Spool
from gateway.spool.states import Owner
from tests.forward.bench import deliveries, let_go, numbers, objects, open_exam, still, typed, wrap_all

NEVER_SET = datetime(1970, 1, 1, tzinfo=UTC)
TODAY = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
CAP_S = 3600.0


def pressed(spool: Spool, exam: Exam) -> Capture:
    """Store a still that was pressed now, whatever the clock says."""
    spool.clock.pause(1.0)
    capture = replace(still(spool, exam), taken=spool.clock.now(), pressed=spool.clock.now())
    spool.captures.write_sidecar(capture)
    return capture


def test_pictures_keep_their_order_and_reach_the_queue_once_whatever_the_clock_does(
    spool: Spool, clock: FakeClock
) -> None:
    clock.set(NEVER_SET)
    exam = open_exam(spool, typed())
    taken = []
    for now in (NEVER_SET, TODAY, NEVER_SET + timedelta(days=1), TODAY + timedelta(days=4000), TODAY):
        clock.set(now)
        taken.append(pressed(spool, exam).sop_instance_uid)
    clock.set(TODAY - timedelta(days=700))
    exam = let_go(spool, exam)
    clock.set(TODAY)
    wrap_all(spool)
    assert [sealed.capture for sealed in objects(spool, exam)] == taken
    assert sorted(numbers(spool).values()) == [1, 2, 3, 4, 5]
    files = [pydicom.dcmread(spool.objects.path(sealed)) for sealed in objects(spool, exam)]
    assert len({(file.StudyDate, file.StudyTime, file.StudyInstanceUID) for file in files}) == 1
    assert [each.sop_instance_uid for each in deliveries(spool)] == [
        s.sop_instance_uid for s in objects(spool, exam)
    ]


def test_a_wait_that_was_set_by_a_wrong_clock_does_not_last_for_years(spool: Spool, clock: FakeClock) -> None:
    exam = open_exam(spool, typed())
    pressed(spool, exam)
    let_go(spool, exam)
    wrap_all(spool)
    clock.set(TODAY + timedelta(days=4000))
    (queued,) = spool.deliveries.due("pacs", cap_s=CAP_S)
    assert spool.deliveries.move(queued, DeliveryState.SENDING, Owner.FORWARD, attempts=1)
    sending = replace(queued, state=DeliveryState.SENDING, attempts=1)
    assert spool.deliveries.move(sending, DeliveryState.QUEUED, Owner.FORWARD, wait_s=600.0, code="try-later")
    assert spool.deliveries.due("pacs", cap_s=CAP_S) == []  # it waits ten minutes by this clock
    clock.set(TODAY)
    assert len(spool.deliveries.due("pacs", cap_s=CAP_S)) == 1


def test_a_box_that_starts_in_1970_after_a_power_cut_finds_the_open_exam_and_asks(
    spool: Spool, clock: FakeClock
) -> None:
    exam = open_exam(spool, typed())
    first = pressed(spool, exam)
    clock.reboot()
    clock.set(NEVER_SET)
    question_after_reboot(spool)
    recover_captures(spool)
    found = spool.exams.open_one()
    assert found
    assert (found.id, bool(found.please_check)) == (exam.id, True)
    assert not clock.now().trusted
    second = pressed(spool, exam)
    assert not second.taken.trusted
    listed = [each.capture.sop_instance_uid for each in spool.captures.of_exam(exam.id)]
    assert listed == [first.sop_instance_uid, second.sop_instance_uid]
    asked = spool.requests.ask("worklist-refresh", {}, deadline_s=10)
    begun = spool.requests.begin("worklist-refresh")
    assert begun
    assert begun.id == asked
