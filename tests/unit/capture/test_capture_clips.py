"""Clips: begun and ended durably, every end leaves what was recorded, whatever ended it."""

import shutil
from dataclasses import replace
from fractions import Fraction

import imagecodecs
import numpy as np
import pytest

from gateway.capture.clips import MOST_PARTS
from gateway.capture.moment import Patience
from gateway.capture.presses import Origin
from gateway.config.settings import Source
from gateway.errors import Busy, ClipRecording, RequestReused, ScopegateError, WrongState
from gateway.spool.clips import read_index
from gateway.spool.recovery.captures import recover_captures
from hardware.errors import DeviceMissing
from hardware.sources import Picture, PixelFormat
from hardware.stills import lossy_before
from hardware.views import View
from tests.unit.capture.clips import ended, painted, recorded, stored, torn, written
from tests.unit.capture.conftest import picture


def test_a_clip_has_begun_only_when_its_start_is_durable(box):
    exam = box.exam()
    box.show()
    box.disk.held = lambda step, name: step == "sync" and name.endswith(".index.part")
    begun = box.presses.take_clip(box.ask(), Origin.SOCKET)
    assert box.disk.waiting.acquire(timeout=10)
    assert not begun.done()
    assert box.answers() == []
    box.disk.moves.set()
    uid = begun.result(10)
    header, _ = read_index(box.spool.layout.index(exam.id, uid, recording=True))
    assert (header.exam, header.instance_number) == (exam.id, 1)
    box.disk.held = lambda _step, _name: False
    box.stop(uid)


def test_a_clip_is_the_frame_of_the_press_and_every_frame_until_the_stop(box, wait):
    exam = box.exam()
    box.show(count=4)
    uid = box.clip(frame=box.grabbers["us"].ring.newest().sequence - 1)
    box.show(count=5)
    wait(lambda: recorded(box, uid) == 7)
    with pytest.raises(ClipRecording):
        box.spool.exams.finish(exam.id)
    still = box.press().result(10)  # a still in mid clip
    assert box.stop(uid) == [uid]
    capture = stored(box, uid)
    assert painted(box, capture) == [3, 4, 5, 6, 7, 8, 9]
    assert (capture.instance_number, still.instance_number) == (1, 2)
    assert (capture.frames, capture.lost_frames, capture.salvaged) == (7, 0, False)
    assert capture.frame_times[0] == capture.taken.boottime_ns
    wait(lambda: box.answers() == ["clip-started", "stored", "clip-stopped"])
    assert box.stop(uid) == [uid]
    box.spool.exams.finish(exam.id)


def test_a_stop_returns_when_the_clip_is_durable(box, wait):
    exam = box.exam()
    box.show()
    uid = box.clip()
    box.disk.held = lambda step, name: step == "sync-folder" and name == f"{uid}.json"
    recording = box.clips.running()[0]
    first = box.presses.end_clip(recording, box.clock.boottime_ns(), Origin.SOCKET)
    second = box.presses.end_clip(recording, box.clock.boottime_ns(), Origin.SOCKET)
    assert box.disk.waiting.acquire(timeout=10)
    assert not first.done()
    assert box.answers() == ["clip-started"]
    box.disk.moves.set()
    assert first.result(10) == second.result(10) == stored(box, uid)
    assert box.files(exam) == {f"{uid}.frames", f"{uid}.index", f"{uid}.json"}
    wait(lambda: box.answers() == ["clip-started", "clip-stopped"])


def test_lost_frames_are_counted_truthfully(box, wait):
    box.exam()
    box.show()
    uid = box.clip()
    box.show(count=2, skip=3)
    wait(lambda: recorded(box, uid) == 3)
    box.stop(uid)
    assert stored(box, uid).lost_frames == 3


@pytest.mark.parametrize("end", ["asked", "limit"])
def test_of_the_frames_that_were_lost_around_the_end_of_a_clip_those_before_it_are_counted(box, wait, end):
    box.exam()
    box.grabbers["us"].settings = Source(name="us", clip_limit_s=20)
    box.show()
    uid = box.clip()
    wait(lambda: recorded(box, uid) == 1)
    box.clock.move(15)
    box.show()
    wait(lambda: recorded(box, uid) == 2)
    if end == "asked":
        box.clips.stop(box.clips.running()[0], box.clock.boottime_ns() + 5_500_000_000)
    box.clock.move(9.96)
    box.show(skip=9)  # ten seconds later, so one was lost in each second; the limit comes before the fifth
    ended(box, wait)
    capture = stored(box, uid)
    assert painted(box, capture) == [1, 2]
    assert capture.lost_frames == (5 if end == "asked" else 4)


