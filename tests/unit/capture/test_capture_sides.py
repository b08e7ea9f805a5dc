"""A picture is of the side that was said when it was taken: by the screen at a touch, else for the exam."""

from dataclasses import replace

import pytest

from gateway.model import Side
from tests.unit.capture.clips import stored


@pytest.fixture
def exam(box):
    opened = box.exam()
    box.show()
    return opened


def shows(box, body_part):
    grabber = box.grabbers["us"]
    grabber.settings = replace(grabber.settings, body_part=body_part)


def test_a_pedal_takes_the_side_that_was_said_last(box, exam):
    assert box.press().result(10).side is Side.NOT_SAID
    box.spool.sides.from_now_on(exam.id, Side.LEFT)
    assert box.press().result(10).side is Side.LEFT
    box.spool.sides.from_now_on(exam.id, Side.NOT_SAID)
    assert box.press().result(10).side is Side.NOT_SAID


def test_a_touch_takes_the_side_that_its_screen_showed_though_the_box_had_not_heard_of_it_yet(box, exam):
    box.spool.sides.from_now_on(exam.id, Side.LEFT)
    assert box.press(side=Side.RIGHT).result(10).side is Side.RIGHT
    assert box.press(side=Side.NOT_SAID).result(10).side is Side.NOT_SAID


def test_a_source_that_shows_no_pair_takes_no_side(box, exam):
    box.spool.sides.from_now_on(exam.id, Side.LEFT)
    shows(box, "COLON")
    assert box.press(side=Side.LEFT).result(10).side is Side.NOT_SAID
    shows(box, "KNEE")
    assert box.press().result(10).side is Side.LEFT


def test_the_next_patient_begins_without_a_side(box, exam):
    box.spool.sides.from_now_on(exam.id, Side.LEFT)
    box.exam("Huber^Eva", close_open=True)
    box.show()
    assert box.press().result(10).side is Side.NOT_SAID


def test_a_clip_is_of_the_side_that_held_when_it_began(box, exam):
    box.spool.sides.from_now_on(exam.id, Side.LEFT)
    uid = box.clip()
    box.show(count=3)
    box.spool.sides.from_now_on(exam.id, Side.RIGHT)
    box.stop(uid)
    assert stored(box, uid).side is Side.LEFT
