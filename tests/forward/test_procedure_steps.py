"""What is said of procedure steps, when, and what each answer of a server leads to."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pydicom
import pytest

from gateway.clock import FakeClock
from gateway.errors import DeliveryError, DiskFull, NeedsConfiguration, NeverAccepted, SpoolDamaged, TryLater
from gateway.forward.making.release import Release
from gateway.model import Exam, ExamState, Identity, MessageKind, MessageState, Patient, PleaseCheck
from gateway.net.procedure_step import StepAnswer, Took
from gateway.spool.reopening import reopen
from gateway.spool.spool import Spool
from tests import step_checks
from tests.forward.bench import Disk, let_go, objects, open_exam, ordered, still, typed, wrap_all
from tests.forward.step_bench import Server, create_file, forward_works, kinds, planner, teller

QUEUED, SENT, HELD, WITHDRAWN = "queued", "sent", "held", "withdrawn"
TEMPORARY = typed(Patient(name="EMERG-1", id="EMERG-1"), identity=Identity.TEMPORARY)
OTHER = Patient(name="Zweite^Zoe", id="OTHER-1")


@pytest.fixture
def server() -> Server:
    return Server()


def tell(spool: Spool, server: Server, times: int = 10, *, name: str = "ris") -> None:
    part = teller(spool, server, name)
    for _ in range(times):
        part.step()


def answers(**by_kind: object) -> Callable[[str, str, bool], StepAnswer]:
    """Answer each kind with its list, then take everything."""
    left = {kind: list(said) for kind, said in by_kind.items()}  # type: ignore[call-overload]

    def say(kind: str, step: str, sent_before: bool) -> StepAnswer:  # noqa: FBT001 - as Say
        del step, sent_before
        answer = left[kind].pop(0) if left.get(kind) else StepAnswer(took=Took.NOW, status="0000")
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, StepAnswer)
        return answer

    return say


def failure(kind: type[DeliveryError], code: str, status: str = "") -> DeliveryError:
    error = kind("no", code=code)
    error.status = status
    return error


# --- when something is said ------------------------------------------------------------------------------------


def test_an_exam_is_announced_when_it_opens_and_completed_when_its_pictures_are_made(
    spool: Spool, server: Server
) -> None:
    exam = open_exam(spool, ordered())
    forward_works(spool)
    tell(spool, server)
    assert server.words == [("create", "IN PROGRESS")]
    captures = [still(spool, exam), still(spool, exam)]
    spool.exams.finish(exam.id)
    forward_works(spool)
    tell(spool, server)
    assert server.words == [("create", "IN PROGRESS"), ("set", "COMPLETED")]
    create, final = (told.data_set for told in server.told)
    assert step_checks.problems_of_create(create) == []
    assert step_checks.problems_of_set(final, create) == []
    (series,) = final.PerformedSeriesSequence
    named = [item.ReferencedSOPInstanceUID for item in series.ReferencedImageSequence]
    assert named == [capture.sop_instance_uid for capture in captures]
    for sealed in objects(spool, exam):
        found = pydicom.dcmread(spool.objects.path(sealed), stop_before_pixels=True)
        (reference,) = found.ReferencedPerformedProcedureStepSequence
        assert reference.ReferencedSOPInstanceUID == server.told[0].step
        assert found.SeriesInstanceUID == series.SeriesInstanceUID
        for keyword in ("PerformedProcedureStepID", "PerformedProcedureStepStartDate"):
            assert found[keyword].value == create[keyword].value


def test_without_a_server_nothing_is_said_and_pictures_name_no_step(spool: Spool) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    let_go(spool, exam)
    wrap_all(spool)
    assert kinds(spool, exam.id) == []
    (sealed,) = objects(spool, exam)
    found = pydicom.dcmread(spool.objects.path(sealed), stop_before_pixels=True)
    assert "ReferencedPerformedProcedureStepSequence" not in found


def test_a_server_that_is_configured_later_hears_nothing_of_exams_that_left_before(spool: Spool) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    let_go(spool, exam)
    forward_works(spool)
    assert kinds(spool, exam.id) == []


def test_an_exam_that_is_over_before_its_announcement_left_is_announced_and_ended_in_this_order(
    spool: Spool, server: Server
) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    spool.exams.finish(exam.id)
    forward_works(spool)
    assert kinds(spool, exam.id) == [("create", QUEUED), ("set", QUEUED)]
    tell(spool, server)
    assert [kind for kind, _ in server.words] == ["create", "set"]


def test_pictures_do_not_wait_for_a_server_that_is_away(spool: Spool, server: Server) -> None:
    server.away = TryLater("gone", code="unreachable")
    exam = open_exam(spool)
    still(spool, exam)
    spool.exams.finish(exam.id)
    forward_works(spool)
    tell(spool, server)
    assert [delivery.state for delivery in spool.deliveries.list()] == ["queued"]
    assert kinds(spool, exam.id) == [("create", QUEUED), ("set", QUEUED)]


def test_a_step_is_completed_without_pictures_that_were_taken_out_or_cannot_be_made(
    spool: Spool, server: Server
) -> None:
    exam = open_exam(spool)
    kept, rejected, broken = still(spool, exam), still(spool, exam), still(spool, exam)
    spool.captures.reject(rejected.sop_instance_uid, "blurred")
    spool.layout.media(exam.id, broken.media).unlink()
    spool.exams.finish(exam.id)
    forward_works(spool)
    tell(spool, server)
    (series,) = server.told[-1].data_set.PerformedSeriesSequence
    assert [i.ReferencedSOPInstanceUID for i in series.ReferencedImageSequence] == [kept.sop_instance_uid]


def test_a_step_waits_for_a_picture_that_is_still_to_be_made(spool: Spool, disk: Disk) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    part = planner(spool)
    part.step()
    spool.exams.finish(exam.id)
    spool.exams.release(exam.id)
    assert not part.step()
    disk.fail()
    with pytest.raises(DiskFull):
        wrap_all(spool)
    disk.heal()
    assert not part.step()
    wrap_all(spool)
    assert part.step()
    assert kinds(spool, exam.id) == [("create", QUEUED), ("set", QUEUED)]


def test_an_exam_without_pictures_completes_its_step_with_one_empty_series(spool: Spool, server: Server) -> None:
    exam = open_exam(spool)
    spool.exams.finish(exam.id)
    forward_works(spool)
    tell(spool, server)
    (series,) = server.told[-1].data_set.PerformedSeriesSequence
    assert series.SeriesInstanceUID
    assert not series.ReferencedImageSequence


def test_a_discontinued_exam_says_why_and_lists_what_it_has(spool: Spool, server: Server) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    spool.exams.finish(exam.id, discontinued="110504")
    forward_works(spool)
    tell(spool, server)
    final = server.told[-1].data_set
    assert final.PerformedProcedureStepStatus == "DISCONTINUED"
    (reason,) = final.PerformedProcedureStepDiscontinuationReasonCodeSequence
    assert (reason.CodeValue, reason.CodingSchemeDesignator) == ("110504", "DCM")
    assert len(final.PerformedSeriesSequence[0].ReferencedImageSequence) == 1


# --- whose it is -----------------------------------------------------------------------------------------------


def test_a_step_without_patient_waits_as_its_pictures_do(spool: Spool, server: Server) -> None:
    exam = open_exam(spool, TEMPORARY)
    still(spool, exam)
    forward_works(spool)
    spool.exams.finish(exam.id)
    forward_works(spool)
    assert kinds(spool, exam.id) == []
    spool.exams.assign(exam.id, typed())
    forward_works(spool)
    tell(spool, server)
    assert server.words == [("create", "IN PROGRESS"), ("set", "COMPLETED")]
    assert server.told[0].data_set.PatientID == "CANARY-4711"


def test_a_step_without_patient_goes_where_its_pictures_may_go(spool: Spool, server: Server) -> None:
    exam = open_exam(spool, TEMPORARY)
    forward_works(spool, temporary="send")
    tell(spool, server)
    create = server.told[0].data_set
    (item,) = create.ScheduledStepAttributesSequence
    assert {e.keyword for e in item if e.value} - {"AccessionNumber"} == {"StudyInstanceUID"}
    assert create.PatientID == "EMERG-1"
    assert spool.exams.get(exam.id).steps[0].servers == ("ris",)


def test_a_step_whose_patient_is_to_be_checked_waits_with_its_pictures(spool: Spool) -> None:
    exam = open_exam(spool)
    spool.exams.ask_to_check(exam.id, PleaseCheck.REBOOT)
    forward_works(spool)
    assert kinds(spool, exam.id) == []
    spool.exams.confirm(exam.id)
    forward_works(spool)
    assert kinds(spool, exam.id) == [("create", QUEUED)]


def test_an_announced_exam_that_is_to_be_checked_is_not_ended_before(spool: Spool) -> None:
    exam = open_exam(spool)
    forward_works(spool)
    spool.exams.finish(exam.id, please_check=PleaseCheck.CLOSED_BY_NEXT)
    forward_works(spool)
    assert kinds(spool, exam.id) == [("create", QUEUED)]
    spool.exams.confirm(exam.id)
    forward_works(spool)
    assert kinds(spool, exam.id) == [("create", QUEUED), ("set", QUEUED)]


def test_an_exam_that_gets_another_patient_ends_its_announced_step_as_a_wrong_entry(
    spool: Spool, server: Server
) -> None:
    exam = open_exam(spool, ordered())
    forward_works(spool)
    tell(spool, server)
    picture = still(spool, exam)
    spool.exams.assign(exam.id, typed(OTHER))
    forward_works(spool)
    spool.exams.finish(exam.id)
    forward_works(spool)
    tell(spool, server)
    assert sorted(server.words[1:3]) == [("create", "IN PROGRESS"), ("set", "DISCONTINUED")]
    assert server.words[3] == ("set", "COMPLETED")
    wrong = next(each for each in server.told if each.data_set.PerformedProcedureStepStatus == "DISCONTINUED")
    first, second = server.told[0], server.told[-1]
    assert wrong.step == first.step != second.step
    assert step_checks.problems_of_set(wrong.data_set, first.data_set) == []
    assert b"OTHER-1" not in wrong.raw
    reason = wrong.data_set.PerformedProcedureStepDiscontinuationReasonCodeSequence[0]
    assert reason.CodeValue == "110514"
    assert not wrong.data_set.PerformedSeriesSequence[0].ReferencedImageSequence
    images = second.data_set.PerformedSeriesSequence[0].ReferencedImageSequence
    assert [item.ReferencedSOPInstanceUID for item in images] == [picture.sop_instance_uid]


def test_a_wrong_entry_that_never_left_is_taken_back(spool: Spool, server: Server) -> None:
    exam = open_exam(spool, ordered())
    forward_works(spool)
    spool.exams.assign(exam.id, typed(OTHER))
    forward_works(spool)
    assert kinds(spool, exam.id) == [("create", WITHDRAWN), ("create", QUEUED)]
    tell(spool, server)
    assert [told.data_set.PatientID for told in server.told] == ["OTHER-1"]


def test_after_a_wrong_entry_was_taken_back_there_is_nothing_more_to_do_until_the_exam_ends(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    forward_works(spool)
    spool.exams.assign(exam.id, typed(OTHER))
    forward_works(spool)
    assert not planner(spool).step()


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


def test_a_wrong_entry_that_may_have_left_is_told_to_its_end(spool: Spool, server: Server) -> None:
    exam = open_exam(spool, ordered())
    forward_works(spool)
    server.say = answers(create=[failure(TryLater, "timeout")])
    tell(spool, server, 1)
    spool.exams.assign(exam.id, typed(OTHER))
    forward_works(spool)
    assert kinds(spool, exam.id)[0] == ("create", QUEUED)
    assert ("set", QUEUED) in kinds(spool, exam.id)


def test_a_wrong_entry_is_ended_at_once_and_the_right_one_when_it_is_known(spool: Spool, server: Server) -> None:
    exam = open_exam(spool, ordered())
    forward_works(spool)
    tell(spool, server)
    still(spool, exam)
    spool.exams.finish(exam.id, discontinued="110514", please_check="incorrect-worklist-entry")
    forward_works(spool)
    tell(spool, server)
    assert server.words == [("create", "IN PROGRESS"), ("set", "DISCONTINUED")]
    assert spool.objects.of_exam(exam.id) == []
    spool.exams.assign(exam.id, typed(OTHER))
    forward_works(spool)
    tell(spool, server)
    assert server.words[2:] == [("create", "IN PROGRESS"), ("set", "COMPLETED")]
    assert len(server.told[-1].data_set.PerformedSeriesSequence[0].ReferencedImageSequence) == 1


def test_a_patient_that_cannot_be_written_holds_the_message_and_not_the_other_exams(spool: Spool) -> None:
    bad = open_exam(spool, ordered(x00080005=b"ISO_IR 192"))
    forward_works(spool)
    (message,) = spool.steps.of_exam(bad.id)
    assert (message.state, message.code) == (MessageState.HELD, "text-does-not-fit")
    assert message.reason
    good = open_exam(spool, typed(OTHER))
    forward_works(spool)
    assert kinds(spool, good.id) == [("create", QUEUED)]


def test_an_exam_that_is_given_away_while_it_is_announced_is_not_released_unannounced(spool: Spool) -> None:
    exam = open_exam(spool)
    spool.exams.finish(exam.id)
    steps = planner(spool)

    def meanwhile(seen: Exam) -> Exam:
        announced = steps.announce(seen)
        spool.exams.assign(seen.id, typed(OTHER))
        return announced

    assert not Release(spool=spool, temporary="hold", announce=meanwhile).step()
    forward_works(spool)
    assert spool.exams.get(exam.id).state is ExamState.RELEASED
    assert kinds(spool, exam.id) == [("create", WITHDRAWN), ("create", QUEUED), ("set", QUEUED)]


def test_what_is_given_away_at_the_moment_of_announcing_is_announced_as_it_is_then(spool: Spool) -> None:
    exam = open_exam(spool)
    seen = spool.exams.get(exam.id)
    spool.exams.assign(exam.id, typed(OTHER))
    steps = planner(spool)
    assert steps.announce(seen) == seen
    assert kinds(spool, exam.id) == []
    steps.step()
    assert create_file(spool, exam.id, exam.steps[0].sop_instance_uid).PatientID == "OTHER-1"


def test_an_open_exam_whose_file_is_damaged_keeps_no_other_exam_from_its_archive(spool: Spool) -> None:
    other = open_exam(spool, typed(OTHER))
    still(spool, other)
    damaged = open_exam(spool)
    spool.layout.exam_json(damaged.id).write_bytes(b"{")
    forward_works(spool)
    assert len(objects(spool, other)) == 1
    assert kinds(spool, other.id) == [("create", QUEUED), ("set", QUEUED)]
    assert kinds(spool, damaged.id) == []


# --- opened again, in one go -------------------------------------------------------------------------------------


def test_a_reopened_exam_has_a_step_and_a_series_of_its_own_for_what_is_added(
    spool: Spool, server: Server, clock: FakeClock
) -> None:
    exam = open_exam(spool, ordered())
    first = still(spool, exam)
    spool.exams.finish(exam.id)
    forward_works(spool)
    clock.move(600)
    reopen(spool, exam.id, within=timedelta(hours=1))
    forward_works(spool)
    second = still(spool, exam)
    spool.exams.finish(exam.id)
    forward_works(spool)
    tell(spool, server)
    assert [kind for kind, _ in server.words] == ["create", "set", "create", "set"]
    finals = [told.data_set for told in server.told if told.kind == "set"]
    listed = [
        [item.ReferencedSOPInstanceUID for s in final.PerformedSeriesSequence for item in s.ReferencedImageSequence]
        for final in finals
    ]
    assert listed == [[first.sop_instance_uid], [second.sop_instance_uid]]
    made = [pydicom.dcmread(spool.objects.path(each)) for each in objects(spool, exam)]
    assert made[0].StudyInstanceUID == made[1].StudyInstanceUID
    assert made[0].SeriesInstanceUID != made[1].SeriesInstanceUID
    assert [each.InstanceNumber for each in made] == [1, 2]
    assert [each.SeriesNumber for each in made] == [1, 2]
    assert made[0].RequestAttributesSequence == made[1].RequestAttributesSequence
    assert len({each.PerformedProcedureStepID for each in made}) == 2


def test_a_step_of_before_a_reopening_is_ended_while_the_exam_is_open_again(spool: Spool) -> None:
    exam = open_exam(spool)
    still(spool, exam)
    part = planner(spool)
    part.step()
    spool.exams.finish(exam.id)
    spool.exams.release(exam.id)
    wrap_all(spool)
    reopen(spool, exam.id, within=timedelta(hours=1))
    part.step()
    assert kinds(spool, exam.id) == [("create", QUEUED), ("create", QUEUED), ("set", QUEUED)]


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
