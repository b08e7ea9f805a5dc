"""Clips: begun and ended durably, every end leaves what was recorded, whatever ended it."""

import shutil
import sqlite3
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from gateway.capture.clips import MOST_PARTS
from gateway.capture.ending import LIMIT_S
from gateway.capture.moment import Patience
from gateway.capture.presses import Origin
from gateway.errors import Busy, ClipRecording, DiskFull, RequestReused, ScopegateError, WrongState
from gateway.spool import recovery
from gateway.spool.clips import codestreams, read_index
from hardware.errors import DeviceMissing
from hardware.sources import Picture, PixelFormat, counter
from tests.unit.capture.conftest import picture


def stored(box, uid: str):
    return box.spool.captures.get(uid).capture


def painted(box, capture) -> list[int]:
    """Return the counters that are painted into a clip's pictures."""
    _, entries = read_index(box.spool.layout.index(capture.exam, capture.sop_instance_uid))
    path = box.spool.layout.media(capture.exam, capture.media)
    return [counter.read(imagecodecs.jpeg8_decode(stream)) for stream in codestreams(path, entries)]


def held_open(folder: Path) -> list[str]:
    """Return the files of this folder that this process holds open."""
    found = []
    for number in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(number.readlink())
    return [path.name for path in found if path.parent == folder]


def recorded(box, uid: str) -> int:
    return next((running.frames for running in box.clips.running() if running.uid == uid), 0)


def written(box, uid: str) -> int:
    """Return how many frames are in a clip's file: they follow 0.2 s later, once they were looked at."""
    return next((len(running.writer.entries) for running in box.clips.running() if running.uid == uid), 0)


def ended(box, wait) -> None:
    wait(lambda: not box.clips.running())
    wait(lambda: box.answers()[-1] in {"clip-stopped", "not-stored"})


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
    assert box.answers() == ["clip-started", "stored", "clip-stopped"]
    assert box.stop(uid) == [uid]
    box.spool.exams.finish(exam.id)


def test_a_stop_returns_when_the_clip_is_durable(box):
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
    assert box.answers() == ["clip-started", "clip-stopped"]


def test_lost_frames_are_counted_truthfully(box, wait):
    box.exam()
    box.show()
    uid = box.clip()
    box.show(count=2, skip=3)
    wait(lambda: recorded(box, uid) == 3)
    box.stop(uid)
    assert stored(box, uid).lost_frames == 3


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
    box.show()
    uid = box.clip()
    box.show(count=2)
    wait(lambda: recorded(box, uid) == 3)
    if why == "limit":
        box.clock.move(LIMIT_S)
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


def torn(box) -> Picture:
    """A picture that cannot be compressed."""
    box._counters["us"] += 1
    facts = {"counter": box._counters["us"], "width": 320, "height": 180, "format": PixelFormat.JPEG}
    return Picture(**facts, time_ns=box.clock.boottime_ns(), planes=(np.full(500, 0xFF, np.uint8),))


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


def test_a_part_that_finds_no_disk_ends_the_clip_and_what_was_recorded_is_stored(box, wait):
    box.exam()
    box.show()
    uid = box.clip()
    wait(lambda: recorded(box, uid) == 1)
    box.disk.full = lambda operation, name: operation == "create" and ".frames" in name and not name.startswith(uid)
    box.show(size=(640, 360))
    ended(box, wait)
    assert box.stop(uid) == [uid]
    assert stored(box, uid).frames == 1
    assert box.presses.last.code == "clip-disk-full"
    assert len(box.spool.captures.of_exam(box.spool.exams.open_one().id)) == 1


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


def test_no_clip_begins_on_a_disk_that_is_nearly_full_but_stills_are_taken(box):
    box.exam()
    box.show()
    box.free = 0.14
    with pytest.raises(DiskFull):
        box.clip()
    assert box.press().result(10).instance_number == 1


def test_a_clip_ends_while_its_dicom_copy_has_room(box, wait):
    box.total = 100_000_000
    box.free = 0.15 + 20_000 / box.total  # 15 % belong to stills; one picture of this size has some 10,000 bytes
    box.exam()
    box.show()
    uid = box.clip()
    for _ in range(9):
        box.show()
    ended(box, wait)
    assert box.presses.last.code == "clip-disk-full"
    assert 0 < stored(box, uid).bytes < 40_000


@pytest.mark.parametrize(
    ("step", "suffix"),
    [
        ("create", ".frames.part"),
        ("create", ".index.part"),
        ("write", ".index.part"),
        ("half-write", ".index.part"),
        ("sync", ".index.part"),
        ("sync-folder", ""),
    ],
)
def test_a_clip_that_cannot_begin_leaves_nothing_and_keeps_no_exam_from_its_finish(box, wait, step, suffix):
    exam = box.exam()
    box.show()
    box.disk.full = lambda operation, name: operation == step and name.endswith(suffix)
    with pytest.raises(DiskFull):
        box.clip()
    assert box.answers() == ["not-stored"]
    box.disk.full = lambda _operation, _name: False
    wait(lambda: not box.clips.running())
    box.clips.close_leftovers()
    assert box.files(exam) == set()
    box.spool.exams.finish(exam.id)