def test_frames_that_were_lost_just_before_a_change_of_size_are_counted(box, wait):
    box.exam()
    box.show()
    uid = box.clip()
    wait(lambda: recorded(box, uid) == 1)
    box.show(size=(640, 360), skip=3)
    wait(lambda: (running := box.clips.of_source("us")) and running.uid != uid and running.frames == 1)
    first, second = (stored(box, part) for part in box.stop(uid))
    assert (first.lost_frames, second.lost_frames) == (3, 0)


def test_what_was_recorded_is_flushed_twice_a_second(box, wait):
    box.exam()
    box.show()
    uid = box.clip()
    box.disk.steps.clear()
    for number in range(1, 26):
        box.show()
        wait(lambda number=number: recorded(box, uid) == number + 1)
    flushed = [name for step, name in box.disk.steps if step == "sync"]
    assert flushed.count(f"{uid}.frames.part") >= 2
    assert flushed[:2] == [f"{uid}.frames.part", f"{uid}.index.part"]
    box.stop(uid)


def test_a_source_records_one_clip_at_a_time_and_another_source_its_own(boxes):
    box = boxes(sources=("us", "scope"))
    box.exam()
    box.show("us")
    box.show("scope")
    one = box.clip()
    with pytest.raises(ClipRecording):
        box.clip()
    other = box.clip(source="scope")
    assert box.stop(other) == [other]
    assert box.stop(one) == [one]


def test_a_clip_that_nobody_records_cannot_be_stopped(box):
    box.exam()
    box.show()
    with pytest.raises(WrongState):
        box.stop("2.25.1")
    still = box.press().result(10)
    with pytest.raises(WrongState):
        box.stop(still.sop_instance_uid)


def test_a_repeated_clip_start_returns_the_same_clip_running_ended_and_after_a_restart(boxes, stamp):
    box = boxes()
    box.exam()
    box.show()
    uid = box.clip(request=stamp())
    assert box.clip(request=stamp()) == uid
    with pytest.raises(RequestReused):
        box.clip(request=stamp(digest="other"))
    with pytest.raises(RequestReused):
        box.press(request=stamp())
    box.stop(uid)
    assert box.clip(request=stamp()) == uid
    assert box.clips.running() == []
    assert box.end()
    box = boxes()
    assert box.clip(request=stamp()) == uid


def test_a_pedal_starts_a_clip_and_stops_it_at_its_own_time(box, wait):
    box.exam()
    box.show()
    box.presses.toggle_clip(box.ask(), Origin.PEDAL)
    wait(lambda: box.answers() == ["clip-started"])
    uid = box.clips.running()[0].uid
    pressed = box.show(count=2).time_ns
    box.presses.toggle_clip(box.ask(time_ns=pressed), Origin.PEDAL)
    box.show(count=3)
    ended(box, wait)
    assert len(stored(box, uid).frame_times) == 3
    assert max(stored(box, uid).frame_times) == pressed
    assert box.answers() == ["clip-started", "clip-stopped"]


@pytest.mark.parametrize("why", ["limit", "no-signal", "disk-full"])
def test_a_clip_that_ends_by_itself_is_stored_and_said(box, wait, why):
    exam = box.exam()
    box.grabbers["us"].settings = Source(name="us", clip_limit_s=20)
    box.show()
    uid = box.clip()
    box.show(count=2)
    wait(lambda: recorded(box, uid) == 3)
    if why == "limit":
        box.clock.move(20)
        box.show()
    elif why == "no-signal":
        box.give("us", DeviceMissing("unplugged"))
        box.clock.move(10.1)
    else:
        box.free = 0.14
    ended(box, wait)
    capture = stored(box, uid)
    assert painted(box, capture) == [1, 2, 3]
    assert (capture.rows, capture.columns) == (180, 320)
    assert box.answers() == ["clip-started", "clip-stopped"]
    assert box.presses.last.code == f"clip-{why}"
    assert "is stored" in box.presses.last.what
    assert box.stop(uid) == [uid]
    box.spool.exams.finish(exam.id)


