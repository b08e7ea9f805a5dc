"""A yes that comes late: it answers what the person was shown, or nothing."""

from collections.abc import Callable

import pytest

from gateway.errors import ExamOpen, WrongState
from gateway.model import WRONG_ENTRY, Exam, ExamState, PleaseCheck, Side
from gateway.spool import questions
from gateway.spool.spool import Spool
from tests.unit.spool.values import ANNA, BORIS, subject


@pytest.fixture
def exam(spool: Spool) -> Exam:
    """Anna's open exam, on which nobody worked for long: is it still she?"""
    opened, _ = spool.exams.open(subject(ANNA))
    return spool.exams.ask_to_check(opened.id, PleaseCheck.IDLE)


def given_to_boris_with_a_study_of_annas(spool: Spool, exam: Exam) -> None:
    spool.exams.open(subject(ANNA, study_instance_uid="1.2.3"), close_open=True)
    spool.exams.assign(exam.id, subject(BORIS, study_instance_uid="1.2.3"))


def given_to_boris(spool: Spool, exam: Exam) -> None:
    spool.exams.assign(exam.id, subject(BORIS))


def given_to_boris_and_idle_again(spool: Spool, exam: Exam) -> None:
    given_to_boris(spool, exam)
    spool.exams.ask_to_check(exam.id, PleaseCheck.IDLE)


def ended_as_wrong_entry(spool: Spool, exam: Exam) -> None:
    spool.exams.finish(exam.id, discontinued=WRONG_ENTRY, please_check=PleaseCheck.WRONG_ENTRY)


@pytest.mark.parametrize(
    "meanwhile", [given_to_boris_with_a_study_of_annas, given_to_boris_and_idle_again, ended_as_wrong_entry]
)
def test_a_yes_answers_no_question_that_came_after_the_one_that_was_shown(
    spool: Spool, exam: Exam, meanwhile: Callable[[Spool, Exam], None]
) -> None:
    shown = questions.of(exam)
    meanwhile(spool, exam)
    asked = spool.exams.get(exam.id)
    with pytest.raises(WrongState, match="something else is asked"):
        spool.exams.confirm(exam.id, question=shown)
    assert spool.exams.get(exam.id) == asked
    assert spool.exams.confirm(exam.id, question=questions.of(asked))[1]
    assert not spool.exams.get(exam.id).please_check


@pytest.mark.parametrize("meanwhile", [given_to_boris, given_to_boris_and_idle_again])
def test_an_exam_does_not_end_with_a_yes_to_another_patient(
    spool: Spool, exam: Exam, meanwhile: Callable[[Spool, Exam], None]
) -> None:
    shown = questions.of(exam)
    meanwhile(spool, exam)
    with pytest.raises(WrongState, match="something else is asked"):
        spool.exams.finish(exam.id, confirmed=True, question=shown)
    assert spool.exams.get(exam.id).state is ExamState.OPEN


def test_what_changes_no_answer_changes_no_question(spool: Spool, exam: Exam) -> None:
    spool.sides.from_now_on(exam.id, Side.LEFT)
    spool.exams.keep(exam.id, keep=True)
    confirmed, answered = spool.exams.confirm(exam.id, question=questions.of(exam))
    assert (confirmed.please_check, answered) == ("", True)


def test_a_second_yes_is_no_mistake_and_answers_nothing(spool: Spool, exam: Exam) -> None:
    first, _ = spool.exams.confirm(exam.id, question=questions.of(exam))
    assert spool.exams.confirm(exam.id, question=questions.of(exam)) == (first, False)


def test_a_wrong_entry_is_asked_about_before_whether_the_patient_is_still_there(spool: Spool, exam: Exam) -> None:
    ended_as_wrong_entry(spool, exam)
    assert spool.exams.get(exam.id).please_check == PleaseCheck.WRONG_ENTRY


def test_a_wrong_entry_does_not_hide_that_two_patients_have_one_study(spool: Spool, exam: Exam) -> None:
    spool.exams.finish(exam.id)
    second, _ = spool.exams.open(subject(BORIS, study_instance_uid=exam.study_instance_uid))
    ended_as_wrong_entry(spool, second)
    confirmed, _ = spool.exams.confirm(second.id)
    assert confirmed.study_instance_uid != exam.study_instance_uid


def test_who_opens_an_exam_is_told_which_one_ended_for_it(spool: Spool, exam: Exam) -> None:
    closed: list[Exam] = []
    with pytest.raises(ExamOpen):
        spool.exams.open(subject(BORIS), closed=closed.append)
    assert closed == []
    second, _ = spool.exams.open(subject(BORIS), close_open=True, closed=closed.append)
    spool.exams.finish(second.id)
    spool.exams.open(subject(ANNA), close_open=True, closed=closed.append)
    assert closed == [spool.exams.get(exam.id)]


def test_nothing_is_asked_of_an_exam_that_ended_at_that_moment(spool: Spool) -> None:
    opened, _ = spool.exams.open(subject(ANNA))
    ended = spool.exams.finish(opened.id)
    assert spool.exams.ask_to_check(opened.id, PleaseCheck.IDLE) == ended
    spool.exams.release(opened.id)
