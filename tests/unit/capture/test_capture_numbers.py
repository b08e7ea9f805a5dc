"""Numbers for pictures that are moved into the open exam, and for those that are pressed meanwhile."""

import pytest

from gateway.errors import ExamChanged, NotFound


def test_no_press_gets_a_number_that_was_given_to_a_picture_that_is_moved(box):
    exam = box.exam()
    box.show()
    assert box.press().result(10).instance_number == 1
    assert box.presses.reserve(exam.id, 2) == [2, 3]
    assert box.press().result(10).instance_number == 4


def test_numbers_are_given_of_the_open_exam_alone(box):
    first = box.exam()
    box.exam("Huber^Eva", close_open=True)
    with pytest.raises(ExamChanged):
        box.presses.reserve(first.id, 1)
    with pytest.raises(NotFound):
        box.presses.reserve("0000000000", 1)
