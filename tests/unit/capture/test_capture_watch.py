"""What a device shows without signal is no picture: it is said, and it is never stored unasked."""

import cv2
import numpy as np
import pytest

from gateway.errors import NoSignalPicture
from hardware.looks import card_of
from hardware.profiles import Profile
from hardware.sources import Picture, PixelFormat
from tests.unit.capture.conftest import SIZE


def plain(box, colour=(0, 0, 191)) -> Picture:
    return shown(box, np.full((SIZE[1], SIZE[0], 3), colour, np.uint8))


def shown(box, pixels) -> Picture:
    facts = {"counter": 10_000, "format": PixelFormat.RGB24, "width": SIZE[0], "height": SIZE[1]}
    return Picture(**facts, time_ns=box.clock.boottime_ns(), planes=(pixels,))


def logo() -> np.ndarray:
    pixels = np.full((SIZE[1], SIZE[0], 3), (20, 20, 60), np.uint8)
    cv2.putText(pixels, "NO SIGNAL", (20, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (220, 220, 220), 5)
    return pixels


def state(box) -> tuple[str, str]:
    box.grabbers["us"].watch.step()
    found = box.grabbers["us"].state
    return found.signal.value, found.code


@pytest.mark.parametrize("colour", [(0, 0, 0), (0, 0, 191)], ids=["black", "blue"])
def test_a_picture_of_one_colour_is_said_and_not_stored(box, colour):
    exam = box.exam()
    box.show()
    assert state(box) == ("live", "")
    box.clock.move(0.04)
    box.give("us", plain(box, colour))
    with pytest.raises(NoSignalPicture):
        box.press()
    assert state(box) == ("no-signal-picture", "VID-08")
    with pytest.raises(NoSignalPicture):
        box.press()
    assert box.answers() == ["not-stored"] * 2
    assert box.files(exam) == set()
    box.show()
    assert state(box) == ("live", "")
    assert box.press().result(10).instance_number == 1


def test_it_is_said_since_when_a_device_shows_that_it_has_no_signal(box):
    box.show()
    assert state(box) == ("live", "")
    box.clock.move(600)
    box.give("us", plain(box))
    assert state(box)[0] == "no-signal-picture"
    seen = box.clock.now()
    box.clock.move(1)
    box.give("us", plain(box))
    assert state(box)[0] == "no-signal-picture"
    assert box.grabbers["us"].state.since == seen


def test_a_person_who_looked_may_store_it_anyway(box):
    box.exam()
    box.show()
    box.clock.move(0.04)
    box.give("us", plain(box))
    assert state(box)[0] == "no-signal-picture"
    assert box.press(anyway=True).result(10).instance_number == 1


def test_a_device_that_hangs_with_that_picture_is_said_to_have_stopped(box):
    box.give("us", plain(box))
    assert state(box) == ("no-signal-picture", "VID-08")
    box.clock.move(5)
    assert state(box) == ("stopped", "VID-02")


def test_no_clip_begins_with_it(box):
    box.exam()
    box.give("us", plain(box))
    with pytest.raises(NoSignalPicture):
        box.clip()


def test_a_clip_ends_when_only_that_picture_came_for_ten_seconds(box, wait):
    box.exam()
    box.show()
    clip = box.clip()
    box.show(count=3)
    wait(lambda: box.clips.of_source("us").frames == 4)
    for _ in range(12):
        box.clock.move(1)
        box.give("us", plain(box))
        box.grabbers["us"].watch.step()
    wait(lambda: not box.clips.running())
    # The first of them came between two looks; nothing of the ten seconds after that is in the clip.
    assert box.spool.captures.get(clip).capture.frames <= 5
    assert box.presses.last.code == "clip-no-signal"


def test_a_clip_that_begins_as_soon_as_the_picture_is_back_goes_on(box, wait):
    box.exam()
    box.show()
    box.grabbers["us"].watch.step()
    for _ in range(12):
        box.clock.move(1)
        box.give("us", plain(box))
        box.grabbers["us"].watch.step()
    box.show(count=5)  # between two looks
    clip = box.clip()
    for _ in range(12):
        box.show()
        wait(lambda: running_up_to_newest(box))
    assert box.stop(clip) == [clip]
    assert box.spool.captures.get(clip).capture.frames == 13
    assert box.presses.last.code == ""


def running_up_to_newest(box) -> bool:
    """Say whether the running clip has the newest frame, or there is none."""
    running, newest = box.clips.of_source("us"), box.grabbers["us"].ring.newest()
    return running is None or running.frames > newest.sequence - running.first.sequence


def test_a_clip_that_somebody_wants_anyway_goes_on_with_that_picture(box, wait):
    box.exam()
    box.give("us", plain(box))
    clip = box.clip(anyway=True)
    for number in range(12):
        box.clock.move(1)
        box.give("us", plain(box))
        box.grabbers["us"].watch.step()
        wait(lambda wanted=number + 2: box.clips.of_source("us").frames == wanted)
    assert box.stop(clip) == [clip]
    assert box.spool.captures.get(clip).capture.frames == 13


def test_a_learned_card_is_no_picture_and_another_logo_is_one(box):
    box.exam()
    grabber = box.grabbers["us"]
    card = card_of(shown(box, logo()))
    grabber.watch = type(grabber.watch)(ring=grabber.ring, clock=box.clock, card=Profile(card=card).card)
    box.give("us", shown(box, logo()))
    with pytest.raises(NoSignalPicture):
        box.press()
    assert state(box) == ("no-signal-picture", "VID-08")
    box.clock.move(0.04)
    box.give("us", shown(box, 255 - logo()))
    assert box.press().result(10).instance_number == 1


def test_bars_are_a_card_only_while_they_stand_still(box):
    box.exam()
    moving = box.show()  # the test picture, whose counter runs
    assert state(box) == ("live", "")
    for _ in range(3):
        box.clock.move(0.7)
        box.give("us", shown(box, moving.picture.planes[0]))
        box.grabbers["us"].watch.step()
    assert state(box)[0] == "no-signal-picture"
    with pytest.raises(NoSignalPicture):
        box.press()
    box.show()
    assert state(box) == ("live", "")


def test_snow_is_told_and_can_be_stored(caplog, box):
    caplog.set_level("INFO")
    box.exam()
    snow = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    box.give("us", shown(box, snow))
    assert state(box) == ("live", "")
    assert box.grabbers["us"].watch.noise
    assert box.press().result(10).instance_number == 1
    box.show()
    assert state(box) == ("live", "")
    assert not box.grabbers["us"].watch.noise
    said = [record.getMessage() for record in caplog.records if "picture_odd" in record.getMessage()]
    assert said == [
        "picture_odd source=us noise=True levels_cut=False",
        "picture_odd source=us noise=False levels_cut=False",
    ]


def test_a_picture_that_stands_still_is_told_and_can_be_stored(box):
    box.exam()
    still = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    for _ in range(4):
        box.give("us", shown(box, still))
        box.grabbers["us"].watch.step()
        box.clock.move(1)
    assert box.grabbers["us"].watch.unchanged_s >= 3
    box.give("us", shown(box, still))
    assert box.press().result(10).instance_number == 1
    box.show()
    box.grabbers["us"].watch.step()
    assert box.grabbers["us"].watch.unchanged_s == 0
