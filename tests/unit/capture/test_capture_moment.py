"""The moment of a press: the frame of the screen or none, of this exam or none, from a source that is live."""

import threading
from datetime import timedelta
from functools import partial

import imagecodecs
import numpy as np
import pytest

from gateway.capture.moment import Ask, Patience
from gateway.capture.presses import Origin
from gateway.clock import Clock
from gateway.errors import BadValue, ExamChanged, FrameGone, NoExam, NoSignal, ScopegateError
from gateway.model import Identity, Patient
from gateway.spool.clips import codestreams, read_index
from gateway.spool.reopening import reopen
from gateway.spool.subjects import Subject
from hardware.errors import DeviceMissing, DeviceRefused
from hardware.sources import Picture, PixelFormat, counter
from hardware.sources.pattern import draw

FRAME_BYTES = 320 * 180 * 3
NONE = Patience(on_its_way=0.0, first_frame=0.0)


def refusal(box, **values) -> ScopegateError:
    with pytest.raises(ScopegateError) as raised:
        box.press(**values)
    assert box.answers()[-1] == "not-stored"
    assert box.presses.last.code == raised.value.code
    return raised.value


def test_the_frame_of_the_screen_is_stored_sample_by_sample(box):
    exam = box.exam()
    shown = box.show(count=3)
    box.show(count=5)
    capture = box.press(frame=shown.sequence).result(10)
    assert capture.sequence == shown.sequence
    stored = imagecodecs.jpeg8_decode(box.spool.layout.media(exam.id, capture.media).read_bytes())
    assert counter.read(stored) == shown.picture.counter == 3
    assert (stored == draw("bars", 3, (320, 180))).all()


def test_a_frame_that_left_the_ring_is_gone_and_no_other_is_stored(boxes):
    box = boxes(ring_bytes=FRAME_BYTES * 10)
    exam = box.exam()
    shown = box.show()
    box.show(count=10)
    assert isinstance(refusal(box, frame=shown.sequence), FrameGone)
    assert isinstance(refusal(box, frame=shown.sequence + 1_000_000), FrameGone)
    assert box.files(exam) == set()


def test_a_pedal_gets_the_newest_frame_at_or_before_its_time(box):
    box.exam()
    frames = [box.show() for _ in range(6)]
    between = frames[2].time_ns + 20_000_000
    assert box.press(time_ns=between).result(10).sequence == frames[2].sequence
    assert box.press(time_ns=frames[3].time_ns).result(10).sequence == frames[3].sequence


def test_a_pedal_whose_frame_was_evicted_meanwhile_is_refused_and_gets_no_later_one(boxes):
    box = boxes(ring_bytes=FRAME_BYTES * 8)
    box.exam()
    pressed = box.show().time_ns
    box.show(count=9)
    assert isinstance(refusal(box, time_ns=pressed), FrameGone)


def test_the_frame_of_the_touch_is_stored_however_long_the_press_before_takes(box):
    box.exam()
    shown = box.show()
    touched = box.clock.boottime_ns()
    with box.moments.lock:  # another press is being fixed
        box.show(count=5)
    assert box.press(time_ns=touched).result(10).sequence == shown.sequence


def test_a_press_right_after_the_opening_waits_for_a_frame_of_this_exam(boxes, wait):
    box = boxes(patience=Patience(on_its_way=0.0, first_frame=10.0))
    box.show(count=3)
    box.exam()
    pressed: list = []
    thread = threading.Thread(target=lambda: pressed.append(box.press()))
    thread.start()
    wait(box.moments._turns["us"].locked)
    first = box.show()
    thread.join(10)
    assert pressed[0].result(10).sequence == first.sequence


def test_a_press_right_after_the_opening_is_refused_when_no_frame_of_this_exam_comes(boxes):
    box = boxes(patience=NONE)
    exam = box.exam()
    box.show(count=3)
    box.exam("Baker^Ben", close_open=True)
    assert isinstance(refusal(box), NoSignal)
    assert box.files(exam) == set()


def test_a_frame_from_before_the_opening_is_never_stored_even_when_the_screen_showed_it(box):
    shown = box.show()
    box.exam()
    box.show()
    assert isinstance(refusal(box, frame=shown.sequence), FrameGone)


