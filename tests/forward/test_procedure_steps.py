"""What is said of procedure steps, and when: from the opening of an exam to its end, and whose the step is."""

from datetime import timedelta

import pydicom
import pytest

from gateway.clock import FakeClock
from gateway.errors import DiskFull, TryLater
from gateway.forward.making.release import Release
from gateway.model import Equipment, Exam, ExamState, Identity, MessageState, Patient, PleaseCheck
from gateway.spool.reopening import reopen
from gateway.spool.spool import Spool
from tests import step_checks
from tests.dicom_samples import MODALITIES
from tests.forward.bench import Disk, let_go, objects, open_exam, ordered, still, typed, wrap_all
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
)

QUEUED, SENT, WITHDRAWN = "queued", "sent", "withdrawn"
TEMPORARY = typed(Patient(name="EMERG-1", id="EMERG-1"), identity=Identity.TEMPORARY)


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


@pytest.mark.parametrize("files", ["kept", "let go"])
def test_a_step_lists_each_kind_of_object_in_its_own_series_also_of_what_the_box_let_go(
    spool: Spool, server: Server, files: str
) -> None:
    exam = open_exam(spool, ordered())
    forward_works(spool)
    taken = {
        kind: still(spool, exam, equipment=Equipment(modality=modality, object=kind))
        for kind, modality in MODALITIES.items()
    }
    let_go(spool, exam)
    wrap_all(spool)
    series = {}
    for sealed in objects(spool, exam):
        path = spool.objects.path(sealed)
        series[sealed.capture] = (pydicom.dcmread(path).SeriesInstanceUID, sealed.sop_class_uid)
        if files == "let go":
            spool.layout.purged(exam.id, sealed.capture).write_bytes(b"{}")
            path.unlink()
    forward_works(spool)
    tell(spool, server)
    listed = {
        image.ReferencedSOPInstanceUID: (each.SeriesInstanceUID, image.ReferencedSOPClassUID)
        for each in server.told[-1].data_set.PerformedSeriesSequence
        for image in each.ReferencedImageSequence
    }
    assert listed == series
    assert list(listed) == [capture.sop_instance_uid for capture in taken.values()]
    assert len({uid for uid, _ in listed.values()}) == len(MODALITIES)


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


# --- opened again, in one go -----------------------------------------------------------------------------------


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
