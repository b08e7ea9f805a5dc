"""No clip has what a device shows without signal in it, whenever it came, and however the clip ended."""

import shutil

import cv2
import numpy as np
import pytest

from hardware.errors import DeviceMissing
from hardware.looks import card_of
from hardware.sources import Picture, PixelFormat
from hardware.sources.pattern import Pattern
from tests.unit.capture.conftest import SIZE
from tests.unit.capture.screens import BLUE, numbers, scans, show


@pytest.mark.parametrize("cards", [1, 3, 5, 9])
def test_a_card_that_came_just_before_the_stop_is_not_in_the_clip(box, cards):
    exam = box.exam()
    pictures = scans(box, 1)
    uid = box.clip()
    pictures += scans(box, 7)
    show(box, BLUE, count=cards)
    assert box.stop(uid) == [uid]
    assert numbers(box, exam, uid) == pictures
    assert box.spool.captures.get(uid).capture.lost_frames == 0


def test_a_clip_goes_on_with_the_picture_that_comes_back_and_loses_none(box):
    exam = box.exam()
    pictures = scans(box, 1)
    uid = box.clip()
    for cards in (6, 25, 8):
        pictures += scans(box, 11)
        show(box, BLUE, count=cards)
    pictures += scans(box, 2)
    box.stop(uid)
    assert numbers(box, exam, uid) == pictures


def test_a_kill_while_a_card_is_shown_salvages_pictures_alone(boxes, wait):
    box = boxes()
    exam = box.exam()
    pictures = scans(box, 1)
    uid = box.clip()
    pictures += scans(box, 13)
    running = box.clips.running()[0]
    wait(lambda: running.frames == 14)
    for _ in range(6):
        show(box, BLUE)
        killed = box.root.with_name(f"killed-{box._counters['us']}")
        shutil.copytree(box.root, killed)
        again = boxes(root=killed)
        found = numbers(again, exam, uid)
        assert found == pictures[: len(found)]
        assert len(pictures) - len(found) <= 6  # no more than waits to be looked at


def test_bars_that_stand_still_are_in_no_clip_and_bars_that_move_are(box):
    bars, exam = Pattern("bars", SIZE), box.exam()
    pictures = scans(box, 1)
    uid = box.clip()
    pictures += scans(box, 8)
    show(box, bars.draw(0), count=12)
    pictures += scans(box, 3)
    for number in range(box._counters["us"] + 1, box._counters["us"] + 9):
        show(box, bars.draw(number))
        pictures.append(number)
    box.stop(uid)
    assert numbers(box, exam, uid) == pictures


@pytest.fixture
def logo(box) -> np.ndarray:
    """The card that was learned of this grabber."""
    logo = BLUE.copy()
    cv2.putText(logo, "NO SIGNAL", (20, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (220, 220, 220), 5)
    facts = {"counter": 0, "time_ns": 0, "format": PixelFormat.RGB24, "width": SIZE[0], "height": SIZE[1]}
    grabber = box.grabbers["us"]
    card = card_of(Picture(**facts, planes=(logo,)))
    grabber.watch = type(grabber.watch)(ring=grabber.ring, clock=box.clock, card=card)
    return logo


def test_the_card_that_was_learned_is_in_no_clip(box, logo):
    exam = box.exam()
    pictures = scans(box, 1)
    uid = box.clip()
    pictures += scans(box, 4)
    show(box, logo, count=8)
    box.stop(uid)
    assert numbers(box, exam, uid) == pictures


def test_a_card_of_one_colour_is_in_no_clip_however_short_it_was(box):
    exam = box.exam()
    pictures = scans(box, 1)
    uid = box.clip()
    for between in range(3, 15):
        pictures += scans(box, between)
        show(box, BLUE)
    pictures += scans(box, 3)
    box.stop(uid)
    assert numbers(box, exam, uid) == pictures


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1), (2, 2)])
@pytest.mark.parametrize("lost_s", [0.12, 0.4, 3.0])
def test_a_card_beside_a_gap_is_in_no_clip_however_short_it_was(box, logo, before, after, lost_s):
    exam = box.exam()
    pictures = scans(box, 1)
    uid = box.clip()
    pictures += scans(box, 9)
    show(box, logo, count=before)
    box.clock.move(lost_s)
    show(box, logo, count=after)
    pictures += scans(box, 9)
    box.stop(uid)
    assert numbers(box, exam, uid) == pictures


@pytest.mark.parametrize("more", [4, 0], ids=["the picture comes back", "it does not"])
def test_a_card_of_another_size_begins_no_part(box, more):
    exam = box.exam()
    pictures = scans(box, 1)
    uid = box.clip()
    pictures += scans(box, 4)
    show(box, np.full((480, 640, 3), 16, np.uint8), count=8)
    pictures += scans(box, more)
    assert box.stop(uid) == [uid]
    assert numbers(box, exam, uid) == pictures


def test_a_clip_ends_when_a_card_of_another_size_came_for_ten_seconds_and_its_pictures_are_safe_before(box, wait):
    exam = box.exam()
    pictures = scans(box, 1)
    uid = box.clip()
    pictures += scans(box, 3)
    running, card = box.clips.running()[0], np.full((480, 640, 3), 16, np.uint8)
    wait(lambda: running.frames == 4)
    for _ in range(9):
        show(box, card)
    wait(lambda: len(running.writer.entries) == 4)
    for _ in range(12):
        box.clock.move(1)
        show(box, card)
        box.grabbers["us"].watch.step()
    wait(lambda: not box.clips.running())
    assert box.presses.last.code == "clip-no-signal"
    assert numbers(box, exam, uid) == pictures


def test_what_waits_to_be_looked_at_is_written_when_nothing_comes_any_more(box, wait):
    box.exam()
    scans(box, 1)
    box.clip()
    scans(box, 2)
    box.give("us", DeviceMissing("unplugged"))
    running = box.clips.running()[0]
    wait(lambda: len(running.writer.entries) == 3)
    assert running.waiting == 0
