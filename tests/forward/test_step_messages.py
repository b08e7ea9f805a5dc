"""What each answer of a procedure step server leads to, and what a server that is gone, a cut or a kill leaves."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from gateway.clock import FakeClock
from gateway.errors import DeliveryError, DiskFull, NeedsConfiguration, NeverAccepted, SpoolDamaged, TryLater
from gateway.model import Exam, MessageKind, MessageState, Patient
from gateway.net.procedure_step import StepAnswer, Took
from gateway.spool.reopening import reopen
from gateway.spool.spool import Spool
from tests.forward.bench import Disk, open_exam, still, typed
from tests.forward.step_bench import (
    OTHER,
    Server,
    answers,
    create_file,
    failure,
    forward_works,
    kinds,
    planner,
    tell,
    teller,
)

QUEUED, SENT, HELD, WITHDRAWN = "queued", "sent", "held", "withdrawn"


# --- what a server answers -------------------------------------------------------------------------------------


def both(spool: Spool) -> Exam:
    """Queue the beginning and the end of a step."""
    exam = open_exam(spool)
    spool.exams.finish(exam.id)
    forward_works(spool)
    return exam


def message(spool: Spool, exam: Exam, kind: MessageKind) -> tuple[str, str, str]:
    (found,) = [each for each in spool.steps.of_exam(exam.id) if each.kind is kind]
    return str(found.state), found.code, found.status


def test_a_create_that_was_there_already_counts_when_it_may_have_arrived(spool: Spool, server: Server) -> None:
    exam = both(spool)
    server.say = answers(create=[StepAnswer(took=Took.BEFORE, status="0111")])
    tell(spool, server)
    assert message(spool, exam, MessageKind.CREATE) == (SENT, "taken-before", "0111")
    assert message(spool, exam, MessageKind.SET)[0] == SENT


def test_what_left_without_an_answer_goes_again_as_it_was(spool: Spool, server: Server, clock: FakeClock) -> None:
    both(spool)
    server.say = answers(create=[failure(TryLater, "timeout")])
    part = teller(spool, server)
    part.step()
    clock.move(60)
    while part.step():
        pass
    first, again, _ = server.told
    assert (first.raw, first.sent_before) == (again.raw, False)
    assert again.sent_before


def test_what_was_refused_for_now_did_not_arrive(spool: Spool, server: Server, clock: FakeClock) -> None:
    both(spool)
    server.say = answers(create=[failure(TryLater, "processing-failure", "0110")])
    part = teller(spool, server)
    part.step()
    clock.move(60)
    part.step()
    assert [told.sent_before for told in server.told[:2]] == [False, False]


def test_a_refused_create_holds_its_step_until_a_person_released_it(spool: Spool, server: Server) -> None:
    exam = both(spool)
    server.say = answers(create=[failure(NeverAccepted, "refused", "0106")])
    tell(spool, server)
    assert message(spool, exam, MessageKind.CREATE) == (HELD, "refused", "0106")
    assert message(spool, exam, MessageKind.SET)[0] == QUEUED
    assert len(server.told) == 1
    (held,) = spool.steps.list(states_wanted=[MessageState.HELD])
    spool.steps.release(held.id)
    tell(spool, server)
    assert [kind for kind, _ in server.words] == ["create", "create", "set"]


def test_one_refused_step_does_not_hold_up_the_next(spool: Spool, server: Server) -> None:
    both(spool)
    other = open_exam(spool, typed(OTHER))
    forward_works(spool)
    server.say = answers(create=[failure(NeverAccepted, "refused", "0120")])
    tell(spool, server)
    assert kinds(spool, other.id) == [("create", SENT)]


def test_a_server_that_forgot_the_step_is_told_of_it_again(spool: Spool, server: Server) -> None:
    exam = both(spool)
    server.say = answers(set=[StepAnswer(took=Took.UNKNOWN_STEP, status="0112")])
    tell(spool, server)
    assert [kind for kind, _ in server.words] == ["create", "set", "create", "set"]
    assert server.told[0].raw == server.told[2].raw
    assert server.told[2].sent_before
    assert message(spool, exam, MessageKind.SET)[0] == SENT


def test_a_server_that_never_knows_the_step_is_not_told_for_ever(spool: Spool, server: Server) -> None:
    exam = both(spool)
    server.say = answers(set=[StepAnswer(took=Took.UNKNOWN_STEP, status="0112")] * 9)
    tell(spool, server)
    assert [kind for kind, _ in server.words] == ["create", "set", "create", "set"]
    assert message(spool, exam, MessageKind.SET) == (HELD, "unknown-step", "0112")


def test_a_server_that_dies_of_an_end_and_forgets_the_step_each_time_gets_it_created_again_once(
    spool: Spool, server: Server, clock: FakeClock
) -> None:
    exam = both(spool)
    forgotten = StepAnswer(took=Took.UNKNOWN_STEP, status="0112")
    server.say = answers(set=[forgotten, TryLater("It broke off.", code="aborted"), forgotten])
    part = teller(spool, server)
    for _ in range(4):
        while part.step():
            pass
        clock.move(700)
    assert [kind for kind, _ in server.words] == ["create", "set", "create", "set", "set"]
    assert message(spool, exam, MessageKind.SET) == (HELD, "unknown-step", "0112")


def test_an_end_that_counts_as_taken_says_so(spool: Spool, server: Server) -> None:
    exam = both(spool)
    server.say = answers(set=[StepAnswer(took=Took.BEFORE, status="0110")])
    tell(spool, server)
    assert message(spool, exam, MessageKind.SET) == (SENT, "taken-before", "0110")


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(TryLater("x", code="unreachable"), 15), (NeedsConfiguration("x", code="rejected-title"), 15 * 60)],
)
def test_a_server_that_is_away_is_asked_again_later_and_for_ever(
    spool: Spool, server: Server, clock: FakeClock, error: DeliveryError, seconds: float
) -> None:
    exam = both(spool)
    server.away = error
    part = teller(spool, server)
    assert not part.step()
    assert part.pause
    assert part.pause.error is error
    part.step()
    assert server.calls == 1
    clock.move(seconds)
    part.step()
    assert server.calls == 2
    server.away = None
    clock.move(3600)
    while part.step():
        pass
    assert part.pause is None
    assert kinds(spool, exam.id) == [("create", SENT), ("set", SENT)]


def test_a_person_need_not_wait(spool: Spool, server: Server) -> None:
    both(spool)
    server.away = TryLater("x", code="unreachable")
    part = teller(spool, server)
    part.step()
    server.away = None
    spool.steps.retry()
    part.step()
    assert len(server.told) == 2


def test_a_message_whose_file_is_gone_is_held(spool: Spool, server: Server) -> None:
    exam = both(spool)
    step = exam.steps[0].sop_instance_uid
    spool.steps.path(exam.id, step, MessageKind.CREATE).unlink()
    tell(spool, server)
    assert message(spool, exam, MessageKind.CREATE)[:2] == (HELD, "file-missing")
    assert server.told == []


# --- a server that is gone -------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [False, True])
def test_what_is_given_up_of_a_server_that_is_gone_is_over_and_the_other_server_hears_everything(
    spool: Spool,
    server: Server,
    told: bool,  # noqa: FBT001 - whether the old server heard of the beginning
) -> None:
    exam, gone = open_exam(spool), Server()
    forward_works(spool, "ris", "gone")
    tell(spool, server)
    if told:
        tell(spool, gone, name="gone")
        spool.exams.finish(exam.id)
        forward_works(spool)
    assert spool.rerouting.drop_messages("gone") == 1
    if not told:
        spool.exams.finish(exam.id)
        forward_works(spool)
    tell(spool, server)
    assert server.words == [("create", "IN PROGRESS"), ("set", "COMPLETED")]
    assert spool.steps.waiting() == {}
    assert spool.steps.under_way() == []
    assert not planner(spool).step()


def test_what_was_given_up_is_not_said_again_when_its_exam_is_opened_again(spool: Spool) -> None:
    exam, gone = open_exam(spool), Server()
    forward_works(spool, "gone")
    tell(spool, gone, name="gone")
    spool.exams.finish(exam.id)
    forward_works(spool, "gone")
    assert spool.rerouting.drop_messages("gone") == 1
    reopen(spool, exam.id, within=timedelta(hours=1))
    forward_works(spool)
    assert kinds(spool, exam.id) == [("create", SENT), ("set", WITHDRAWN), ("create", QUEUED)]
    assert not planner(spool).step()


# --- cuts ------------------------------------------------------------------------------------------------------


def test_a_cut_at_any_moment_of_announcing_and_ending_loses_and_doubles_nothing(
    spool: Spool, server: Server, disk: Disk
) -> None:
    """The disk fails after every number of file operations; what follows is what a restart does."""
    for cut in range(40):
        exam = open_exam(spool, typed(Patient(name=f"P^{cut}", id=f"P-{cut}")))
        still(spool, exam)
        disk.fail(after=cut)
        with_a_cut(lambda: planner(spool).step())
        disk.heal()
        spool.exams.finish(exam.id)
        disk.fail(after=cut)
        with_a_cut(lambda: forward_works(spool))
        disk.heal()
        forward_works(spool)
        assert kinds(spool, exam.id) == [("create", QUEUED), ("set", QUEUED)], cut
        step = spool.exams.get(exam.id).steps[0].sop_instance_uid
        assert create_file(spool, exam.id, step).PatientID == f"P-{cut}"
        tell(spool, server)
        assert [each.kind for each in server.told if each.step == step] == ["create", "set"]


def with_a_cut(work: Callable[[], object]) -> None:
    with suppress(DiskFull, SpoolDamaged):
        work()


def test_a_kill_between_an_answer_and_its_row_sends_the_same_again(spool: Spool, server: Server) -> None:
    exam = both(spool)

    def dies(kind: str, step: str, sent_before: bool) -> StepAnswer:  # noqa: FBT001 - as Say
        del kind, step, sent_before
        raise KeyboardInterrupt

    server.say = dies
    with pytest.raises(KeyboardInterrupt):
        teller(spool, server).step()
    spool.steps.forget_leases()  # what a start does
    server.say = answers()
    tell(spool, server)
    assert [(told.kind, told.sent_before) for told in server.told] == [
        ("create", False),
        ("create", True),
        ("set", False),
    ]
    assert server.told[0].raw == server.told[1].raw
    assert kinds(spool, exam.id) == [("create", SENT), ("set", SENT)]
