"""Exams: one is open at a time, its patient is whose the file says, and no Study UID serves two patients."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.clock import FakeClock
from gateway.errors import ClipRecording, DiskFailed, ExamOpen, NotFound, RequestReused, WrongState
from gateway.model import Exam, ExamState, Identity, PleaseCheck, RequestStamp
from gateway.spool import records
from gateway.spool.files import Files
from gateway.spool.spool import Spool
from tests.unit.spool.values import ANNA, BORIS, begin_clip, index_unwritable, item_subject, store, subject


class Interrupted(Exception):
    """The power went away here."""


class StopsAt(Files):
    """A disk whose power is cut when a certain file is about to get its name."""

    name = ""

    def _rename(self, old, new):
        if new.name == self.name:
            raise Interrupted
        super()._rename(old, new)


def on_disk(spool: Spool, exam: str) -> Exam:
    return records.load(Exam, spool.layout.exam_json(exam).read_bytes())


# --- opening ---------------------------------------------------------------------------------------------------


def test_an_opened_exam_stands_in_its_file_and_in_the_index(spool: Spool) -> None:
    exam, new = spool.exams.open(item_subject())
    assert new
    assert on_disk(spool, exam.id) == spool.exams.get(exam.id) == spool.exams.open_one() == exam
    assert exam.state is ExamState.OPEN
    assert exam.study_instance_uid == "1.2.3.1"
    assert exam.study_id == "RP-1"
    assert spool.exams.order(exam) == b"order of P-1"


def test_an_exam_without_an_order_has_no_order_file_and_its_own_id_as_study_id(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    assert exam.order == ""
    assert spool.exams.order(exam) is None
    assert exam.study_id == exam.id
    assert exam.study_instance_uid.startswith("2.25.")


def test_a_second_exam_is_refused_while_one_is_open(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    with pytest.raises(ExamOpen) as caught:
        spool.exams.open(subject(BORIS))
    assert caught.value.code == "exam-open"
    assert spool.exams.open_one() == exam
    assert len(spool.exams.list()) == 1


def test_choosing_the_next_patient_closes_the_open_exam_as_please_check(spool: Spool) -> None:
    first, _ = spool.exams.open(subject())
    second, _ = spool.exams.open(subject(BORIS), close_open=True)
    closed = spool.exams.get(first.id)
    assert closed.state is ExamState.FINISHED
    assert closed.please_check == PleaseCheck.CLOSED_BY_NEXT
    assert spool.exams.open_one() == second
    assert closed not in spool.exams.unquestioned()


def test_no_exam_is_closed_by_the_next_one_while_a_clip_is_recorded(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    writer = begin_clip(spool, exam, 1)
    with pytest.raises(ClipRecording):
        spool.exams.open(subject(BORIS), close_open=True)
    with pytest.raises(ClipRecording):
        spool.exams.finish(exam.id)
    assert spool.exams.open_one() == exam
    writer.abandon()


def test_a_repeated_request_gets_the_exam_that_it_opened_also_after_a_restart(
    spool: Spool, reopened: Callable[..., Spool]
) -> None:
    request = RequestStamp(id="r-1", digest="d-1")
    exam, _ = spool.exams.open(subject(), request=request)
    assert spool.exams.open(subject(), request=request) == (exam, False)
    assert reopened().exams.open(subject(), request=request) == (exam, False)
    rebuilt = reopened(lose_index=True)
    assert rebuilt.exams.open(subject(), request=request) == (exam, False)
    rebuilt.exams.finish(exam.id)
    found, new = rebuilt.exams.open(subject(), request=request)
    assert (found.id, new) == (exam.id, False)


def test_a_request_id_with_another_body_is_refused(spool: Spool) -> None:
    spool.exams.open(subject(), request=RequestStamp(id="r-1", digest="d-1"))
    with pytest.raises(RequestReused):
        spool.exams.open(subject(BORIS), request=RequestStamp(id="r-1", digest="d-2"), close_open=True)
    assert len(spool.exams.list()) == 1


def test_two_panels_that_open_an_exam_at_once_open_one(opened: Callable[..., Spool]) -> None:
    spools = [opened() for _ in range(3)]
    answers: list[str] = []

    def open_one(spool: Spool) -> None:
        try:
            answers.append(spool.exams.open(subject())[0].id)
        except ExamOpen:
            answers.append("exam-open")

    run_all([lambda spool=spool: open_one(spool) for spool in spools])
    assert sorted(answer == "exam-open" for answer in answers) == [False, True, True]
    assert len(spools[0].exams.list()) == 1


def test_an_exam_whose_row_cannot_be_written_was_never_opened(spool: Spool) -> None:
    with index_unwritable(spool), pytest.raises(DiskFailed):
        spool.exams.open(subject(), request=RequestStamp(id="r-1", digest="d"))
    assert list(spool.layout.exams.glob("*/exam.json")) == []
    assert spool.exams.open(subject(), request=RequestStamp(id="r-1", digest="d"))[1]


# --- ending ----------------------------------------------------------------------------------------------------


def test_a_finished_exam_can_be_confirmed_and_released_and_then_nothing_any_more(spool: Spool) -> None:
    exam, _ = spool.exams.open(item_subject())
    assert spool.exams.finish(exam.id).ended == spool.clock.now()
    with pytest.raises(WrongState):
        spool.exams.finish(exam.id)
    released = spool.exams.release(exam.id)
    assert (released.state, released.released) == (ExamState.RELEASED, spool.clock.now())
    for refused in (
        lambda: spool.exams.release(exam.id),
        lambda: spool.exams.finish(exam.id),
        lambda: spool.exams.confirm(exam.id),
        lambda: spool.exams.assign(exam.id, subject(BORIS)),
    ):
        with pytest.raises(WrongState):
            refused()
    assert spool.exams.get(exam.id) == released == on_disk(spool, exam.id)


def test_an_open_exam_is_never_released(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    with pytest.raises(WrongState):
        spool.exams.release(exam.id)


def test_a_discontinued_exam_is_released_with_its_reason(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    spool.exams.finish(exam.id, discontinued="110513")
    released = spool.exams.release(exam.id)
    assert (released.state, released.discontinued) == (ExamState.DISCONTINUED, "110513")


def test_an_exam_to_be_checked_is_not_released_before_a_person_confirmed_its_patient(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    spool.exams.ask_to_check(exam.id, PleaseCheck.REBOOT)
    spool.exams.ask_to_check(exam.id, PleaseCheck.CLOSED_BY_NEXT)  # the first reason stays
    spool.exams.finish(exam.id)
    assert spool.exams.get(exam.id).please_check == PleaseCheck.REBOOT
    assert spool.exams.unquestioned() == []
    with pytest.raises(WrongState):
        spool.exams.release(exam.id)
    spool.exams.confirm(exam.id)
    assert spool.exams.release(exam.id).state is ExamState.RELEASED


def test_an_unknown_exam_is_not_found(spool: Spool) -> None:
    for call in (spool.exams.get, spool.exams.finish, spool.exams.release, spool.exams.confirm):
        with pytest.raises(NotFound):
            call("nobody")


# --- whose it is -----------------------------------------------------------------------------------------------


def test_an_assigned_exam_takes_everything_from_its_new_order(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject(BORIS, study_key="typed"))
    assigned = spool.exams.assign(exam.id, item_subject(ANNA))
    assert assigned.patient == ANNA
    assert assigned.identity is Identity.WORKLIST
    assert (assigned.study_instance_uid, assigned.study_id) == ("1.2.3.1", "RP-1")
    assert (assigned.server, assigned.character_set, assigned.study_key) == ("ris", "ISO_IR 192", "")
    assert spool.exams.order(assigned) == b"order of P-1"
    assert (assigned.opened, assigned.id, assigned.request) == (exam.opened, exam.id, exam.request)


def test_an_exam_assigned_to_a_typed_patient_keeps_nothing_of_its_old_order(spool: Spool) -> None:
    exam, _ = spool.exams.open(item_subject(ANNA))
    assigned = spool.exams.assign(exam.id, subject(BORIS))
    assert (assigned.order, assigned.server, assigned.worklist_item, assigned.study_id) == ("", "", "", exam.id)
    assert assigned.procedure.accession_number == ""
    assert assigned.study_instance_uid != exam.study_instance_uid


@pytest.mark.parametrize("torn", ["order-2.dcm", "exam.json"])
def test_an_interrupted_assignment_leaves_the_old_patient_with_the_old_order(
    opened: Callable[..., Spool], reopened: Callable[..., Spool], torn: str
) -> None:
    files = StopsAt()
    spool = opened(files=files)
    exam, _ = spool.exams.open(item_subject(ANNA))
    files.name = torn
    with pytest.raises(Interrupted):
        spool.exams.assign(exam.id, item_subject(BORIS))
    again = reopened()
    assert again.exams.get(exam.id) == exam
    assert again.exams.order(exam) == b"order of P-1"
    assigned = again.exams.assign(exam.id, item_subject(BORIS))
    assert again.exams.order(assigned) == b"order of P-2"


def test_an_assignment_answers_the_question_whose_the_exam_is(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    spool.exams.ask_to_check(exam.id, PleaseCheck.REBOOT)
    assert spool.exams.assign(exam.id, subject(BORIS)).please_check == ""


# --- Study UIDs ------------------------------------------------------------------------------------------------


def test_a_missing_study_uid_is_minted_once_per_order(spool: Spool, reopened: Callable[..., Spool]) -> None:
    words = {"study_instance_uid": "", "study_key": "ris|A-1|RP-1"}
    first, _ = spool.exams.open(item_subject(**words))
    second, _ = spool.exams.open(item_subject(**words), close_open=True)
    assert second.study_instance_uid == first.study_instance_uid
    third, _ = reopened(lose_index=True).exams.open(item_subject(**words), close_open=True)
    assert third.study_instance_uid == first.study_instance_uid
    assert third.please_check == ""


@pytest.mark.parametrize(
    "other",
    [
        {"id": "P-9"},
        {"issuer": "ELSEWHERE"},
        {"id": "", "name": "Other"},
    ],
)
def test_a_minted_study_uid_is_never_given_to_another_patient(spool: Spool, other: dict[str, str]) -> None:
    base = replace(ANNA, id="") if other.get("id") == "" else ANNA
    words = {"study_instance_uid": "", "study_key": "ris|A-1|RP-1"}
    first, _ = spool.exams.open(item_subject(base, **words))
    second, _ = spool.exams.open(item_subject(replace(base, **other), **words), close_open=True)
    assert second.study_instance_uid != first.study_instance_uid


def test_a_study_uid_that_the_server_gave_to_two_patients_is_flagged(spool: Spool) -> None:
    spool.exams.open(item_subject(ANNA, study_instance_uid="1.2.9"))
    second, _ = spool.exams.open(item_subject(BORIS, study_instance_uid="1.2.9"), close_open=True)
    assert second.please_check == PleaseCheck.STUDY_SHARED
    third, _ = spool.exams.open(subject(ANNA), close_open=True)
    assert third.please_check == ""
    assert spool.exams.assign(third.id, item_subject(ANNA, study_instance_uid="1.2.9")).please_check == (
        PleaseCheck.STUDY_SHARED
    )


# --- series and revisions --------------------------------------------------------------------------------------


def test_series_are_numbered_in_order_of_first_capture_and_kept(
    spool: Spool, reopened: Callable[..., Spool]
) -> None:
    exam, _ = spool.exams.open(subject())
    stills = spool.exams.series_for(exam.id, "ultrasound", "still")
    loops = spool.exams.series_for(exam.id, "ultrasound", "clip")
    camera = spool.exams.series_for(exam.id, "camera", "still")
    assert [stills.number, loops.number, camera.number] == [1, 2, 3]
    assert len({s.series_instance_uid for s in (stills, loops, camera)}) == 3
    revision = spool.exams.get(exam.id).revision
    assert spool.exams.series_for(exam.id, "ultrasound", "clip") == loops
    assert spool.exams.get(exam.id).revision == revision
    assert reopened(lose_index=True).exams.series_for(exam.id, "ultrasound", "clip") == loops


def test_changes_of_several_processes_at_once_are_all_kept(opened: Callable[..., Spool]) -> None:
    spools = [opened() for _ in range(3)]
    exam, _ = spools[0].exams.open(subject())

    def add_series(spool: Spool, source: str) -> None:
        for number in range(4):
            spool.exams.series_for(exam.id, source, f"family-{number}")

    run_all([lambda s=s, n=n: add_series(s, f"source-{n}") for n, s in enumerate(spools)])
    final = on_disk(spools[0], exam.id)
    assert final.revision == 1 + 12
    assert sorted(series.number for series in final.series) == list(range(1, 13))
    assert all(spool.exams.get(exam.id) == final for spool in spools)


def test_a_change_that_changes_nothing_leaves_the_revision_alone(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    assert spool.exams.confirm(exam.id) == (exam, False)
    assert on_disk(spool, exam.id).revision == 1


def test_an_older_revision_never_replaces_a_newer_row(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    finished = spool.exams.finish(exam.id)
    spool.exams.put_row(exam)
    assert spool.exams.get(exam.id) == finished
    spool.exams.open(subject(BORIS))
    spool.exams.put_row(exam)  # says "open" beside an open exam: older, so nothing happens
    assert spool.exams.get(exam.id) == finished


def test_an_end_whose_row_could_not_be_written_keeps_nobody_from_going_on(spool: Spool) -> None:
    exam, _ = spool.exams.open(subject())
    with index_unwritable(spool), pytest.raises(DiskFailed):
        spool.exams.finish(exam.id)
    assert spool.exams.open_one() == exam
    following, _ = spool.exams.open(subject(BORIS))
    assert spool.exams.open_one() == following
    assert spool.exams.get(exam.id).state is ExamState.FINISHED


def test_exams_are_listed_latest_first_and_by_state(spool: Spool, clock: FakeClock) -> None:
    first, _ = spool.exams.open(subject())
    clock.move(60)
    second, _ = spool.exams.open(subject(BORIS), close_open=True)
    assert [exam.id for exam in spool.exams.list()] == [second.id, first.id]
    assert [exam.id for exam in spool.exams.list(limit=1)] == [second.id]
    assert [exam.id for exam in spool.exams.list(states_wanted=(ExamState.FINISHED,))] == [first.id]


def test_no_file_name_of_the_spool_carries_patient_data(spool: Spool) -> None:
    exam, _ = spool.exams.open(item_subject())
    store(spool, exam, 1)
    spool.exams.finish(exam.id)
    spool.audit.note("exam-finished", by="panel", exam=exam.id)
    names = " ".join(str(path.relative_to(spool.layout.root)) for path in spool.layout.root.rglob("*"))
    assert "Meier" not in names
    assert "P-1" not in names
    assert "Meier" not in spool.layout.audit.read_text()
    assert json.loads(spool.layout.exam_json(exam.id).read_text())["patient"]["name"] == "Meier^Anna"


def run_all(works: list[Callable[[], object]]) -> None:
    errors: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("answer", ["another patient", "this patient"])
def test_an_exam_opened_from_the_wrong_entry_may_leave_once_a_person_named_its_patient(
    spool: Spool, answer: str
) -> None:
    exam, _ = spool.exams.open(subject(ANNA))
    spool.exams.finish(exam.id, please_check="incorrect-worklist-entry", discontinued="110514")
    if answer == "another patient":
        named = spool.exams.assign(exam.id, subject(BORIS))
    else:
        named, _ = spool.exams.confirm(exam.id)
    assert named.patient == (BORIS if answer == "another patient" else ANNA)
    assert (named.discontinued, named.please_check) == ("", "")
    assert spool.exams.release(exam.id).state is ExamState.RELEASED


def test_two_patients_with_one_study_of_the_server_leave_with_one_each(spool: Spool) -> None:
    first, _ = spool.exams.open(item_subject(ANNA, study_instance_uid="2.25.77"))
    spool.exams.finish(first.id)
    second, _ = spool.exams.open(item_subject(BORIS, study_instance_uid="2.25.77"))
    spool.exams.open(subject(ANNA), close_open=True)  # a second reason to look does not hide the first
    confirmed, _ = spool.exams.confirm(second.id)
    assert (confirmed.patient, confirmed.please_check) == (BORIS, "")
    assert confirmed.study_instance_uid != first.study_instance_uid == "2.25.77"
