"""Clips on a disk that is full, busy or silent: nothing that was recorded is lost, nothing is left lying about."""

import sqlite3

import pytest

from gateway.capture.presses import Origin
from gateway.errors import Busy, ClipRecording, DiskFull, ScopegateError
from tests.unit.capture.clips import ended, held_open, painted, recorded, stored, written


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


def test_a_clip_is_stored_when_its_last_part_is_and_what_the_disk_kept_open_is_said(box, wait):
    exam = box.exam()
    box.show()
    uid = box.clip()
    wait(lambda: recorded(box, uid) == 1)
    box.show(size=(640, 360))
    wait(lambda: (running := box.clips.of_source("us")) and running.uid != uid and running.has_begun)
    second = box.clips.of_source("us").uid
    box.disk.full = lambda operation, name: operation == "create" and second in name and ".json" in name
    with pytest.raises(ScopegateError) as raised:
        box.stop(uid)
    assert raised.value.code == "disk-full"
    assert "is kept" in raised.value.what
    wait(lambda: box.answers() == ["clip-started", "not-stored"])
    wait(lambda: not box.clips.running())
    for part in (uid, second):
        with pytest.raises(ScopegateError) as again:
            box.stop(part)
        assert again.value.what == raised.value.what
    box.disk.full = lambda _operation, _name: False
    box.clips.close_leftovers()
    assert box.stop(uid) == [uid, second]
    assert [stored(box, part).frames for part in (uid, second)] == [1, 1]
    box.spool.exams.finish(exam.id)


class Asked(str):
    """A UID that is asked for while other things happen: one more at each look at a UID that may be it."""

    __slots__ = ("meanwhile",)
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        happens = self.meanwhile.pop(0) if self.meanwhile else None
        if happens:
            happens()
        return str.__eq__(self, other)


def test_a_clip_that_ends_while_another_one_is_asked_for_disturbs_nobody(boxes):
    box = boxes(sources=("us", "scope"))
    box.exam()
    box.show("us")
    box.show("scope")
    for _ in range(2):
        box.stop(box.clip())
    running, asked = box.clip(source="scope"), Asked("2.25.1")
    asked.meanwhile = [lambda: box.stop(running)]
    assert box.clips.parts_of(asked) == ("2.25.1",)
    assert box.clips.running() == []


def test_a_clip_that_is_closed_while_another_one_is_asked_for_disturbs_nobody(box, wait):
    box.exam()
    box.show()
    box.disk.full = lambda operation, name: operation == "create" and ".json" in name
    uids = []
    for _ in range(2):
        uids.append(box.clip())
        with pytest.raises(ScopegateError):
            box.stop(uids[-1])
        wait(lambda: not box.clips.running())
    box.disk.full = lambda _operation, _name: False
    asked = Asked("2.25.1")
    asked.meanwhile = [None, None, box.clips.close_leftovers]  # its parts are looked for first
    assert box.clips.kept_open(asked) is None
    assert [stored(box, uid).frames for uid in uids] == [1, 1]


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
    wait(lambda: box.answers() == ["not-stored"])
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


def test_a_clip_that_cannot_be_closed_yet_keeps_no_other_from_being_closed(boxes, wait):
    box = boxes(sources=("us", "room"))
    exam = box.exam()
    box.show("us")
    box.show("room")
    first, second = box.clip(source="us"), box.clip(source="room")
    box.disk.full = lambda operation, name: operation == "create" and ".json" in name
    for uid in (first, second):
        with pytest.raises(ScopegateError):
            box.stop(uid)
    wait(lambda: not box.clips.running())
    box.disk.full = lambda operation, name: operation == "create" and first in name and ".json" in name
    box.clips.close_leftovers()
    assert stored(box, second).frames == 1
    assert box.clips.kept_open(first)
    box.disk.full = lambda _operation, _name: False
    box.clips.close_leftovers()
    box.spool.exams.finish(exam.id)


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
