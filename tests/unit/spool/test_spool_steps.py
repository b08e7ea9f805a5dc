"""The queue of messages about procedure steps: its order, its states, and what a lost index leaves."""

from collections.abc import Callable

import pytest

from gateway.clock import FakeClock
from gateway.errors import NotFound, WrongState
from gateway.model import Exam, ExamState, MessageKind, MessageState, StepMessage, StepState
from gateway.spool.queue.deliveries import AFTER_REBUILD
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.spool import Spool
from gateway.spool.states import Owner
from tests.unit.spool.values import BORIS, store, subject

CREATE, SET = MessageKind.CREATE, MessageKind.SET
CAP_S = 1000


def opened(spool: Spool) -> Exam:
    return spool.exams.open(subject())[0]


def announced(spool: Spool, exam: Exam, *servers: str) -> str:
    """Queue the exam's create as the forward process does; return the step's UID."""
    uid = exam.steps[-1].sop_instance_uid
    spool.steps.write(exam.id, uid, CREATE, b"create")
    exam = spool.exams.announce(exam.id, revision=exam.revision, servers=servers or ("ris",))
    spool.steps.queue(exam, uid, CREATE, servers or ("ris",))
    return uid


def due(spool: Spool, server: str = "ris") -> StepMessage | None:
    return spool.steps.due(server, cap_s=CAP_S)


def sent(spool: Spool, message: StepMessage | None) -> None:
    assert message
    claimed = spool.steps.claim(message)
    assert claimed
    assert spool.steps.move(claimed, MessageState.SENT, Owner.FORWARD)


def test_every_exam_begins_with_a_step_that_nobody_heard_of(spool: Spool) -> None:
    exam = opened(spool)
    (step,) = exam.steps
    assert (step.state, step.servers, step.started, step.id) == (
        StepState.IN_PROGRESS,
        (),
        exam.opened,
        f"{exam.id}-1",
    )
    assert spool.exams.get(exam.id).steps == (step,)


def test_a_set_never_goes_before_its_create(spool: Spool) -> None:
    exam = opened(spool)
    uid = announced(spool, exam)
    spool.steps.queue(exam, uid, SET, ["ris"])
    create = due(spool)
    assert create
    assert create.kind is CREATE
    claimed = spool.steps.claim(create)
    assert claimed
    assert due(spool) is None  # its create is on its way
    spool.steps.move(claimed, MessageState.HELD, Owner.FORWARD, code="refused")
    assert due(spool) is None  # its create was refused
    spool.steps.release(create.id)
    sent(spool, due(spool))
    following = due(spool)
    assert following
    assert following.kind is SET


def test_a_step_that_a_server_forgot_is_created_again_before_it_is_set(spool: Spool) -> None:
    exam = opened(spool)
    uid = announced(spool, exam)
    sent(spool, due(spool))
    spool.steps.queue(exam, uid, SET, ["ris"])
    message = due(spool)
    assert message
    claimed = spool.steps.claim(message)
    assert claimed
    spool.steps.create_again(claimed, code="unknown-step", reason="gone", status="0112")
    again = due(spool)
    assert again
    assert (again.kind, again.in_doubt) == (CREATE, True)
    sent(spool, again)
    message = due(spool)
    assert message
    assert (message.kind, message.code, message.in_doubt) == (SET, "unknown-step", False)


def test_servers_do_not_wait_for_each_other(spool: Spool) -> None:
    exam = opened(spool)
    uid = announced(spool, exam, "ris", "his")
    spool.steps.queue(exam, uid, SET, ["ris", "his"])
    sent(spool, due(spool, "his"))
    following, waiting = due(spool, "his"), due(spool, "ris")
    assert following
    assert waiting
    assert (following.kind, waiting.kind) == (SET, CREATE)


def test_a_message_is_queued_once(spool: Spool) -> None:
    exam = opened(spool)
    uid = announced(spool, exam)
    sent(spool, due(spool))
    spool.steps.queue(exam, uid, CREATE, ["ris"])
    assert [m.state for m in spool.steps.of_exam(exam.id)] == [MessageState.SENT]