def test_a_frame_from_before_an_exam_was_opened_again_is_never_stored_in_it(box):
    """Between the two it may have shown another patient."""
    exam = box.exam()
    box.show()
    spool = box.spool
    spool.exams.finish(exam.id)
    spool.exams.release(exam.id)
    box.clock.move(60)
    shown = box.show()
    pressed = box.clock.boottime_ns()
    box.clock.move(1)
    reopen(spool, exam.id, within=timedelta(hours=1))
    box.show()
    assert isinstance(refusal(box, frame=shown.sequence), FrameGone)
    assert isinstance(refusal(box, time_ns=pressed), ExamChanged)
    assert box.press().result(10).exam == exam.id


def test_a_pedal_that_was_pressed_before_the_opening_is_refused(box):
    box.exam()
    box.show()
    pressed = box.clock.boottime_ns()
    box.exam("Baker^Ben", close_open=True)
    box.show()
    assert isinstance(refusal(box, time_ns=pressed), ExamChanged)


def test_frames_of_an_exam_left_open_over_a_reboot_may_enter_it(boxes, clock):
    box = boxes()
    exam = box.exam()
    clock.move(500)
    assert box.end()
    clock.reboot()
    box = boxes()
    box.show()
    assert box.press().result(10).exam == exam.id


def test_another_or_no_open_exam_is_said(box):
    box.show()
    assert isinstance(refusal(box), NoExam)
    old = box.exam()
    new = box.exam("Baker^Ben", close_open=True)
    box.show()
    assert isinstance(refusal(box, exam=old.id), ExamChanged)
    box.spool.exams.finish(new.id)
    assert isinstance(refusal(box, exam=new.id), ExamChanged)
    assert isinstance(refusal(box), NoExam)


def test_a_source_without_picture_says_so_and_what_to_check(box):
    box.exam()
    box.show()
    box.give("us", None)
    error = refusal(box)
    assert isinstance(error, NoSignal)
    assert error.what == "The picture was NOT stored: No picture arrives from the device."
    box.give("us", DeviceMissing("There is no grabber there: check its plug."))
    assert "check its plug" in refusal(box).what
    box.give("us", DeviceRefused("The grabber gives another format."))
    assert "another format" in refusal(box).what


def test_a_driver_that_hangs_is_not_taken_for_a_live_picture(box):
    box.exam()
    frame = box.show()
    box.clock.move(1.9)
    assert box.grabbers["us"].state.signal == "live"
    assert box.press().result(10).sequence == frame.sequence
    box.clock.move(0.2)
    assert box.grabbers["us"].state.signal == "stopped"
    assert box.grabbers["us"].state.since.boottime_ns == frame.time_ns
    assert isinstance(refusal(box), NoSignal)
    assert isinstance(refusal(box, frame=frame.sequence), NoSignal)


def test_a_frame_from_before_a_pause_is_not_taken_for_the_one_on_the_screen(box):
    box.exam()
    box.show()
    box.clock.move(30)
    pressed = box.clock.boottime_ns()
    box.show()
    assert isinstance(refusal(box, time_ns=pressed), NoSignal)


def test_the_other_source_goes_on_when_one_is_gone(boxes):
    box = boxes(sources=("us", "scope"))
    box.exam()
    box.show("us")
    box.show("scope")
    assert not box.give("us", DeviceMissing("unplugged"))
    assert isinstance(refusal(box), NoSignal)
    assert box.press(source="scope").result(10).source == "scope"
    assert isinstance(refusal(box, source="none"), BadValue)


def test_a_frame_of_several_sources_is_named_with_its_source(boxes):
    box = boxes(sources=("us", "scope"))
    box.exam()
    frame = box.show("us")
    box.show("scope")
    assert isinstance(refusal(box, source="", frame=frame.sequence), BadValue)
    assert box.press(source="us", frame=frame.sequence).result(10).sequence == frame.sequence


def test_two_patients_back_to_back_under_load_never_share_a_frame(boxes, wait):
    """Presses from four sides, a grabber at full speed, exams that follow each other at once, on a real clock."""
    box = boxes(ring_bytes=FRAME_BYTES * 40)
    clock, done = Clock(), threading.Event()
    for part in (box.grabbers["us"], box.moments, box.presses, box.spool.exams, box.clips):
        part._clock = clock
    threads = [threading.Thread(target=partial(_grab, box, clock, done))]
    threads += [threading.Thread(target=partial(_hammer, box, clock, done, how)) for how in range(4)]
    for thread in threads:
        thread.start()
    exams = []
    for number in range(12):
        exams.append(_open(box, f"P{number}"))
        if number % 4 == 1:
            box.grabbers["us"].ring.first_since(clock.boottime_ns(), 1)
            box.stop(box.clip(time_ns=clock.boottime_ns()))
        wait(lambda: len(box.spool.captures.of_exam(exams[-1].id)) >= 2)
    done.set()
    for thread in threads:
        thread.join(10)
    assert box.recorder.drain(exams[-1].id, 10) == 0
    assert sum(_checked(box, exam) for exam in exams) >= 24