def test_a_frame_that_cannot_be_compressed_is_lost_and_the_clip_goes_on(box, wait):
    box.exam()
    box.show()
    uid = box.clip()
    box.clock.move(0.04)
    box.give("us", torn(box))
    box.show(count=2)
    wait(lambda: recorded(box, uid) == 3)
    box.stop(uid)
    capture = stored(box, uid)
    assert painted(box, capture) == [1, 3, 4]
    assert capture.lost_frames == 1
    assert box.presses.last.code == ""


def test_a_clip_ends_with_what_the_screen_showed_at_the_stop_also_through_a_late_chain(boxes):
    box = boxes(patience=Patience(on_its_way=0.0))
    box.exam()
    grabber = box.grabbers["us"]
    grabber.delay_ns = 80_000_000
    box.show(count=4)
    box.clip()
    stopped_ns = box.clock.boottime_ns()
    running = box.clips.of_source("us")
    answer = box.presses.end_clip(running, stopped_ns, Origin.SOCKET)
    box.show(count=4)
    assert answer.result(10).frame_times[-1] == stopped_ns + 80_000_000


def test_a_pixel_shape_that_changes_in_the_middle_makes_another_part(box, wait):
    box.exam()
    box.show()
    uid = box.clip()
    wait(lambda: recorded(box, uid) == 1)
    box.clock.move(0.04)
    box._counters["us"] += 1
    other = replace(picture(2, box.clock.boottime_ns()), pixel_aspect=Fraction(16, 11))
    box.give("us", other)
    wait(lambda: (now := box.clips.of_source("us")) and now.uid != uid and now.frames == 1)
    first, second = (stored(box, part) for part in box.stop(uid))
    assert (first.columns, second.columns) == (320, 465)


def test_a_change_of_size_closes_the_part_and_begins_another(box, wait):
    exam = box.exam()
    box.show()
    uid = box.clip()
    box.show(count=2)
    wait(lambda: recorded(box, uid) == 3)
    box.show(count=4, size=(640, 360))
    wait(lambda: (running := box.clips.of_source("us")) and running.frames == 4)
    assert box.answers() == ["clip-started"]  # one clip, one answer
    parts = box.stop(uid)
    assert parts[0] == uid
    assert len(parts) == 2
    first, second = (stored(box, part) for part in parts)
    assert (first.rows, first.columns, painted(box, first)) == (180, 320, [1, 2, 3])
    assert (second.rows, second.columns, painted(box, second)) == (360, 640, [4, 5, 6, 7])
    assert (first.instance_number, second.instance_number) == (1, 2)
    assert first.pressed == second.pressed
    assert second.taken.boottime_ns == second.frame_times[0]
    assert box.answers() == ["clip-started", "clip-stopped"]
    assert box.presses.last.code == ""
    assert box.stop(uid) == parts  # told again
    box.spool.exams.finish(exam.id)


def device_jpeg(box, number, size, level):
    """Return the next picture of a device that compresses by itself, as much as it likes."""
    box.clock.move(0.04)
    pixels = np.random.default_rng(number).integers(0, 200, (size[1], size[0], 3), dtype=np.uint8)
    stream = np.frombuffer(imagecodecs.jpeg8_encode(pixels, level=level), np.uint8)
    return Picture(
        counter=number,
        time_ns=box.clock.boottime_ns(),
        format=PixelFormat.JPEG,
        width=size[0],
        height=size[1],
        planes=(stream,),
        full_range=True,
    )


def test_each_part_says_what_its_own_first_picture_had_lost_before(box, wait):
    box.exam()
    view = box.grabbers["us"].view = View(mirror=True)  # so each JPEG is compressed anew
    pictures = [device_jpeg(box, 1, (320, 180), 90), device_jpeg(box, 2, (640, 360), 40)]
    box.give("us", pictures[0])
    uid = box.clip()
    box.give("us", pictures[1])
    wait(lambda: (running := box.clips.of_source("us")) and running.header.part == 2)
    parts = box.stop(uid)
    lost = [lossy_before(one, view) for one in pictures]
    assert lost[0] != lost[1]
    assert [stored(box, part).lossy_before for part in parts] == lost


