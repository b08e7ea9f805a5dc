"""Stills: durable before audible, whole or not at all, numbered in the order of the presses, asked twice."""

import json
import sqlite3
from concurrent.futures import Future

import numpy as np
import pytest

from gateway.errors import Busy, CaptureSilent, DiskFull, RequestReused, ScopegateError
from gateway.spool.erasure import erasable, erasing
from hardware.sources import Picture, PixelFormat

STEPS = [
    (operation, suffix)
    for suffix in (".ljpg", ".json")
    for operation in ("create", "write", "half-write", "sync", "rename", "sync-folder")
]


def failure_of(future: Future) -> BaseException | None:
    return future.exception(10)


def numbers(box, exam) -> list[int]:
    return [listed.capture.instance_number for listed in box.spool.captures.of_exam(exam.id)]


@pytest.mark.parametrize(("operation", "suffix"), [("sync", ".ljpg.part"), ("sync-folder", ".ljpg"),
                                                   ("sync", ".json.part"), ("sync-folder", ".json")])  # fmt: skip
def test_no_answer_and_no_tick_before_file_and_name_are_flushed(box, operation, suffix):
    exam = box.exam()
    box.show()
    box.disk.held = lambda step, name: step == operation and name.endswith(suffix)
    pressed = box.press()
    assert box.disk.waiting.acquire(timeout=10)
    assert not pressed.done()
    assert box.answers() == []
    assert numbers(box, exam) == []
    box.disk.moves.set()
    assert pressed.result(10).instance_number == 1
    assert numbers(box, exam) == [1]


def test_media_then_sidecar_then_row_then_tick(box, wait):
    exam = box.exam()
    box.show()
    seen: list[tuple[bool, bool]] = []
    show = box.indicator.show

    def look(answer):
        uid = box.presses.last.sop_instance_uid
        seen.append((box.spool.layout.sidecar(exam.id, uid).exists(), numbers(box, exam) == [1]))
        show(answer)

    box.indicator.show = look
    box.disk.steps.clear()
    uid = box.press().result(10).sop_instance_uid
    wait(box.answers)
    assert [step for step in box.disk.steps if step[0] != "write"] == [
        ("create", f"{uid}.ljpg.part"), ("sync", f"{uid}.ljpg.part"), ("rename", f"{uid}.ljpg"),
        ("sync-folder", f"{uid}.ljpg"),
        ("create", f"{uid}.json.part"), ("sync", f"{uid}.json.part"), ("rename", f"{uid}.json"),
        ("sync-folder", f"{uid}.json"),
    ]  # fmt: skip
    assert seen == [(True, True)]
    assert box.answers() == ["stored"]


@pytest.mark.parametrize(("operation", "suffix"), STEPS)
def test_a_full_disk_is_said_and_leaves_a_gap_and_nothing_half(boxes, wait, operation, suffix):
    box = boxes()
    exam = box.exam()
    box.show()
    box.disk.full = lambda step, name: step == operation and name.removesuffix(".part").endswith(suffix)
    error = failure_of(box.press())
    assert isinstance(error, DiskFull)
    assert "NOT stored" in error.what
    wait(box.answers)
    assert box.answers() == ["not-stored"]
    # A disk that cannot even make a removal durable keeps the media: never a sidecar without it.
    assert box.files(exam) == set() or (operation, suffix) == ("sync-folder", ".json")
    box.disk.full = lambda _step, _name: False
    stored = box.press().result(10)
    assert stored.instance_number == 2
    assert box.end()
    box = boxes()
    assert numbers(box, exam) == [2]
    assert box.files(exam) == {f"{stored.sop_instance_uid}.ljpg", f"{stored.sop_instance_uid}.json"}


def test_what_a_cut_left_half_is_gone_after_the_next_start(boxes):
    box = boxes()
    exam = box.exam()
    box.show()
    kept = box.press().result(10).sop_instance_uid
    folder = box.spool.layout.exam(exam.id)
    for name in ("2.25.7.ljpg.part", "2.25.8.ljpg", "2.25.9.json.part"):
        (folder / name).write_bytes(b"half")
    assert box.end()
    assert boxes().files(exam) == {f"{kept}.ljpg", f"{kept}.json"}


def test_a_picture_that_cannot_be_compressed_is_said_and_the_next_one_is_stored(box):
    box.exam()
    box.clock.move(0.04)
    planes = (np.zeros((8, 8), np.float64),)
    bad = Picture(
        counter=1, time_ns=box.clock.boottime_ns(), format=PixelFormat.RGB24, width=8, height=8, planes=planes
    )
    box.give("us", bad)
    error = failure_of(box.press(anyway=True))
    assert isinstance(error, ScopegateError)
    assert error.code == "encoding-failed"
    assert "NOT stored" in error.what
    box.show()
    assert box.press().result(10).instance_number == 2