def _grab(box, clock, done) -> None:
    number = 0
    while not done.is_set():
        number += 1
        box.give("us", _timed(number, clock.boottime_ns()))
        clock.pause(0.002)


def _hammer(box, clock, done, how: int) -> None:
    """Press as a touch with a frame, as a touch without, or as a pedal whose event comes late."""
    while not done.is_set():
        newest = box.grabbers["us"].ring.newest()
        late = 5_000_000 if how == 2 else 0
        ask = Ask(time_ns=clock.boottime_ns() - late, frame=newest.sequence if newest and how == 1 else 0)
        try:
            box.presses.take_still(ask, Origin.PEDAL).result(10)
        except ScopegateError:
            clock.pause(0.001)


def _checked(box, exam) -> int:
    """Return how many pictures an exam has, after looking at when each of them was taken."""
    captures = [listed.capture for listed in box.spool.captures.of_exam(exam.id)]
    numbers = [capture.instance_number for capture in captures]
    assert numbers == sorted(set(numbers))
    for capture in captures:
        assert capture.patient.id == exam.patient.id
        assert min(capture.frame_times) >= exam.opened.boottime_ns
        assert _times_painted(box, capture) == list(capture.frame_times)
    return sum(capture.frames for capture in captures)


def _open(box, name: str):
    subject = Subject(identity=Identity.TYPED, patient=Patient(name=name, id=name))
    while True:
        try:
            return box.spool.exams.open(subject, close_open=True)[0]
        except ScopegateError:
            continue


def _timed(number: int, time_ns: int):
    """Return a picture that has its own time painted in as its counter, in units of 65536 ns."""
    pixels = np.zeros((144, 256), np.uint8)
    time_ns -= time_ns % 65536
    counter.paint(pixels, (time_ns >> 16) % counter.LIMIT)
    return Picture(
        counter=number, time_ns=time_ns, format=PixelFormat.GRAY8, width=256, height=144, planes=(pixels,)
    )


def _times_painted(box, capture) -> list[int]:
    path = box.spool.layout.media(capture.exam, capture.media)
    if capture.kind == "still":
        pictures = [path.read_bytes()]
    else:
        _, entries = read_index(box.spool.layout.index(capture.exam, capture.sop_instance_uid))
        pictures = list(codestreams(path, entries))
    return [counter.read(imagecodecs.jpeg8_decode(stream)) << 16 for stream in pictures]


def test_a_source_whose_frames_are_late_holds_up_no_press_of_another_one(boxes):
    box = boxes(sources=("us", "scope"), ring_bytes=0, patience=Patience(on_its_way=10.0))
    box.exam()
    box.show("us", count=3)
    box.show("scope", count=3)
    box.clock.move(0.5)  # "us" has gone silent, and nobody knows yet
    box.show("scope")
    first: list = []
    pressed_ns = box.clock.boottime_ns()
    waiting = threading.Thread(target=lambda: first.append(box.press(source="us", time_ns=pressed_ns)))
    waiting.start()
    wanted = box.grabbers["scope"].ring.newest().sequence
    second = box.press(source="scope").result(10)
    assert second.sequence == wanted
    assert not first  # the other one still waits
    box.show("us")
    waiting.join(10)
    assert first


def test_a_source_without_a_frame_of_a_new_exam_holds_up_no_press_of_another_one(boxes):
    box = boxes(sources=("us", "scope"), ring_bytes=0, patience=Patience(on_its_way=0.0, first_frame=10.0))
    box.show("us", count=9)
    box.exam()
    wanted = box.show("scope", count=9)
    first: list = []
    waiting = threading.Thread(target=lambda: first.append(box.press(source="us")))
    waiting.start()
    assert box.press(source="scope").result(10).sequence == wanted.sequence
    assert not first  # the other one still waits
    frame = box.show("us")
    waiting.join(10)
    assert first[0].result(10).sequence == frame.sequence