def test_a_source_whose_size_flaps_makes_no_more_than_twenty_parts(box, wait):
    box.exam()
    box.show()
    uid = box.clip()
    for number in range(MOST_PARTS + 5):
        running = box.clips.of_source("us")
        box.show(size=((640, 360), (320, 180))[number % 2])
        wait(lambda before=running: before is None or box.clips.of_source("us") is not before)
        if running is None:
            break
        wait(lambda: (now := box.clips.of_source("us")) is None or now.frames)
    ended(box, wait)
    assert len(box.stop(uid)) == MOST_PARTS
    assert box.presses.last.code == "clip-size-changed"
    assert "is stored" in box.presses.last.what


def test_an_exam_is_not_finished_between_two_parts_of_a_clip(box, wait):
    exam = box.exam()
    box.show()
    uid = box.clip()
    with box.moments.lock:  # the next part gets no number yet
        box.show(size=(640, 360))
        wait(lambda: box.spool.layout.sidecar(exam.id, uid).exists())
        with pytest.raises(ClipRecording):
            box.spool.exams.finish(exam.id)
    wait(lambda: box.spool.captures.of_exam(exam.id))
    with pytest.raises(ClipRecording):
        box.spool.exams.finish(exam.id)
    assert len(box.stop(uid)) == 2
    box.spool.exams.finish(exam.id)


def test_a_new_size_that_begins_with_a_torn_frame_makes_a_part_of_those_after_it(box, wait):
    box.exam()
    box.show()
    uid = box.clip()
    box.clock.move(0.04)
    box.give("us", replace(torn(box), width=640, height=360))
    box.show(count=2, size=(640, 360))
    wait(lambda: (running := box.clips.of_source("us")) and running.header.part == 2 and running.frames == 2)
    first, second = (stored(box, part) for part in box.stop(uid))
    assert (painted(box, first), painted(box, second)) == ([1], [3, 4])
    assert (first.lost_frames, second.lost_frames) == (1, 0)
    assert box.presses.last.code == ""


def test_a_clip_that_is_asked_for_when_the_process_is_stopped_is_refused(box):
    box.exam()
    box.show()
    box.halt()
    assert box.supervisor.run(10)
    with pytest.raises(Busy):
        box.clip()
    assert box.answers() == ["not-stored"]
    assert box.clips.running() == []


def test_a_cable_that_was_touched_does_not_end_a_clip(box, wait):
    box.exam()
    box.show()
    uid = box.clip()
    box.give("us", DeviceMissing("unplugged"))
    box.clock.move(5)
    box.show()
    wait(lambda: recorded(box, uid) == 2)
    box.stop(uid)
    assert stored(box, uid).frames == 2


def test_a_finish_at_the_moment_of_a_clip_start_begins_none(box, wait):
    exam = box.exam()
    box.show()
    with box.moments.lock:
        fixed = box.presses._begin_clip
        box.spool.exams.finish(exam.id)
        with pytest.raises(ScopegateError):
            fixed(box.ask())
    assert box.clips.running() == []
    wait(lambda: box.files(exam) == set())


def test_a_killed_clip_is_salvaged_at_the_next_start(boxes, wait, stamp):
    box = boxes()
    exam = box.exam()
    box.show()
    uid = box.clip(request=stamp())
    box.show(count=6)
    wait(lambda: written(box, uid) == 7)
    after_the_kill = box.root.with_name("after-the-kill")
    shutil.copytree(box.root, after_the_kill)
    for path in after_the_kill.glob(f"exams/*/{uid}.*.part"):
        path.write_bytes(path.read_bytes()[:-3])  # what a power cut leaves besides: a torn tail

    box = boxes(root=after_the_kill)
    capture = stored(box, uid)
    assert capture.salvaged
    assert painted(box, capture) == [1, 2, 3, 4, 5, 6]
    assert box.clip(request=stamp()) == uid
    recover_captures(box.spool)
    assert stored(box, uid) == capture
    box.show()
    assert box.press().result(10).instance_number == 2
    box.spool.exams.finish(exam.id)