def test_an_exam_whose_folder_vanished_is_said_and_the_recorder_lives(box):
    exam = box.exam()
    box.show()
    box.spool.layout.exam(exam.id).rename(box.root / "elsewhere")
    box.moments._numbered[exam.id, exam.begun.boottime_ns] = 0
    error = failure_of(box.press())
    assert isinstance(error, ScopegateError)
    assert error.code == "spool-damaged"
    (box.root / "elsewhere").rename(box.spool.layout.exam(exam.id))
    assert box.press().result(10).instance_number == 2


def test_a_row_that_cannot_be_written_holds_up_nothing_and_comes_later(box, stamp):
    exam = box.exam()
    box.show()
    with sqlite3.connect(box.spool.layout.database) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        stored = box.press(request=stamp()).result(10)
        assert box.spool.layout.sidecar(exam.id, stored.sop_instance_uid).exists()
        assert numbers(box, exam) == []
        again = box.press(request=stamp()).result(10)
        assert again == stored
        with pytest.raises(RequestReused):
            box.press(request=stamp(digest="other"))
        blocker.rollback()
    blocker.close()
    box.recorder.write_rows()
    assert numbers(box, exam) == [1]
    assert box.recorder.without_row() == []
    assert box.press(request=stamp()).result(10).sop_instance_uid == stored.sop_instance_uid


def test_a_row_whose_exam_was_erased_meanwhile_is_waited_for_no_longer(box):
    exam = box.exam()
    box.show()
    with sqlite3.connect(box.spool.layout.database) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        box.press().result(10)
        blocker.rollback()
    blocker.close()
    box.spool.exams.finish(exam.id)
    erasing.erase(box.spool, erasable.loss(box.spool, exam.id, []), by="command-line", servers=())
    box.recorder.write_rows()
    assert box.recorder.without_row() == []
    assert not box.spool.layout.exam(exam.id).exists()


def test_a_disk_that_does_not_answer_is_said_in_time_and_the_press_is_not_stored_afterwards(box, wait):
    exam = box.exam()
    box.show()
    box.disk.held = lambda step, name: step == "sync" and name.endswith(".ljpg.part")
    pressed = [box.press() for _ in range(4)]  # two are being written, two wait
    for _ in range(2):
        assert box.disk.waiting.acquire(timeout=10)
    box.clock.move(4.0)
    box.due.step()
    assert not any(press.done() for press in pressed)
    box.clock.move(0.6)
    box.due.step()
    assert [type(failure_of(press)) for press in pressed] == [Busy] * 4
    assert box.answers() == ["not-stored"] * 4
    assert "NOT stored" in box.presses.last.what
    box.disk.moves.set()
    assert box.recorder.drain(exam.id, 10) == 0
    assert box.files(exam) == set()
    box.show()
    assert box.press().result(10).instance_number == 5
    wait(lambda: box.answers() == ["not-stored"] * 4 + ["stored"])


def test_a_press_whose_record_is_being_written_is_not_called_lost_and_asking_again_tells(box, stamp):
    exam = box.exam()
    box.show()
    box.disk.held = lambda step, name: step == "rename" and name.endswith(".json")
    pressed = box.press(request=stamp())
    assert box.disk.waiting.acquire(timeout=10)
    box.clock.move(4.6)
    box.due.step()
    said = failure_of(pressed)
    assert isinstance(said, CaptureSilent)
    assert "NOT stored" not in said.what
    assert box.answers() == ["not-stored"]  # of lamps and tones: nobody may go on as if it were
    again = box.press(request=stamp())
    assert not again.done()
    box.disk.moves.set()
    assert again.result(10).instance_number == 1
    assert numbers(box, exam) == [1]
    assert box.answers() == ["not-stored"]


def test_sixteen_pins_and_then_busy(box, wait):
    exam = box.exam()
    box.show()
    box.disk.held = lambda step, name: step == "sync" and name.endswith(".ljpg.part")
    pinned = [box.press() for _ in range(16)]
    with pytest.raises(Busy):
        box.press()
    assert box.answers() == ["not-stored"]
    assert box.recorder.pending == 16
    assert box.recorder.drain(exam.id, 0.01) == 16
    box.disk.moves.set()
    assert [press.result(10).instance_number for press in pinned] == list(range(1, 17))
    assert box.recorder.drain(exam.id, 10) == 0
    assert box.press().result(10).instance_number == 18  # 17 was refused
    wait(lambda: box.answers().count("stored") == 17)


def test_a_press_when_the_process_is_stopped_is_stored_or_refused(box):
    exam = box.exam()
    box.show()
    box.disk.held = lambda step, name: step == "sync" and name.endswith(".ljpg.part")
    taken = [box.press(), box.press(), box.press()]  # two are being stored, one waits
    box.halt()
    taken.append(box.press())
    box.disk.moves.set()
    assert [failure_of(future) for future in taken] == [None] * 4
    assert box.supervisor.run(10)
    with pytest.raises(Busy):
        box.press()
    assert numbers(box, exam) == [1, 2, 3, 4]
    assert box.answers() == ["stored"] * 4 + ["not-stored"]


