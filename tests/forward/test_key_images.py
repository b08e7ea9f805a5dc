"""Key images: the list of them is made once, names what goes where it goes, and holds nothing up."""

import errno
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Destination, Source
from gateway.errors import ScopegateError, WrongState
from gateway.forward.making.fallback import Fallbacks
from gateway.forward.making.key_objects import KeyObjects
from gateway.forward.making.procedure_steps import ProcedureSteps
from gateway.forward.media.export import export, items_of
from gateway.forward.sending.rearm import rearm
from gateway.model import KEY_OBJECTS, Capture, DeliveryState, Exam, SealedObject
from gateway.spool.inspection import inspect_exam
from gateway.spool.opening import open_spool
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.reopening import reopen
from gateway.spool.spool import Spool
from tests.forward.bench import (
    STATION,
    Disk,
    clip,
    deliveries,
    let_go,
    open_exam,
    ordered,
    release,
    still,
    wrap_all,
)
from tests.forward.channels import EVERYTHING, Archive, pacs, run, sender
from tests.forward.media_bench import listed
from tests.forward.step_bench import Server, tell
from tests.forward.test_fallback import NoClips, forward

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState


def lists_of(spool: Spool, exam: Exam) -> list[SealedObject]:
    """Return an exam's lists as they were made, in their order."""
    made = {each.sop_instance_uid: each for each in spool.objects.of_exam(exam.id)}
    return [made[d.sop_instance_uid] for d in spool.exams.get(exam.id).key_documents if d.sop_instance_uid in made]


def read(spool: Spool, sealed: SealedObject) -> pydicom.Dataset:
    return pydicom.dcmread(spool.objects.path(sealed))


def names(spool: Spool, sealed: SealedObject) -> list[str]:
    content = read(spool, sealed).ContentSequence
    return [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in content]


def mark(spool: Spool, *captures: Capture) -> None:
    for capture in captures:
        spool.key_images.mark(capture.sop_instance_uid, key=True)


def maker(spool: Spool, *destinations: Destination) -> KeyObjects:
    to = destinations or (pacs(),)
    settled = Fallbacks(spool=spool, station=STATION, destinations=to).settled
    return KeyObjects(spool=spool, station=STATION, settled=settled)


