"""How an exam's performed procedure steps begin, end and make way for another one. Values only; no I/O.

A server that heard of a step cannot be told of another patient or order (PS3.4 F.7.2.2): then the step is
discontinued as an incorrect worklist entry, and another one begins. What nobody heard of just becomes right.
"""

from dataclasses import replace

from gateway.clock import Clock, Moment
from gateway.model import WRONG_ENTRY, Exam, ExamState, Step, StepState


def first(exam: str, clock: Clock, started: Moment) -> tuple[Step, ...]:
    """Return the steps of an exam that opens."""
    return (_step(exam, 1, clock, started),)


def again(exam: Exam, clock: Clock, now: Moment, *, above: int) -> tuple[Step, ...]:
    """Return the steps of an exam that is opened again; `above`: the highest InstanceNumber that it has."""
    return (*exam.steps, _step(exam.id, len(exam.steps) + 1, clock, now, above=above))


def ended(exam: Exam, now: Moment, *, discontinued: str) -> tuple[Step, ...]:
    """Return the steps of an exam that ends; `discontinued`: a code value of CID 9300, "" when it is completed."""
    if not exam.steps or exam.steps[-1].ended:
        return exam.steps
    return (*exam.steps[:-1], _end(exam.steps[-1], now, discontinued))


def instead(exam: Exam, clock: Clock, now: Moment, *, discontinued: str) -> tuple[Step, ...]:
    """Return the steps of an exam that gets another patient or order; `discontinued`: why it itself ended early."""
    if not exam.steps:
        return ()
    *before, last = exam.steps
    if not last.servers:
        return (*before, _as_exam(last, exam, discontinued))
    new = _step(exam.id, len(exam.steps) + 1, clock, last.started, above=last.above)
    return (*before, _end(last, last.ended or now, WRONG_ENTRY), _as_exam(new, exam, discontinued))


def _step(exam: str, number: int, clock: Clock, started: Moment, *, above: int = 0) -> Step:
    return Step(sop_instance_uid=clock.uid(), id=f"{exam}-{number}"[:16], started=started, above=above)


def _as_exam(step: Step, exam: Exam, discontinued: str) -> Step:
    """Return a step that is over when its exam is."""
    if exam.state is ExamState.OPEN or exam.ended is None:
        return step
    return _end(step, exam.ended, discontinued)


def _end(step: Step, now: Moment, reason: str) -> Step:
    state = StepState.DISCONTINUED if reason else StepState.COMPLETED
    return replace(step, state=state, reason=reason, ended=now)