def test_a_still_pinned_before_the_finish_joins_its_exam(box):
    exam = box.exam()
    box.show()
    box.disk.held = lambda step, name: step == "sync" and name.endswith(".ljpg.part")
    pressed = box.press()
    assert box.disk.waiting.acquire(timeout=10)
    box.disk.moves.set()
    box.spool.exams.finish(exam.id)
    assert pressed.result(10).exam == exam.id
    assert numbers(box, exam) == [1]


def test_numbers_follow_the_presses_and_are_never_given_twice(boxes):
    box = boxes()
    exam = box.exam()
    frames = [box.show() for _ in range(6)]
    taken = [box.press(frame=frame.sequence) for frame in frames]
    assert [(press.result(10).instance_number, press.result(10).sequence) for press in taken] == [
        (number, frame.sequence) for number, frame in enumerate(frames, 1)
    ]
    box.spool.captures.reject(taken[-1].result().sop_instance_uid, "blurred")
    uid = box.clip()
    assert box.end()  # the clip ends with the process: it has number 7

    box = boxes()
    assert box.spool.captures.get(uid).capture.instance_number == 7
    box.show()
    assert box.press().result(10).instance_number == 8
    other = box.exam("Baker^Ben", close_open=True)
    box.show()
    assert box.press().result(10).instance_number == 1
    assert numbers(box, exam) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert numbers(box, other) == [1]


def test_a_repeated_request_gets_the_first_answer_also_after_a_restart(boxes, stamp):
    box = boxes()
    exam = box.exam()
    box.show()
    box.disk.held = lambda step, name: step == "sync" and name.endswith(".ljpg.part")
    first, second = box.press(request=stamp()), box.press(request=stamp())
    with pytest.raises(RequestReused):
        box.press(request=stamp(digest="other"))
    with pytest.raises(RequestReused):
        box.clip(request=stamp())
    box.disk.moves.set()
    stored = first.result(10)
    assert second.result(10) == stored
    box.show()
    assert box.press(request=stamp()).result(10).sop_instance_uid == stored.sop_instance_uid
    assert box.end()

    box = boxes()
    box.show()
    assert box.press(request=stamp()).result(10) == stored
    with pytest.raises(RequestReused):
        box.press(request=stamp(digest="other"))
    with pytest.raises(RequestReused):
        box.clip(request=stamp())
    assert numbers(box, exam) == [1]


def test_a_request_that_failed_may_be_made_again(box, stamp):
    box.exam()
    box.show()
    box.disk.full = lambda step, _name: step == "sync"
    assert isinstance(failure_of(box.press(request=stamp())), DiskFull)
    box.disk.full = lambda _step, _name: False
    assert box.press(request=stamp()).result(10).instance_number == 2


def test_a_sidecar_says_what_was_pressed(box, stamp):
    exam = box.exam("Müller^Jörg")
    frame = box.show()
    box.clock.move(0.02)
    capture = box.press(request=stamp()).result(10)
    document = json.loads(box.spool.layout.sidecar(exam.id, capture.sop_instance_uid).read_bytes())
    assert document["sequence"] == frame.sequence
    assert document["patient"]["name"] == "Müller^Jörg"
    assert document["taken"]["boottime_ns"] == frame.time_ns
    assert document["pressed"]["boottime_ns"] == frame.time_ns + 20_000_000
    assert document["equipment"]["station_name"] == "ROOM-2"
    assert document["equipment"]["institution"] == "Clinic"
    assert document["request"] == {"id": "r-1", "digest": "d"}


def test_a_full_disk_refuses_a_press_before_anything_of_it_is_written(box):
    exam = box.exam()
    box.show()
    box.free = 0.0
    box.disk.steps.clear()
    with pytest.raises(DiskFull):
        box.press()
    assert box.disk.steps == []
    assert box.answers() == ["not-stored"]
    box.free = 0.5
    assert box.press().result(10).instance_number == 1, "no number was used"
    assert len(box.spool.captures.of_exam(exam.id)) == 1


def test_a_disk_that_refuses_a_picture_is_said_until_it_takes_something_again(box):
    box.exam()
    box.show()
    box.disk.full = lambda operation, _name: operation == "write"
    with pytest.raises(DiskFull):
        box.press().result(10)
    assert box.recorder.alarm.trouble.code == "disk-full"
    box.recorder.alarm.step()
    assert box.recorder.alarm.trouble, "it refuses still"
    box.disk.full = lambda _operation, _name: False
    box.recorder.alarm.step()
    assert box.recorder.alarm.trouble is None
    assert not list(box.root.glob("*.probe*"))