def test_an_exam_with_marks_gets_one_list_that_names_stills_and_clips(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    first, _, film = still(spool, exam), still(spool, exam), clip(spool, exam)
    mark(spool, film, first)
    exam = let_go(spool, exam)
    part = maker(spool)
    assert not part.step(), "its pictures are no objects yet"
    wrap_all(spool)
    assert part.step()
    assert not part.step()
    (made,) = lists_of(spool, exam)
    found = read(spool, made)
    assert names(spool, made) == [first.sop_instance_uid, film.sop_instance_uid]
    assert (found.Modality, found.SeriesNumber, found.InstanceNumber) == ("KO", 900, 1)
    assert found.ConceptNameCodeSequence[0].CodeValue == "113000"
    assert found.StudyInstanceUID == exam.study_instance_uid
    evidence = found.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    of_files = {read(spool, o).SeriesInstanceUID for o in spool.objects.of_exam(exam.id) if o.frames}
    assert {series.SeriesInstanceUID for series in evidence} == of_files
    assert [(d.state, d.destination) for d in deliveries(spool) if d.sop_instance_uid == made.sop_instance_uid] == [
        (Q, "pacs")
    ]


def test_an_exam_without_marks_gets_no_list(spool: Spool) -> None:
    exam = open_exam(spool)
    taken_back, removed = still(spool, exam), still(spool, exam)
    mark(spool, taken_back, removed)
    spool.key_images.mark(taken_back.sop_instance_uid, key=False)
    spool.captures.reject(removed.sop_instance_uid, "mistake")
    exam = let_go(spool, exam)
    wrap_all(spool)
    assert not maker(spool).step()
    assert lists_of(spool, exam) == []


def test_a_mark_goes_with_a_removed_picture_and_comes_back_with_it(spool: Spool) -> None:
    exam = open_exam(spool)
    one, other = still(spool, exam), still(spool, exam)
    mark(spool, one, other)
    spool.captures.reject(one.sop_instance_uid, "mistake")
    assert [each.capture.sop_instance_uid for each in spool.key_images.of_exam(exam.id)] == [other.sop_instance_uid]
    spool.captures.restore(one.sop_instance_uid)
    assert len(spool.key_images.of_exam(exam.id)) == 2


def test_an_archive_that_gets_stills_only_gets_a_list_that_names_stills_only(spool: Spool) -> None:
    everything, stills = pacs(), pacs("stills", types=("still",))
    exam = open_exam(spool)
    picture, film = still(spool, exam), clip(spool, exam)
    mark(spool, picture, film)
    exam = let_go(spool, exam)
    wrap_all(spool, everything, stills)
    maker(spool, everything, stills).step()
    whole, part = lists_of(spool, exam)
    assert (names(spool, whole), whole.destinations) == (
        [picture.sop_instance_uid, film.sop_instance_uid],
        ("pacs",),
    )
    assert (names(spool, part), part.destinations) == ([picture.sop_instance_uid], ("stills",))
    assert part.derived_from == whole.sop_instance_uid


def test_an_archive_that_got_stills_of_a_clip_gets_a_list_that_names_these(spool: Spool) -> None:
    exam = open_exam(spool, ordered())
    mark(spool, clip(spool, exam, frames=7))
    exam = let_go(spool, exam)
    wrap_all(spool)
    to = pacs(fallback="key-stills")
    part, archive = maker(spool, to), NoClips()
    assert not part.step(), "nobody knows yet whether the clip goes as it is"
    forward(spool, archive, to)
    assert part.step()
    whole, other = lists_of(spool, exam)
    made = {o.sop_instance_uid for o in spool.objects.of_exam(exam.id) if o.derived_from and o.frames}
    assert set(names(spool, other)) == made
    assert (whole.destinations, other.destinations) == ((), ("pacs",))


def test_an_archive_that_refuses_the_list_has_the_pictures_all_the_same(spool: Spool) -> None:
    exam = open_exam(spool)
    mark(spool, still(spool, exam))
    exam = let_go(spool, exam)
    wrap_all(spool)
    maker(spool).step()
    archive = Archive()
    archive.accepts = lambda sop_class: () if sop_class == KEY_OBJECTS else EVERYTHING
    part = sender(spool, archive, pacs())
    run(part)
    picture, document = sorted(deliveries(spool), key=lambda each: each.id)
    assert picture.state is SENT
    assert (document.state, document.code) == (HELD, "no-context")
    assert "does not take lists of key images" in document.reason
    assert part.pause is None


def test_more_marks_after_an_exam_was_opened_again_make_a_second_list_and_the_first_stays(
    spool: Spool, clock: FakeClock
) -> None:
    exam = open_exam(spool)
    first, later = still(spool, exam), still(spool, exam)
    mark(spool, first)
    exam = let_go(spool, exam)
    wrap_all(spool)
    part = maker(spool)
    part.step()
    reopen(spool, exam.id, within=(clock.utc() - clock.utc()).resolution * 10**9)
    mark(spool, later)
    with pytest.raises(WrongState):
        spool.key_images.mark(first.sop_instance_uid, key=False)
    let_go(spool, spool.exams.get(exam.id))
    assert part.step()
    one, two = lists_of(spool, exam)
    assert names(spool, one) == [first.sop_instance_uid]
    assert names(spool, two) == [first.sop_instance_uid, later.sop_instance_uid]
    assert (read(spool, two).InstanceNumber, one.sop_instance_uid != two.sop_instance_uid) == (2, True)


def test_a_released_exam_takes_no_marks(spool: Spool) -> None:
    exam = open_exam(spool)
    picture = still(spool, exam)
    let_go(spool, exam)
    with pytest.raises(WrongState):
        mark(spool, picture)


def test_a_list_that_a_cut_kept_from_being_made_is_made_once_and_the_same(spool: Spool, disk: Disk) -> None:
    exam = open_exam(spool)
    mark(spool, still(spool, exam))
    exam = let_go(spool, exam)
    wrap_all(spool)
    uids, after = set(), 0
    while True:
        disk.fail(errno.EIO, after=after)
        try:
            maker(spool).step()
        except ScopegateError:
            after += 1
            disk.heal()
            uids |= {each.sop_instance_uid for each in spool.exams.get(exam.id).key_documents}
            continue
        break
    disk.heal()
    assert after > 5
    (made,) = lists_of(spool, exam)
    assert uids == {made.sop_instance_uid}
    assert len([d for d in deliveries(spool) if d.sop_instance_uid == made.sop_instance_uid]) == 1


def test_a_list_goes_where_it_was_to_go_after_the_index_was_lost(spool: Spool, clock: FakeClock) -> None:
    everything, stills = pacs(), pacs("stills", types=("still",))
    exam = open_exam(spool)
    mark(spool, still(spool, exam), clip(spool, exam))
    exam = let_go(spool, exam)
    wrap_all(spool, everything, stills)
    maker(spool, everything, stills).step()
    before = {(d.sop_instance_uid, d.destination) for d in deliveries(spool)}
    root = spool.layout.root
    spool.close()
    spool.layout.database.unlink()
    again = open_spool(root, clock=clock, destinations=[everything, stills])
    adopt_seals(again, [everything, stills])
    assert {(d.sop_instance_uid, d.destination) for d in deliveries(again)} == before
    assert len(again.key_images.of_exam(exam.id)) == 2
    assert not maker(again, everything, stills).step() or len(lists_of(again, exam)) == 2
    again.close()


def test_a_medium_has_the_list_of_everything_in_its_directory(spool: Spool, tmp_path: Path) -> None:
    everything, stills = pacs(), pacs("stills", types=("still",))
    exam = open_exam(spool)
    picture, film = still(spool, exam), clip(spool, exam)
    mark(spool, picture, film)
    exam = let_go(spool, exam)
    wrap_all(spool, everything, stills)
    maker(spool, everything, stills).step()
    whole, _ = lists_of(spool, exam)
    items, missing = items_of(spool, exam.id)
    assert ([each.sealed for each in items][-1], len(items), missing) == (whole, 3, 0)
    stick = tmp_path / "stick"
    stick.mkdir()
    export(spool, [exam.id], stick, by="test", jpeg=True)
    assert whole.sop_instance_uid in listed(stick)
    export(spool, [exam.id], stick, by="test")
    assert len(listed(stick)) == 3


def test_an_archive_that_took_no_lists_is_offered_them_again_at_the_next_start(spool: Spool) -> None:
    exam = open_exam(spool)
    mark(spool, still(spool, exam))
    let_go(spool, exam)
    wrap_all(spool)
    maker(spool).step()
    archive = Archive()
    archive.accepts = lambda sop_class: () if sop_class == KEY_OBJECTS else EVERYTHING
    run(sender(spool, archive, pacs()))
    rearm(spool, [pacs()])
    run(sender(spool, Archive(), pacs()))
    assert {d.state for d in deliveries(spool)} == {SENT}


def test_the_end_of_a_procedure_step_waits_for_its_list_and_names_it(spool: Spool, server: Server) -> None:
    exam = open_exam(spool, ordered())
    part = maker(spool)
    plan = ProcedureSteps(
        spool=spool,
        servers=("ris",),
        station=STATION,
        sources=[Source(name="us", modality="US")],
        temporary="hold",
        settled=lambda *_, **__: True,
        listed=part.are_made,
    )
    plan.step()
    mark(spool, still(spool, exam))
    exam = let_go(spool, spool.exams.get(exam.id))
    wrap_all(spool)
    plan.step()
    tell(spool, server)
    assert [kind for kind, _ in server.words] == ["create"], "the list is not made yet"
    part.step()
    plan.step()
    tell(spool, server)
    (made,) = lists_of(spool, exam)
    series = server.told[-1].data_set.PerformedSeriesSequence
    (listed_in,) = [each for each in series if each.ReferencedNonImageCompositeSOPInstanceSequence]
    reference = listed_in.ReferencedNonImageCompositeSOPInstanceSequence[0]
    assert (reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID) == (
        KEY_OBJECTS,
        made.sop_instance_uid,
    )
    assert listed_in.SeriesInstanceUID == read(spool, made).SeriesInstanceUID
    step = read(spool, made).ReferencedPerformedProcedureStepSequence[0]
    assert step.ReferencedSOPInstanceUID == server.told[0].step
    assert server.words[-1] == ("set", "COMPLETED")


def everything(capture: Capture) -> bool:
    return bool(capture.sop_instance_uid)


def test_a_new_archive_gets_the_list_with_the_pictures_that_it_gets(spool: Spool) -> None:
    exam = open_exam(spool)
    mark(spool, still(spool, exam), clip(spool, exam))
    exam = let_go(spool, exam)
    wrap_all(spool)
    maker(spool).step()
    (made,) = lists_of(spool, exam)
    since = exam.opened.utc
    assert spool.rerouting.add("new", since=since, wants=everything) == 3
    assert made.sop_instance_uid in {d.sop_instance_uid for d in deliveries(spool, "new")}
    assert spool.rerouting.add("stills", since=since, wants=lambda capture: capture.kind == "still") == 1
    assert made.sop_instance_uid not in {d.sop_instance_uid for d in deliveries(spool, "stills")}


def test_a_mark_of_a_picture_that_left_at_once_makes_a_list_at_the_end(spool: Spool) -> None:
    exam = open_exam(spool)
    picture = still(spool, exam)
    release(spool, at_once=True).step()
    wrap_all(spool)
    mark(spool, picture)
    part = maker(spool)
    assert not part.step(), "more may be marked"
    exam = let_go(spool, exam)
    assert part.step()
    assert names(spool, lists_of(spool, exam)[0]) == [picture.sop_instance_uid]


def test_no_list_names_what_was_no_key_image_any_more_when_it_was_decided(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam = open_exam(spool)
    kept, other = still(spool, exam), still(spool, exam)
    mark(spool, kept, other)
    exam = let_go(spool, exam)
    wrap_all(spool)
    part, decide = maker(spool), spool.key_images.decide

    def late(*words: object, **named: object) -> Exam:
        reopen(spool, exam.id, within=timedelta(days=1))
        spool.key_images.mark(other.sop_instance_uid, key=False)
        return decide(*words, **named)

    with monkeypatch.context() as patch:
        patch.setattr(spool.key_images, "decide", late)
        assert not part.step()
    assert spool.exams.get(exam.id).key_documents == ()
    spool.exams.finish(exam.id)
    spool.exams.release(exam.id)
    assert part.step()
    assert [names(spool, each) for each in lists_of(spool, exam)] == [[kept.sop_instance_uid]]


def test_a_check_of_the_spool_finds_the_list_and_nothing_wrong_with_it(spool: Spool) -> None:
    exam = open_exam(spool)
    mark(spool, still(spool, exam))
    exam = let_go(spool, exam)
    wrap_all(spool)
    maker(spool).step()
    wrap_all(spool)
    assert list(inspect_exam(spool, exam.id)) == []
    (made,) = lists_of(spool, exam)
    assert f"{made.sha256}  {made.sop_instance_uid}.dcm\n" in spool.layout.sums(exam.id).read_text()
    path = spool.objects.path(made)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert list(inspect_exam(spool, exam.id)) != []
