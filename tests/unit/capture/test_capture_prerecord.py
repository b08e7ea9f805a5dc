"""A clip may begin before its press, never before its exam; while it runs every frame is compressed once."""

import numpy as np
import pytest

from gateway.capture.prerecord import PreRecord
from gateway.spool.clips import codestreams, read_index
from hardware.pixels import decoded
from hardware.sources import Picture, PixelFormat, counter


@pytest.fixture
def kept(box):
    """The source keeps two seconds; what it does is done by hand."""
    return keeping(box, seconds=2)


def keeping(box, *, seconds: float, budget: int = 1 << 26) -> PreRecord:
    made = PreRecord(
        grabber=box.grabbers["us"],
        seconds=seconds,
        budget_bytes=budget,
        clock=box.clock,
        wanted=lambda: box.spool.exams.open_one() is not None,
    )
    box.prerecords["us"] = made
    return made


def show(box, kept: PreRecord, count: int, **more: object) -> None:
    for _ in range(count):
        box.show(**more)
        kept.step()


def counters(box, exam, uid: str) -> list[int]:
    """Return the numbers painted into a clip's pictures."""
    _, entries = read_index(box.spool.layout.index(exam.id, uid))
    found = []
    for stream in codestreams(box.spool.layout.frames(exam.id, uid), entries):
        facts = {"counter": 0, "time_ns": 0, "width": 320, "height": 180, "full_range": True}
        picture = Picture(**facts, format=PixelFormat.JPEG, planes=(np.frombuffer(stream, np.uint8),))
        found.append(counter.read(decoded(picture).planes[0]))
    return found


def recorded(box, kept: PreRecord, wait, *, after: int = 0) -> tuple[str, list[int]]:
    """Record a clip that is stopped `after` more frames; return its UID."""
    uid = box.clip()
    show(box, kept, after)
    last = box.grabbers["us"].ring.newest()
    wait(lambda: (running := box.clips.of_source("us")) is None or not after or running.frames > after)
    box.stop(uid)
    return uid, last


def test_a_clip_has_the_seconds_before_its_press_and_goes_on_without_a_gap(box, kept, wait):
    exam = box.exam()
    kept.step()
    show(box, kept, 60)  # 2.4 s
    pressed = box.clock.boottime_ns()
    uid, _ = recorded(box, kept, wait, after=5)
    capture = box.spool.captures.get(uid).capture
    found = counters(box, exam, uid)
    assert found == list(range(found[0], found[0] + len(found)))
    assert found[-1] == 65
    assert capture.lost_frames == 0
    assert pressed - capture.frame_times[0] == 2_000_000_000
    assert capture.taken.boottime_ns == capture.frame_times[0]
    assert capture.pressed.boottime_ns == pressed


def test_nothing_from_before_the_opening_is_in_the_clip(box, kept, wait):
    first = box.exam("Before^Patient")
    kept.step()
    show(box, kept, 20)
    box.exam("Next^Patient", close_open=True)
    opened = box.clock.boottime_ns()
    show(box, kept, 10)
    uid, _ = recorded(box, kept, wait)
    capture = box.spool.captures.get(uid).capture
    assert capture.exam != first.id
    assert capture.frames == 10
    assert min(capture.frame_times) >= opened - 10_000_000


def test_without_an_open_exam_nothing_is_kept_or_compressed(box, kept):
    show(box, kept, 5)
    assert kept.before(box.show(), 0) == []
    assert kept.after(0) is None
    box.exam()
    box.clock.move(1)
    opened = box.clock.boottime_ns()
    kept.step()
    show(box, kept, 3)
    assert len(kept.before(box.show(), opened)) == 3


def test_a_change_of_size_or_a_break_ends_what_leads_to_the_press(box, kept, wait):
    box.exam()
    kept.step()
    show(box, kept, 5, size=(640, 360))
    show(box, kept, 4)
    uid, _ = recorded(box, kept, wait)
    assert box.spool.captures.get(uid).capture.frames == 4


def test_no_more_is_kept_than_fits(box):
    kept = keeping(box, seconds=30, budget=100_000)
    box.exam()
    kept.step()
    show(box, kept, 80)
    frames = kept.before(box.grabbers["us"].ring.newest(), 0)
    assert 0 < sum(len(each.jpeg) for each in frames) <= 100_000
    assert len(frames) < 79


def test_a_picture_that_cannot_be_compressed_is_left_out_and_the_next_is_kept(box, kept):
    box.exam()
    kept.step()
    show(box, kept, 2)
    torn = np.full(500, 0xFF, np.uint8)
    facts = {"counter": 3, "time_ns": box.clock.boottime_ns(), "width": 320, "height": 180}
    box.give("us", Picture(**facts, format=PixelFormat.JPEG, planes=(torn,)))
    assert kept.step()
    show(box, kept, 2)
    assert [each.sequence & 0xFF for each in kept.before(box.show(), 0)] == [1, 2, 4, 5]


def test_a_clip_that_begins_before_the_prerecord_noticed_the_exam_misses_no_frame(box, kept, wait):
    kept.step()  # it looks for an exam, and again in half a second
    exam = box.exam()
    box.show(count=3)
    uid = box.clip()
    box.show(count=4)
    wait(lambda: box.clips.of_source("us").frames == 7)
    box.stop(uid)
    assert counters(box, exam, uid) == [1, 2, 3, 4, 5, 6, 7]
    assert box.spool.captures.get(uid).capture.lost_frames == 0


def test_a_prerecord_that_lags_makes_no_hole_before_the_press_and_cuts_no_end(box, kept, wait):
    exam = box.exam()
    kept.step()
    show(box, kept, 10)
    box.show(count=3)  # not compressed yet
    uid = box.clip()
    box.show(count=5)
    wait(lambda: box.clips.of_source("us").frames == 18)
    box.stop(uid)
    assert counters(box, exam, uid) == list(range(1, 19))
    assert box.spool.captures.get(uid).capture.lost_frames == 0


def test_what_a_device_shows_without_signal_does_not_lead_to_a_clip(box, kept, wait):
    exam = box.exam()
    kept.step()
    show(box, kept, 4)
    facts = {"width": 320, "height": 180, "format": PixelFormat.RGB24}
    blue = (np.full((180, 320, 3), (0, 0, 191), np.uint8),)
    for number in range(5, 8):
        box.clock.move(0.04)
        box.give("us", Picture(counter=number, time_ns=box.clock.boottime_ns(), planes=blue, **facts))
        kept.step()
    box._counters["us"] = 7  # as the device does
    show(box, kept, 3)
    uid, _ = recorded(box, kept, wait)
    assert counters(box, exam, uid) == [8, 9, 10]


def test_one_picture_larger_than_all_that_fits_ends_nothing(box):
    kept = keeping(box, seconds=2, budget=1000)
    box.exam()
    kept.step()
    show(box, kept, 3)
    assert len(kept.before(box.show(), 0)) == 1
