"""Of which side of the body a picture is: what held at its press, what a person says later, until it leaves."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import BadValue, DiskFailed, NotFound, WrongState
from gateway.model import Capture, Exam, Identity, Side
from gateway.spool import records
from gateway.spool.captures import Listed
from gateway.spool.moving import move
from gateway.spool.reopening import reopen
from gateway.spool.sides import Said
from gateway.spool.spool import Spool
from tests.unit.spool.values import BORIS, codestream_of, index_unwritable, still, store, subject


@pytest.fixture
def exam(spool: Spool) -> Exam:
    return spool.exams.open(subject())[0]


def taken(spool: Spool, exam: Exam, number: int, *, body_part: str = "", side: Side = Side.NOT_SAID) -> Capture:
    """Store a still of this part of the body, of the side that was said at its press."""
    made = still(exam, number, clock=spool.clock)
    made = replace(made, equipment=replace(made.equipment, body_part=body_part), side=side)
    spool.captures.write_media(exam.id, made.media, [codestream_of(made.sop_instance_uid)])
    spool.captures.write_sidecar(made)
    spool.captures.put_row(made)
    return made


def side_of(spool: Spool, capture: Capture) -> Side:
    return spool.captures.get(capture.sop_instance_uid).capture.side


@pytest.mark.parametrize("lost", [{}, {"lose_index": True}], ids=["restart", "lost-index"])
def test_a_side_that_was_said_of_a_picture_survives_a_restart_and_a_lost_index(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool], lost: dict[str, bool]
) -> None:
    said, changed, taken_back, at_press = (
        taken(spool, exam, number, side=side)
        for number, side in enumerate((Side.NOT_SAID, Side.LEFT, Side.RIGHT, Side.RIGHT), 1)
    )
    sidecar = spool.layout.sidecar(exam.id, changed.sop_instance_uid)
    before = sidecar.read_bytes()
    spool.sides.say(said.sop_instance_uid, Side.LEFT)
    spool.sides.say(changed.sop_instance_uid, Side.RIGHT)
    spool.sides.say(changed.sop_instance_uid, Side.BOTH)
    spool.sides.say(taken_back.sop_instance_uid, Side.NOT_SAID)
    again = reopened(**lost)
    assert [side_of(again, each) for each in (said, changed, taken_back, at_press)] == [
        Side.LEFT,
        Side.BOTH,
        Side.NOT_SAID,
        Side.RIGHT,
    ]
    assert sidecar.read_bytes() == before


def test_a_side_whose_row_could_not_be_written_counts_after_the_next_start(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    capture = taken(spool, exam, 1)
    with index_unwritable(spool), pytest.raises(DiskFailed):
        spool.sides.say(capture.sop_instance_uid, Side.LEFT)
    assert side_of(spool, capture) is Side.NOT_SAID
    assert side_of(reopened(), capture) is Side.LEFT


def test_who_makes_the_object_takes_the_side_that_the_file_says(spool: Spool, exam: Exam) -> None:
    capture = taken(spool, exam, 1, side=Side.RIGHT)
    with index_unwritable(spool), pytest.raises(DiskFailed):
        spool.sides.say(capture.sop_instance_uid, Side.LEFT)
    assert spool.sides.as_said(capture).side is Side.LEFT
    assert side_of(spool, capture) is Side.LEFT


def test_a_damaged_file_of_a_side_hides_no_picture_and_makes_no_side_up(
    spool: Spool, exam: Exam, reopened: Callable[..., Spool]
) -> None:
    capture = taken(spool, exam, 1)
    spool.sides.say(capture.sop_instance_uid, Side.LEFT)
    path = spool.layout.side(exam.id, capture.sop_instance_uid)
    path.write_bytes(path.read_bytes().replace(b'"L"', b'"R"'))
    assert side_of(reopened(lose_index=True), capture) is Side.NOT_SAID


def test_no_side_is_said_of_what_was_released(spool: Spool, exam: Exam) -> None:
    capture = taken(spool, exam, 1)
    spool.exams.finish(exam.id)
    spool.sides.say(capture.sop_instance_uid, Side.LEFT)  # finished is not gone
    spool.exams.release(exam.id)
    with pytest.raises(WrongState):
        spool.sides.say(capture.sop_instance_uid, Side.RIGHT)
    assert side_of(spool, capture) is Side.LEFT


def test_no_side_is_said_of_a_picture_that_left_while_its_exam_is_open(spool: Spool, exam: Exam) -> None:
    capture = taken(spool, exam, 1)
    assert spool.releases.release(exam.id, capture.sop_instance_uid, tuple(Identity))
    with pytest.raises(WrongState):
        spool.sides.say(capture.sop_instance_uid, Side.LEFT)
    assert spool.sides.missing(exam.id) == []


def test_a_part_of_the_body_that_is_no_pair_has_no_side(spool: Spool, exam: Exam) -> None:
    capture = taken(spool, exam, 1, body_part="COLON")
    with pytest.raises(BadValue):
        spool.sides.say(capture.sop_instance_uid, Side.LEFT)
    assert not spool.layout.side(exam.id, capture.sop_instance_uid).exists()
    with pytest.raises(NotFound):
        spool.sides.say("2.25.1", Side.LEFT)


def test_a_side_said_from_now_on_ends_with_the_exam(spool: Spool, exam: Exam) -> None:
    spool.sides.from_now_on(exam.id, Side.LEFT)
    assert spool.exams.get(exam.id).side is Side.LEFT
    spool.exams.finish(exam.id)
    with pytest.raises(WrongState):
        spool.sides.from_now_on(exam.id, Side.RIGHT)
    spool.exams.release(exam.id)
    assert reopen(spool, exam.id, within=timedelta(hours=1)).side is Side.NOT_SAID
    assert spool.exams.open(subject(), close_open=True)[0].side is Side.NOT_SAID


def test_the_picture_just_taken_gets_the_first_side_that_is_said_and_no_earlier_one(
    spool: Spool, exam: Exam
) -> None:
    first, last = taken(spool, exam, 1), taken(spool, exam, 2)
    assert spool.sides.from_now_on(exam.id, Side.LEFT)[1] == last.sop_instance_uid
    assert [side_of(spool, each) for each in (first, last)] == [Side.NOT_SAID, Side.LEFT]


def test_a_side_that_was_said_is_never_overruled_by_the_next_one(spool: Spool, exam: Exam) -> None:
    spool.sides.from_now_on(exam.id, Side.LEFT)
    last = taken(spool, exam, 1, side=Side.LEFT)
    assert spool.sides.from_now_on(exam.id, Side.RIGHT)[1] == ""
    assert side_of(spool, last) is Side.LEFT


def test_turning_to_the_other_side_says_nothing_of_a_picture_whose_side_was_taken_back(
    spool: Spool, exam: Exam
) -> None:
    spool.sides.from_now_on(exam.id, Side.LEFT)
    last = taken(spool, exam, 1, side=Side.LEFT)
    spool.sides.say(last.sop_instance_uid, Side.NOT_SAID)
    assert spool.sides.from_now_on(exam.id, Side.RIGHT)[1] == ""
    assert side_of(spool, last) is Side.NOT_SAID


def test_of_a_pair_every_side_is_asked_and_of_the_unknown_only_beside_others_that_have_one(
    spool: Spool, exam: Exam
) -> None:
    unknown, colon = taken(spool, exam, 1), taken(spool, exam, 2, body_part="COLON")
    assert spool.sides.missing(exam.id) == []
    knee, gone = taken(spool, exam, 3, body_part="KNEE"), taken(spool, exam, 4, body_part="KNEE")
    spool.captures.reject(gone.sop_instance_uid, "blurred")
    assert spool.sides.missing(exam.id) == [knee.sop_instance_uid]
    spool.sides.say(knee.sop_instance_uid, Side.LEFT)
    assert spool.sides.missing(exam.id) == [unknown.sop_instance_uid]
    assert spool.sides.say_missing(exam.id, Side.UNPAIRED) == [unknown.sop_instance_uid]
    assert spool.sides.missing(exam.id) == []
    assert [side_of(spool, each) for each in (unknown, colon, knee, gone)] == [
        Side.UNPAIRED,
        Side.NOT_SAID,
        Side.LEFT,
        Side.NOT_SAID,
    ]


def test_what_stands_in_the_file_can_be_read_by_people(spool: Spool, exam: Exam) -> None:
    capture = store(spool, exam, 1)
    spool.sides.say(capture.sop_instance_uid, Side.LEFT)
    found = records.load(Said, spool.layout.side(exam.id, capture.sop_instance_uid).read_bytes())
    assert found == Said(side=Side.LEFT, utc=spool.clock.utc().isoformat())


def test_what_misses_its_side_no_more_or_is_elsewhere_now_is_passed_over(
    spool: Spool, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, moved, left, misses = (taken(spool, exam, number, body_part="KNEE") for number in range(1, 5))
    other, _ = spool.exams.open(subject(BORIS), close_open=True)
    look = spool.sides.missing

    def meanwhile(of: str) -> list[str]:
        found = look(of)
        spool.sides.say(said.sop_instance_uid, Side.RIGHT)
        move(spool, exam.id, [moved.sop_instance_uid], other.id, numbers=[1])
        spool.captures.reject(left.sop_instance_uid, "blurred")
        return found

    monkeypatch.setattr(spool.sides, "missing", meanwhile)
    assert spool.sides.say_missing(exam.id, Side.LEFT) == [misses.sop_instance_uid]
    assert [side_of(spool, each) for each in (said, moved, left, misses)] == [
        Side.RIGHT,
        Side.NOT_SAID,
        Side.NOT_SAID,
        Side.LEFT,
    ]


def test_what_was_said_of_the_last_picture_at_that_moment_is_not_overruled(
    spool: Spool, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = taken(spool, exam, 1, body_part="KNEE")
    look = spool.captures.of_exam

    def meanwhile(of: str) -> list[Listed]:
        found = look(of)
        spool.sides.say(last.sop_instance_uid, Side.RIGHT)
        return found

    monkeypatch.setattr(spool.captures, "of_exam", meanwhile)
    changed, also = spool.sides.from_now_on(exam.id, Side.LEFT)
    assert (changed.side, also, side_of(spool, last)) == (Side.LEFT, "", Side.RIGHT)