def test_what_was_on_its_way_at_a_kill_goes_again_and_is_in_doubt(spool: Spool) -> None:
    announced(spool, opened(spool))
    message = due(spool)
    assert message
    assert spool.steps.claim(message)
    assert spool.steps.claim(message) is None  # nobody else can take it
    assert spool.steps.forget_leases() == 1
    again = due(spool)
    assert again
    assert (again.state, again.in_doubt, again.attempts) == (MessageState.QUEUED, True, 1)


def test_only_what_never_left_can_be_withdrawn(spool: Spool) -> None:
    announced(spool, opened(spool))
    message = due(spool)
    assert message
    claimed = spool.steps.claim(message)
    assert claimed
    assert not spool.steps.withdraw(message)
    spool.steps.move(claimed, MessageState.QUEUED, Owner.FORWARD)  # in doubt
    assert not spool.steps.withdraw(spool.steps.get(message.id))
    with pytest.raises(WrongState):
        spool.steps.withdraw(claimed)


def test_a_message_waits_its_time_unless_a_person_asks_or_the_clock_was_wrong(spool: Spool) -> None:
    announced(spool, opened(spool))
    message = due(spool)
    assert message
    claimed = spool.steps.claim(message)
    assert claimed
    spool.steps.move(claimed, MessageState.QUEUED, Owner.FORWARD, wait_s=60)
    assert due(spool) is None
    assert spool.steps.retry("ris") == 1
    assert spool.steps.take_asked("ris")
    assert not spool.steps.take_asked("ris")
    assert due(spool)
    spool.steps.move(spool.steps.get(message.id), MessageState.SENDING, Owner.FORWARD)
    spool.steps.move(spool.steps.get(message.id), MessageState.QUEUED, Owner.FORWARD, wait_s=CAP_S * 2)
    assert due(spool)  # nobody waits so long


def test_nobody_releases_what_is_not_held(spool: Spool) -> None:
    announced(spool, opened(spool))
    message = due(spool)
    assert message
    with pytest.raises(WrongState):
        spool.steps.release(message.id)
    with pytest.raises(NotFound):
        spool.steps.release(4711)


def test_a_lost_index_holds_every_message_until_somebody_agrees(
    spool: Spool, reopened: Callable[..., Spool]
) -> None:
    exam = opened(spool)
    uid = announced(spool, exam, "ris", "his")
    spool.steps.write(exam.id, uid, SET, b"set")
    spool.steps.queue(exam, uid, SET, ["ris", "his"])
    silent = spool.exams.open(subject(BORIS), close_open=True)[0]  # announced to nobody
    again = reopened(lose_index=True)
    found = again.steps.of_exam(exam.id)
    assert {(m.server, m.kind) for m in found} == {(s, k) for s in ("ris", "his") for k in MessageKind}
    assert {(m.state, m.code, m.in_doubt) for m in found} == {(MessageState.HELD, AFTER_REBUILD, True)}
    assert again.steps.of_exam(silent.id) == []
    assert again.steps.release_all(AFTER_REBUILD) == 4
    first = due(again)
    assert first
    assert (first.kind, first.in_doubt) == (CREATE, True)


def test_a_file_of_a_step_is_nobodys_leftover(spool: Spool) -> None:
    exam = opened(spool)
    uid = announced(spool, exam)
    recover_captures(spool)
    assert spool.steps.path(exam.id, uid, CREATE).read_bytes() == b"create"


# --- steps and their exams -----------------------------------------------------------------------------------


def test_a_finished_exam_completes_its_step_and_a_discontinued_one_says_why(spool: Spool) -> None:
    done = spool.exams.finish(opened(spool).id)
    assert (done.steps[-1].state, done.steps[-1].ended) == (StepState.COMPLETED, done.ended)
    broken = spool.exams.finish(opened(spool).id, discontinued="110504")
    assert (broken.steps[-1].state, broken.steps[-1].reason) == (StepState.DISCONTINUED, "110504")


