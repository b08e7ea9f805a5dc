"""Numbers for pictures that are moved into an exam, and for those that are pressed meanwhile."""

from datetime import timedelta

import pytest

from gateway.errors import NotFound
from gateway.model import Exam
from gateway.spool import records
from gateway.spool.reopening import reopen


def test_no_press_gets_a_number_that_was_given_to_a_picture_that_is_moved(box):
    exam = box.exam()
    box.show()
    assert box.press().result(10).instance_number == 1
    assert box.presses.reserve(exam.id, 2) == [2, 3]
    assert box.press().result(10).instance_number == 4


def test_a_still_on_its_way_into_an_exam_that_ended_keeps_its_number(box):
    first = box.exam()
    box.show()
    box.disk.held = lambda step, name: step == "create" and name.endswith(".ljpg.part")
    pressed = box.press()
    assert box.disk.waiting.acquire(timeout=10)
    box.exam("Huber^Eva", close_open=True)
    assert box.presses.reserve(first.id, 1) == [2]
    box.disk.moves.set()
    assert pressed.result(10).instance_number == 1


def test_a_still_on_its_way_while_its_exam_is_opened_again_keeps_its_number(box):
    exam = box.exam()
    box.show()
    assert box.press().result(10).instance_number == 1
    box.disk.held = lambda step, name: step == "create" and name.endswith(".ljpg.part")
    late = box.press()
    assert box.disk.waiting.acquire(timeout=10)
    box.disk.held = lambda *_: False
    box.spool.exams.finish(exam.id)
    box.spool.exams.release(exam.id)
    box.clock.move(1)
    reopen(box.spool, exam.id, within=timedelta(days=1))
    box.show()
    assert box.press().result(10).instance_number == 3
    box.disk.moves.set()
    assert late.result(10).instance_number == 2
    stored = [each.capture.instance_number for each in box.spool.captures.of_exam(exam.id)]
    assert sorted(stored) == [1, 2, 3]


def test_numbers_are_given_of_exams_that_there_are(box):
    with pytest.raises(NotFound):
        box.presses.reserve("0000000000", 1)


def test_a_capture_that_dies_after_it_gave_numbers_gives_none_of_them_to_the_next_press(box):
    exam = box.exam()
    box.show()
    assert box.press().result(10).instance_number == 1
    assert box.presses.reserve(exam.id, 2) == [2, 3]
    assert box.spool.captures.highest_number(exam.id) == 3, "though nothing lies under them yet"
    kept = records.load(Exam, box.spool.layout.exam_json(exam.id).read_bytes())
    assert kept.numbered == 3
