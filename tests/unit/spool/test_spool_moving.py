"""Pictures of another patient go to that patient's exam, whole, once, and with numbers that nobody else has."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.errors import BadValue, DiskFailed, NotFound, WrongState
from gateway.model import Capture, Exam, Identity, Side
from gateway.spool.inspection import inspect_exam
from gateway.spool.moving import move
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.spool import Spool
from tests.unit.spool.values import (
    ANNA,
    BORIS,
    add_frames,
    begin_clip,
    codestream_of,
    index_unwritable,
    store,
    subject,
)


@pytest.fixture
def exams(spool: Spool) -> tuple[Exam, Exam]:
    """Anna's exam, which was closed by Boris's, which is open."""
    first, _ = spool.exams.open(subject(ANNA))
    second, _ = spool.exams.open(subject(BORIS), close_open=True)
    return spool.exams.get(first.id), second


def uids(spool: Spool, exam: Exam) -> list[str]:
    return [each.capture.sop_instance_uid for each in spool.captures.of_exam(exam.id)]


def files(spool: Spool, exam: Exam) -> set[str]:
    return {path.name for path in spool.layout.exam(exam.id).iterdir()} - {".lock", "exam.json"}


def clip_of(spool: Spool, exam: Exam, number: int) -> Capture:
    writer = begin_clip(spool, exam, number)
    add_frames(writer, 3)
    capture = writer.close()
    spool.captures.write_sidecar(capture)
    spool.captures.put_row(capture)
    return capture


def test_what_is_moved_has_its_bytes_its_uid_its_side_and_a_number_of_its_new_exam(
    spool: Spool, exams: tuple[Exam, Exam], reopened: Callable[..., Spool]
) -> None:
    old, new = exams
    stays, goes = store(spool, old, 1), store(spool, old, 2)
    spool.sides.say(goes.sop_instance_uid, Side.LEFT)
    store(spool, new, 1)
    (moved,) = move(spool, old.id, [goes.sop_instance_uid], new.id, numbers=[2])
    assert moved == replace(goes, exam=new.id, instance_number=2, side=Side.LEFT, patient=BORIS)
    for found in (spool, reopened(), reopened(lose_index=True)):
        assert uids(found, old) == [stays.sop_instance_uid]
        assert found.captures.get(goes.sop_instance_uid).capture == moved
        media = found.layout.media(new.id, goes.media).read_bytes()
        assert media == codestream_of(goes.sop_instance_uid)
        assert found.exams.get(new.id).patient == BORIS
        assert list(inspect_exam(found, old.id)) == list(inspect_exam(found, new.id)) == []
    assert files(spool, old) == {
        *(stays.sop_instance_uid + each for each in (".json", ".ljpg")),
        goes.sop_instance_uid + ".moved",
    }


def test_no_word_of_the_wrong_patient_goes_along(spool: Spool, exams: tuple[Exam, Exam]) -> None:
    old, new = exams
    goes = store(spool, old, 1)
    move(spool, old.id, [goes.sop_instance_uid], new.id, numbers=[1])
    written = b"".join(path.read_bytes() for path in spool.layout.exam(new.id).iterdir() if path.suffix != ".ljpg")
    assert ANNA.id.encode() not in written
    assert ANNA.name.encode() not in written


def test_a_clip_goes_with_all_of_its_files(spool: Spool, exams: tuple[Exam, Exam]) -> None:
    old, new = exams
    spool.exams.finish(new.id)
    back, _ = spool.exams.open(subject(ANNA))
    clip = clip_of(spool, back, 1)
    spool.exams.finish(back.id)
    (moved,) = move(spool, back.id, [clip.sop_instance_uid], old.id, numbers=[1])
    assert (moved.exam, moved.frames, moved.sha256) == (old.id, 3, clip.sha256)
    assert list(inspect_exam(spool, old.id)) == []
    assert files(spool, back) == {clip.sop_instance_uid + ".moved"}


def test_a_picture_that_was_moved_by_mistake_comes_back_and_can_go_again(
    spool: Spool, exams: tuple[Exam, Exam], reopened: Callable[..., Spool]
) -> None:
    old, new = exams
    uid = store(spool, old, 1).sop_instance_uid
    for source, target, number in ((old, new, 1), (new, old, 2), (old, new, 3), (new, old, 4)):
        move(spool, source.id, [uid], target.id, numbers=[number])
    assert not spool.layout.moved(old.id, uid).exists()
    assert spool.layout.moved(new.id, uid).exists()
    for found in (spool, reopened(), reopened(lose_index=True)):
        recover_captures(found)
        assert (uids(found, old), uids(found, new)) == ([uid], [])
        assert found.captures.get(uid).capture.instance_number == 4
        assert [found.captures.highest_number(exam.id) for exam in (old, new)] == [4, 3]
        assert list(inspect_exam(found, old.id)) == []


def test_moved_pictures_keep_the_order_of_their_presses(spool: Spool, exams: tuple[Exam, Exam]) -> None:
    old, new = exams
    first, second, third = (store(spool, old, number) for number in (1, 2, 3))
    wanted = [each.sop_instance_uid for each in (third, first, second)]
    moved = move(spool, old.id, wanted, new.id, numbers=[8, 7, 9])
    assert [(each.sop_instance_uid, each.instance_number) for each in moved] == [
        (each.sop_instance_uid, number) for each, number in zip((first, second, third), (7, 8, 9), strict=True)
    ]


def test_the_number_of_a_picture_that_went_is_given_to_no_other(
    spool: Spool, exams: tuple[Exam, Exam], reopened: Callable[..., Spool]
) -> None:
    old, new = exams
    store(spool, old, 1)
    last = store(spool, old, 2)
    move(spool, old.id, [last.sop_instance_uid], new.id, numbers=[1])
    assert spool.captures.highest_number(old.id) == 2
    assert reopened(lose_index=True).captures.highest_number(old.id) == 2


def test_nothing_goes_without_a_free_number_of_its_own(spool: Spool, exams: tuple[Exam, Exam]) -> None:
    old, new = exams
    capture = store(spool, old, 1)
    store(spool, new, 1)
    for numbers in ((), (1,), (2, 3)):
        with pytest.raises(WrongState):
            move(spool, old.id, [capture.sop_instance_uid], new.id, numbers=numbers)
    assert uids(spool, old) == [capture.sop_instance_uid]
    assert not spool.layout.moved(old.id, capture.sop_instance_uid).exists()


def test_nothing_is_moved_out_of_or_into_what_was_released(spool: Spool, exams: tuple[Exam, Exam]) -> None:
    old, new = exams
    first, second = store(spool, old, 1), store(spool, new, 1)
    spool.exams.confirm(old.id)
    spool.exams.release(old.id)
    with pytest.raises(WrongState):
        move(spool, old.id, [first.sop_instance_uid], new.id, numbers=[2])
    with pytest.raises(WrongState):
        move(spool, new.id, [second.sop_instance_uid], old.id, numbers=[2])


def test_a_picture_that_left_while_its_exam_is_open_stays(spool: Spool, exams: tuple[Exam, Exam]) -> None:
    old, new = exams
    capture = store(spool, new, 1)
    assert spool.releases.release(new.id, capture.sop_instance_uid, tuple(Identity))
    with pytest.raises(WrongState):
        move(spool, new.id, [capture.sop_instance_uid], old.id, numbers=[1])


def test_one_picture_that_cannot_go_keeps_all_of_them(spool: Spool, exams: tuple[Exam, Exam]) -> None:
    old, new = exams
    good, removed, other = store(spool, old, 1), store(spool, old, 2), store(spool, new, 1)
    spool.captures.reject(removed.sop_instance_uid, "blurred")
    for wrong, error in (
        (removed.sop_instance_uid, WrongState),
        (other.sop_instance_uid, NotFound),
        ("2.25.1", NotFound),
    ):
        with pytest.raises(error):
            move(spool, old.id, [good.sop_instance_uid, wrong], new.id, numbers=[2, 3])
    for exam, wanted in ((old.id, []), (old.id, [good.sop_instance_uid] * 2), (new.id, [good.sop_instance_uid])):
        with pytest.raises(BadValue):
            move(spool, old.id if exam == old.id else new.id, wanted, new.id, numbers=[2, 3])
    with pytest.raises(NotFound):
        move(spool, old.id, [good.sop_instance_uid], "0000000000", numbers=[2])
    assert uids(spool, old) == [good.sop_instance_uid, removed.sop_instance_uid]


@pytest.mark.parametrize("lost", [{}, {"lose_index": True}], ids=["restart", "lost-index"])
def test_a_move_whose_row_could_not_be_written_is_finished_at_the_next_start(
    spool: Spool, exams: tuple[Exam, Exam], reopened: Callable[..., Spool], lost: dict[str, bool]
) -> None:
    old, new = exams
    capture = store(spool, old, 1)
    with index_unwritable(spool), pytest.raises(DiskFailed):
        move(spool, old.id, [capture.sop_instance_uid], new.id, numbers=[5])
    again = reopened(**lost)
    recover_captures(again)
    assert uids(again, old) == []
    assert again.captures.get(capture.sop_instance_uid).capture == replace(
        capture, exam=new.id, instance_number=5, patient=BORIS
    )
    assert files(again, old) == {capture.sop_instance_uid + ".moved"}
