"""Numbers for pictures that are moved into an exam, and for those that are pressed meanwhile."""

import pytest

from gateway.errors import NotFound
from gateway.model import Exam
from gateway.spool import records


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
