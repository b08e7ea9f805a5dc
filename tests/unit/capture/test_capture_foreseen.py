"""A clip that ends by itself within a minute says so, once, while there is time to do something."""

from dataclasses import replace

import pytest

from gateway.capture.foreseen import Foreseen


@pytest.fixture
def foreseen(box):
    return Foreseen(clips=box.clips, spool=box.spool, indicator=box.indicator, clock=box.clock)


def running(box, wait, *, count: int = 1):
    """Return a clip that is recorded and has so many frames."""
    box.exam()
    box.show()
    box.clip()
    box.show(count=count - 1)
    recording = box.clips.running()[0]
    wait(lambda: recording.frames == count)
    return recording


def test_its_longest_time_is_announced_a_minute_before_and_once(box, wait, foreseen):
    recording = running(box, wait)
    box.clock.move(recording.limit_s - 61)
    foreseen.step()
    assert foreseen.of(recording) is None
    assert box.indicator.warnings == 0
    for left in (59, 58, 57):
        box.clock.move(2 if left == 59 else 1)
        foreseen.step()
        ahead = foreseen.of(recording)
        assert (ahead.end, round(ahead.seconds)) == ("limit", left)
    assert box.indicator.warnings == 1
    box.stop(recording.uid)
    box.show()
    box.clip()
    foreseen.step()  # of the next clip nothing is known yet
    assert box.indicator.warnings == 1


def test_a_short_longest_time_is_announced_when_half_of_it_is_over_and_not_at_the_beginning(box, wait, foreseen):
    grabber = box.grabbers["us"]
    grabber.settings = replace(grabber.settings, clip_limit_s=30)
    recording = running(box, wait)
    box.clock.move(14)
    foreseen.step()
    assert box.indicator.warnings == 0
    box.clock.move(2)
    foreseen.step()
    assert round(foreseen.of(recording).seconds) == 14
    assert box.indicator.warnings == 1


def test_a_box_that_fills_up_within_a_minute_of_clip_announces_it(box, wait, foreseen):
    recording = running(box, wait, count=26)  # a second
    wait(lambda: len(recording.writer.entries) == 26)
    size = recording.writer.frames.size
    box.total = 1_000_000_000
    box.free = 0.15 + 240 * size / box.total  # each second takes its bytes twice
    foreseen.step()
    assert foreseen.of(recording) is None
    box.free = 0.15 + 61 * size / box.total
    foreseen.step()
    ahead = foreseen.of(recording)
    assert (ahead.end, round(ahead.seconds)) == ("disk-full", 30)
    assert box.indicator.warnings == 1


def test_a_clip_that_is_being_ended_announces_nothing(box, wait, foreseen):
    recording = running(box, wait)
    box.clock.move(recording.limit_s - 30)
    box.clips.stop(recording, box.clock.boottime_ns() + 10**12)
    foreseen.step()
    assert foreseen.of(recording) is None
    assert box.indicator.warnings == 0
