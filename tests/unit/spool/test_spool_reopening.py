"""An exam that is opened again: what goes on, what begins anew, and what can no longer be changed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.clock import FakeClock
from gateway.errors import ExamOpen, NotFound, SpoolError, WrongState
from gateway.model import Exam, ExamState, StepState
from gateway.spool import performed, records
from gateway.spool.recovery.exams import question_after_reboot
from gateway.spool.reopening import reopen
from gateway.spool.spool import Spool
from tests.unit.spool.values import BORIS, index_unwritable, seal, store, subject

A_DAY = timedelta(hours=24)


def released(spool: Spool, *, stills: int = 2, **end: str) -> Exam:
    exam = spool.exams.open(subject())[0]
    for number in range(1, stills + 1):
        store(spool, exam, number)
    spool.exams.finish(exam.id, **end)
    return spool.exams.release(exam.id)


def again(spool: Spool, exam: Exam) -> Exam:
    return reopen(spool, exam.id, within=A_DAY)


def test_a_released_exam_goes_on_under_the_same_study_with_a_new_step_and_series(
    spool: Spool, clock: FakeClock
) -> None:
    exam = released(spool)
    clock.move(600)
    opened = again(spool, exam)
    assert opened.state is ExamState.OPEN
    assert spool.exams.open_one() == opened
    assert (opened.study_instance_uid, opened.patient, opened.opened) == (
        exam.study_instance_uid,
        exam.patient,
        exam.opened,
    )
    assert (opened.ended, opened.reopened) == (None, clock.now())
    assert [(step.state, step.above) for step in opened.steps] == [
        (StepState.COMPLETED, 0),
        (StepState.IN_PROGRESS, 2),
    ]
    steps = [opened.step_of(number) for number in (2, 3)]
    assert steps == list(opened.steps)
    one, two = (spool.exams.series_for(exam.id, "us", "still", step.sop_instance_uid) for step in opened.steps)
    assert (one.number, two.number) == (1, 2)
    assert one.series_instance_uid != two.series_instance_uid


def test_numbers_go_on_above_the_highest(spool: Spool) -> None:
    exam = again(spool, released(spool, stills=3))
    assert spool.captures.highest_number(exam.id) == 3
    assert exam.steps[-1].above == 3


def test_a_discontinued_exam_can_go_on_and_is_then_completed(spool: Spool) -> None:
    exam = again(spool, released(spool, discontinued="110501"))
    assert exam.discontinued == ""
    assert exam.steps[0].reason == "110501"
    spool.exams.finish(exam.id)
    assert spool.exams.release(exam.id).state is ExamState.RELEASED


def test_frames_from_before_the_reopening_are_not_of_this_exam(spool: Spool, clock: FakeClock) -> None:
    exam = released(spool)
    clock.move(600)
    assert again(spool, exam).begun == clock.now()
    assert exam.begun == exam.opened


def test_only_one_exam_is_open(spool: Spool) -> None:
    exam = released(spool)
    spool.exams.open(subject(BORIS))
    with pytest.raises(ExamOpen):
        again(spool, exam)


@pytest.mark.parametrize("hours", [25, 24.001])
def test_an_exam_that_ended_too_long_ago_stays_closed(spool: Spool, clock: FakeClock, hours: float) -> None:
    exam = released(spool)
    clock.move(hours * 3600)
    with pytest.raises(WrongState):
        again(spool, exam)


def test_what_was_not_released_is_not_reopened(spool: Spool) -> None:
    exam = spool.exams.open(subject())[0]
    spool.exams.finish(exam.id)
    with pytest.raises(WrongState):
        again(spool, exam)
    with pytest.raises(NotFound):
        reopen(spool, "none", within=A_DAY)


def test_what_was_released_before_cannot_be_taken_out_or_given_away_any_more(spool: Spool) -> None:
    exam = released(spool, stills=1)
    first = spool.captures.of_exam(exam.id)[0].capture
    seal(spool, first)
    exam = again(spool, exam)
    second = store(spool, exam, 2)
    with pytest.raises(WrongState):
        spool.captures.reject(first.sop_instance_uid, "wrong")
    spool.captures.reject(second.sop_instance_uid, "blurred")
    with pytest.raises(WrongState):
        spool.exams.assign(exam.id, subject(BORIS))
    with pytest.raises(WrongState):
        spool.exams.finish(exam.id, discontinued="110514")
    assert spool.exams.finish(exam.id).state is ExamState.FINISHED
    with pytest.raises(WrongState):
        spool.exams.assign(exam.id, subject(BORIS))


def test_a_picture_that_could_not_be_made_before_cannot_be_taken_out_either(spool: Spool) -> None:
    """It was let go: forward may be making its object at this moment."""
    exam = released(spool, stills=1)
    again(spool, exam)
    with pytest.raises(WrongState):
        spool.captures.reject(spool.captures.of_exam(exam.id)[0].capture.sop_instance_uid, "x")


def test_a_reopened_exam_survives_a_restart_and_a_lost_index(spool: Spool, reopened: Callable[..., Spool]) -> None:
    opened = again(spool, released(spool))
    assert reopened().exams.open_one() == opened


def test_a_reopened_exam_survives_a_lost_index(spool: Spool, reopened: Callable[..., Spool]) -> None:
    opened = again(spool, released(spool))
    found = reopened(lose_index=True)
    assert found.exams.open_one() == opened
    assert found.captures.highest_number(opened.id) == 2


def test_a_reopening_that_the_index_did_not_take_is_undone(spool: Spool) -> None:
    exam = released(spool)
    with index_unwritable(spool), pytest.raises(SpoolError):
        again(spool, exam)
    assert spool.exams.open(subject(BORIS))[1]  # no second open exam lies in wait
    healed = spool.exams.change(exam.id, lambda old: old)
    assert healed.state is ExamState.RELEASED


def test_a_reboot_asks_whose_reopened_exam_it_is(
    spool: Spool, clock: FakeClock, reopened: Callable[..., Spool]
) -> None:
    before = released(spool)
    clock.reboot()
    exam = again(spool, before)
    question_after_reboot(spool)
    assert spool.exams.get(exam.id).please_check == ""  # a person opened it in this very boot
    clock.reboot()
    again_open = reopened()
    question_after_reboot(again_open)
    assert again_open.exams.get(exam.id).please_check == "reboot"
    again_open.exams.finish(exam.id)
    confirmed, _ = again_open.exams.confirm(exam.id)
    assert [step.state for step in confirmed.steps] == [StepState.COMPLETED] * 2


def test_a_second_open_exam_that_a_cut_left_is_ended_with_its_step(
    spool: Spool, reopened: Callable[..., Spool]
) -> None:
    exam = released(spool)
    opened = spool.exams.open(subject(BORIS))[0]
    path = spool.layout.exam_json(exam.id)
    later = replace(opened.opened, utc=opened.opened.utc + timedelta(hours=1))
    half = replace(
        spool.exams.get(exam.id),
        state=ExamState.OPEN,
        revision=99,
        opened=later,
        ended=None,
        steps=performed.again(exam, spool.clock, later, above=2),
    )
    path.write_bytes(records.dump(half))
    found = reopened()
    states = {each.id: (each.state, each.steps[-1].state) for each in found.exams.list()}
    assert sorted(states.values()) == [
        (ExamState.FINISHED, StepState.COMPLETED),
        (ExamState.OPEN, StepState.IN_PROGRESS),
    ]