def test_another_order_for_a_step_that_nobody_heard_of_changes_nothing_but_the_order(spool: Spool) -> None:
    exam = opened(spool)
    assigned = spool.exams.assign(exam.id, subject(BORIS))
    assert assigned.steps == exam.steps


def test_another_order_for_an_announced_step_ends_it_as_a_wrong_entry_and_begins_another(
    spool: Spool, clock: FakeClock
) -> None:
    exam = opened(spool)
    announced(spool, exam)
    clock.move(60)
    old, new = spool.exams.assign(exam.id, subject(BORIS)).steps
    assert (old.state, old.reason) == (StepState.DISCONTINUED, "110514")
    assert old.ended
    assert (new.state, new.servers, new.started) == (StepState.IN_PROGRESS, (), old.started)
    assert new.sop_instance_uid != old.sop_instance_uid
    assert new.id != old.id


def test_a_step_that_begins_for_an_exam_that_is_over_is_over_with_it(spool: Spool, clock: FakeClock) -> None:
    exam = opened(spool)
    announced(spool, exam)
    clock.move(60)
    ended = spool.exams.finish(exam.id, discontinued="110504").ended
    clock.move(60)
    old, new = spool.exams.assign(exam.id, subject(BORIS)).steps
    assert (old.reason, old.ended) == ("110514", ended)
    assert (new.state, new.reason, new.ended) == (StepState.DISCONTINUED, "110504", ended)


def test_a_wrong_entry_that_was_right_after_all_begins_another_step(spool: Spool) -> None:
    exam = opened(spool)
    announced(spool, exam)
    spool.exams.finish(exam.id, discontinued="110514", please_check="incorrect-worklist-entry")
    old, new = spool.exams.confirm(exam.id)[0].steps
    assert (old.state, old.reason) == (StepState.DISCONTINUED, "110514")
    assert (new.state, new.reason) == (StepState.COMPLETED, "")


def test_a_study_that_becomes_one_of_its_own_has_a_step_of_its_own(spool: Spool) -> None:
    spool.exams.open(subject(study_instance_uid="1.2.3"))
    exam, _ = spool.exams.open(subject(BORIS, study_instance_uid="1.2.3"), close_open=True)
    assert exam.please_check == "study-shared"
    announced(spool, exam)  # cannot happen; but nothing else keeps it from being told twice
    assert len(spool.exams.confirm(exam.id)[0].steps) == 2


def test_what_changed_since_it_was_looked_at_is_not_announced(spool: Spool) -> None:
    exam = opened(spool)
    spool.exams.assign(exam.id, subject(BORIS))
    assert spool.exams.announce(exam.id, revision=exam.revision, servers=("ris",)).steps[-1].servers == ()


def test_an_exam_that_changed_since_it_was_announced_is_not_released(spool: Spool) -> None:
    exam = spool.exams.finish(opened(spool).id)
    spool.exams.assign(exam.id, subject(BORIS))
    with pytest.raises(WrongState):
        spool.exams.release(exam.id, revision=exam.revision)
    assert spool.exams.get(exam.id).state is ExamState.FINISHED


def test_pictures_belong_to_the_step_in_which_they_were_taken(spool: Spool) -> None:
    exam = opened(spool)
    first = exam.step_of(1)
    assert first == exam.steps[0]
    assert exam.step_of(99) == exam.steps[0]
    store(spool, exam, 1)
    assert not spool.captures.are_settled(exam.id, above=0, upto=None)
    assert spool.captures.are_settled(exam.id, above=1, upto=None)
    assert spool.captures.are_settled(exam.id, above=0, upto=0)


def test_a_picture_that_was_taken_out_or_cannot_be_made_keeps_nobody_waiting(spool: Spool) -> None:
    exam = opened(spool)
    rejected, broken = store(spool, exam, 1), store(spool, exam, 2)
    spool.captures.reject(rejected.sop_instance_uid, "blurred")
    assert not spool.captures.are_settled(exam.id, above=0, upto=None)
    spool.captures.set_problem(broken.sop_instance_uid, "object", "no")
    assert spool.captures.are_settled(exam.id, above=0, upto=None)