@pytest.mark.parametrize("step", ["write", "half-write", "sync"])
@pytest.mark.parametrize("kind", ["frames", "index"])
def test_a_full_disk_in_mid_clip_ends_it_and_keeps_what_is_there(box, wait, kind, step):
    exam = box.exam()
    box.show()
    uid = box.clip()
    box.show(count=6)
    wait(lambda: written(box, uid) == 7)
    box.disk.full = lambda operation, name: operation == step and name.startswith(uid) and f".{kind}" in name
    box.clock.move(0.5)
    box.show(count=2)
    ended(box, wait)
    box.disk.full = lambda _operation, _name: False
    box.clips.close_leftovers()
    capture = stored(box, uid)
    assert painted(box, capture)[:7] == [1, 2, 3, 4, 5, 6, 7]
    assert capture.salvaged
    assert held_open(box.spool.layout.exam(exam.id)) == []
    box.spool.exams.finish(exam.id)
    assert box.supervisor.stop.is_set() is False


@pytest.mark.parametrize("step", ["create", "write", "sync", "rename", "sync-folder"])
def test_a_disk_too_full_for_the_record_of_a_clip_closes_it_when_there_is_room(box, wait, step):
    exam = box.exam()
    box.show()
    uid = box.clip()
    box.disk.full = lambda operation, name: operation == step and uid in name and ".json" in name
    with pytest.raises(ScopegateError) as raised:
        box.stop(uid)
    assert raised.value.code == "disk-full"
    assert "is kept" in raised.value.what
    ended(box, wait)
    with pytest.raises(ClipRecording):
        box.spool.exams.finish(exam.id)
    box.clips.close_leftovers()
    assert box.clips.kept_open(uid)
    with pytest.raises(ScopegateError) as again:
        box.stop(uid)
    assert (again.value.code, again.value.what) == (raised.value.code, raised.value.what)
    box.disk.full = lambda _operation, _name: False
    box.clips.close_leftovers()
    assert stored(box, uid).frames == 1
    assert box.stop(uid) == [uid]
    box.spool.exams.finish(exam.id)
    second = box.exam("Baker^Ben")
    box.show()
    assert box.press().result(10).exam == second.id


def test_an_index_that_is_busy_at_the_end_of_a_clip_loses_nothing(box):
    box.exam()
    box.show()
    uid = box.clip()
    with sqlite3.connect(box.spool.layout.database) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        assert box.stop(uid) == [uid]
        assert box.stop(uid) == [uid]
        blocker.rollback()
    blocker.close()
    box.recorder.write_rows()
    assert stored(box, uid).frames == 1


def test_a_disk_that_does_not_answer_begins_no_clip_and_says_so_in_time(box, wait):
    exam = box.exam()
    box.show()
    box.disk.held = lambda step, name: step == "sync" and name.endswith(".index.part")
    begun = box.presses.take_clip(box.ask(), Origin.PEDAL)
    assert box.disk.waiting.acquire(timeout=10)
    box.clock.move(4.6)
    box.due.step()
    assert isinstance(begun.exception(10), Busy)
    assert box.answers() == ["not-stored"]
    box.disk.moves.set()
    wait(lambda: not box.clips.running())
    assert box.files(exam) == set()
    box.spool.exams.finish(exam.id)
    assert box.answers() == ["not-stored"]


def test_a_clip_is_not_said_to_have_begun_before_the_frame_of_its_press_is_written(box):
    """Killed right after the answer it would be a clip without one picture, and gone at the next start."""
    box.exam()
    box.show()
    box.disk.held = lambda step, name: step == "write" and name.endswith(".frames.part")
    begun = box.presses.take_clip(box.ask(), Origin.PEDAL)
    assert box.disk.waiting.acquire(timeout=10)
    assert not begun.done()
    assert box.answers() == []
    box.disk.moves.set()
    uid = begun.result(10)
    assert box.stop(uid) == [uid]


def test_a_clip_that_is_slow_to_close_is_said_in_time_and_stored_all_the_same(box, wait):
    box.exam()
    box.show()
    uid = box.clip()
    box.disk.held = lambda step, name: step == "sync" and name == f"{uid}.json.part"
    ending = box.presses.end_clip(box.clips.running()[0], box.clock.boottime_ns(), Origin.PEDAL)
    assert box.disk.waiting.acquire(timeout=10)
    box.clock.move(4.6)
    box.due.step()
    assert isinstance(ending.exception(10), Busy)
    assert box.answers() == ["clip-started", "not-stored"]
    with pytest.raises(ClipRecording):
        box.presses.toggle_clip(box.ask(time_ns=box.clock.boottime_ns()), Origin.PEDAL)
    box.disk.moves.set()
    wait(lambda: box.answers()[-1] == "clip-stopped")
    assert stored(box, uid).frames == 1


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
    recovery.recover_captures(box.spool)
    assert stored(box, uid) == capture
    box.show()
    assert box.press().result(10).instance_number == 2
    box.spool.exams.finish(exam.id)
