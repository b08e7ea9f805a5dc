"""Devices that lie, stutter, flood, stall or type garbage: a clear state, nothing wrong stored, and no spin.

How often a device is asked in so many seconds is counted; how long that takes is not looked at.
"""

import threading

import numpy as np
import pytest

from gateway.capture.grabber import Grabber
from gateway.capture.parts import Devices, build
from gateway.capture.pedals import Pedal
from gateway.capture.ring import Ring
from gateway.clock import FakeClock
from gateway.config.settings import Settings, Source, Station
from gateway.errors import ScopegateError
from hardware import factory
from hardware.errors import DeviceMissing, DeviceRefused
from hardware.input.fakes import FakeMachine
from hardware.sources import Loss
from hardware.sources.v4l2.fake import FakeGrabber, FakeInput
from hardware.sources.v4l2.finding import Place
from hardware.sources.v4l2.source import V4l2Source
from hardware.sources.v4l2.wish import Wish
from hardware.triggers.input import InputTrigger

SECONDS = 20
MOST_CALLS = 2200  # of the kernel in a second, with a device that floods; one that works makes some 150


class Until(threading.Event):
    """Set once a clock has come to some time."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__()
        self._clock, self._end_ns = clock, clock.boottime_ns() + round(seconds * 1e9)

    def is_set(self) -> bool:
        return self._clock.boottime_ns() >= self._end_ns


def grabber_of(box, **faults: object) -> tuple[FakeGrabber, Grabber]:
    """Put a device with these faults in the place of the box's source."""
    clock = box.clock
    device = FakeGrabber(clock_ns=clock.monotonic_ns, wait=clock.pause, **faults)
    source = V4l2Source(
        place=Place("/dev/null"),
        wish=Wish(),
        clock_ns=clock.boottime_ns,
        monotonic_ns=clock.monotonic_ns,
        wait=clock.pause,
        node=device.open_node,
    )
    made = box.grabbers["us"] = Grabber(
        settings=Source(name="us"),
        source=source,
        ring=Ring(start_counter=1, budget_bytes=1 << 20),
        clock=clock,
    )
    return device, made


LYING = {
    "another size than it says": {"is_set_to": (32, 24)},
    "an offer without a picture": {"offers": {"YUYV": {(0, 0): (30,)}}},
    "no room on its USB port": {"no_room": True},
}


@pytest.mark.parametrize("lie", LYING.values(), ids=LYING)
def test_a_grabber_that_lies_is_refused_in_words_asked_once_a_second_and_nothing_is_stored(box, lie):
    exam = box.exam()
    device, grabber = grabber_of(box, **lie)
    grabber.run(Until(box.clock, SECONDS))
    assert (grabber.state.signal, grabber.state.code) == ("refused", "VID-05")
    assert grabber.state.what.endswith(".")
    assert SECONDS / 2 <= device.opened <= SECONDS + 1
    assert device.calls <= 150 * device.opened
    with pytest.raises(ScopegateError) as refused:
        box.press()
    assert grabber.state.what in str(refused.value)
    assert box.answers() == ["not-stored"]
    assert box.files(exam) == set()


STUTTERING = {
    "short buffers": {"shortened": 5},
    "half a JPEG": {"offers": {"MJPEG": {(64, 48): (30,)}}, "content": lambda _: b"\xff\xd8\xff\xe0" + bytes(99)},
    "no bytes at all": {"offers": {"MJPEG": {(64, 48): (30,)}}, "content": lambda _: b""},
    "short buffers without end": {"shortened": 5, "period_ns": 0},
}


@pytest.mark.parametrize("faults", STUTTERING.values(), ids=STUTTERING)
def test_a_grabber_of_broken_pictures_has_none_says_so_and_takes_little_of_the_processor(box, faults):
    exam = box.exam()
    device, grabber = grabber_of(box, **faults)
    grabber.run(Until(box.clock, SECONDS))
    assert grabber.state.signal in {"refused", "stopped", "no-signal"}
    assert grabber.state.what
    assert grabber.ring.newest() is None
    assert device.calls <= MOST_CALLS * SECONDS
    with pytest.raises(ScopegateError):
        box.press()
    assert box.files(exam) == set()


def test_a_grabber_of_broken_pictures_says_one_thing_alone_and_what_to_do(box):
    _, grabber = grabber_of(box, shortened=5)
    said = []
    for _ in range(60):
        grabber.step()
        said.append((grabber.state.code, grabber.state.action))
    first = said.index(("VID-05", grabber.state.action))
    assert set(said[first:]) == {("VID-05", "Do what this says, or call IT.")}


def test_a_grabber_that_floods_is_read_at_most_five_hundred_times_a_second_and_pictures_are_taken(box):
    box.exam()
    device, grabber = grabber_of(box, period_ns=0)
    grabber.run(Until(box.clock, 2))
    assert grabber.state.signal == "live"
    assert device.delivered <= 2 * 500 + 10
    assert device.calls <= MOST_CALLS * 2
    assert box.press().result(10).rows == 48


def test_a_grabber_that_stalls_is_opened_anew_every_five_seconds_and_hardly_asked(box):
    device, grabber = grabber_of(box)
    assert grabber.step()
    assert grabber.state.signal == "live"
    device.stalled, before = True, device.calls
    grabber.run(Until(box.clock, SECONDS))
    assert (grabber.state.signal, grabber.state.code) == ("stopped", "VID-02")
    assert 3 <= device.opened <= 5
    assert device.calls - before <= 60 * SECONDS


def test_an_input_without_signal_is_asked_a_few_times_a_second(box):
    device, grabber = grabber_of(box, inputs=[FakeInput(name="HDMI", timings=(64, 48, 60))])
    device.lose_signal()
    grabber.run(Until(box.clock, SECONDS))
    assert grabber.state.code == "VID-01"
    assert device.calls <= 100 * SECONDS


class Hasty:
    """A device that never waits: whatever it is asked, it answers this at once."""

    def __init__(self, answer: object, *, opens: bool = True) -> None:
        self._answer, self._opens = answer, opens
        self.asked = 0

    def open(self) -> None:
        self.asked += 1
        if not self._opens:
            raise DeviceMissing("It is not there.")

    def read(self, timeout: float) -> object:
        del timeout
        self.asked += 1
        assert self.asked < 100_000, "it is asked without end"
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def close(self) -> None:
        """Close nothing."""


@pytest.mark.parametrize(
    ("device", "most"),
    [
        (Hasty(None), 200),
        (Hasty(Loss.NO_SIGNAL), 200),
        (Hasty(DeviceMissing("gone")), 3),
        (Hasty(DeviceRefused("no")), 3),
        (Hasty(None, opens=False), 2),
    ],
    ids=["nothing", "no signal", "gone", "refused", "not there"],
)
def test_no_answer_of_a_source_makes_its_thread_spin(clock, device, most):
    ring = Ring(start_counter=1, budget_bytes=1 << 20)
    Grabber(settings=Source(name="us"), source=device, ring=ring, clock=clock).run(Until(clock, SECONDS))
    assert device.asked <= most * SECONDS + 1


@pytest.mark.parametrize(
    ("device", "most"),
    [(Hasty(None), 200), (Hasty(DeviceMissing("gone")), 2), (Hasty(None, opens=False), 1)],
    ids=["nothing", "gone", "not there"],
)
def test_no_answer_of_a_trigger_makes_its_thread_spin(box, device, most):
    pedal = Pedal(name="input-1", trigger=device, source="us", presses=box.presses, clock=box.clock)
    pedal.listen(Until(box.clock, SECONDS))
    assert device.asked <= most * SECONDS + 1
    assert box.answers() == []


F13, A, ENTER = 183, 30, 28


@pytest.fixture
def machine(box, tmp_path) -> FakeMachine:
    """A machine into which pedals are plugged."""
    return FakeMachine(tmp_path, clock_ns=box.clock.boottime_ns, wait=box.clock.pause)


def pedal_at(box, machine: FakeMachine) -> Pedal:
    trigger = InputTrigger(
        device="usb:1-1.4",
        still=f"key:{F13}",
        clock_ns=box.clock.boottime_ns,
        wait=box.clock.pause,
        attached=machine.attached,
        calls=machine,
        ready=machine.ready,
    )
    return Pedal(name="input-1", trigger=trigger, source="us", presses=box.presses, clock=box.clock)


def test_a_pedal_that_is_held_down_is_one_press_and_is_hardly_read(box, machine, wait):
    exam = box.exam()
    box.show()
    held = machine.plug()
    pedal = pedal_at(box, machine)
    box.supervisor.start("pedal-act", lambda: pedal.act(box.supervisor.stop))
    assert pedal.step()
    held.press(F13)
    assert pedal.step()
    wait(lambda: box.answers() == ["stored"])
    before, began = machine.reads, box.clock.boottime_ns()
    for _ in range(SECONDS):
        held.hold(F13, 30)  # the kernel repeats the key thirty times a second
        assert pedal.step()
    seconds = (box.clock.boottime_ns() - began) / 1e9
    assert machine.reads - before <= 200 * len(held.nodes) * seconds
    held.release(F13)
    assert pedal.step()
    assert box.answers() == ["stored"]
    assert len(box.spool.captures.of_exam(exam.id)) == 1


def test_a_scanner_that_types_garbage_takes_no_picture_and_the_pedal_beside_it_still_does(box, machine, wait):
    exam = box.exam()
    box.show()
    both = machine.plug()
    pedal = pedal_at(box, machine)
    box.supervisor.start("pedal-act", lambda: pedal.act(box.supervisor.stop))
    assert pedal.step()
    before, began = machine.reads, box.clock.boottime_ns()
    for _ in range(SECONDS * 5):
        both.type([A, ENTER] * 40)
        assert pedal.step()
    seconds = (box.clock.boottime_ns() - began) / 1e9
    assert machine.reads - before <= 250 * len(both.nodes) * seconds
    assert box.answers() == []
    assert box.files(exam) == set()
    box.show()
    both.type([F13])
    assert pedal.step()
    wait(lambda: box.answers() == ["stored"])


MISTAKES = 'title = "mine"\nturn = 45\nmatrix = "pal"\n'


def test_a_profile_with_mistakes_keeps_its_source_away_alone_and_says_each(box, tmp_path):
    path = tmp_path / "tower.toml"
    path.write_text(MISTAKES)
    settings = Settings(
        station=Station(data_dir=box.root, runtime_dir=tmp_path),
        sources=(
            Source(name="broken", device="pattern:bars", profile=str(path)),
            Source(name="us", device="pattern:bars"),
        ),
    )
    times = {"clock_ns": box.clock.boottime_ns, "monotonic_ns": box.clock.monotonic_ns, "wait": box.clock.pause}
    devices = Devices(
        source=lambda source: factory.source(source.device, **times), trigger=lambda _: None, sign=lambda _: None
    )
    parts = build(settings, box.spool, devices, 1)
    broken, sound = parts.grabbers["broken"], parts.grabbers["us"]
    until = Until(box.clock, SECONDS)
    broken.run(until)
    assert sound.step()
    assert (broken.state.signal, broken.state.code) == ("refused", "VID-05")
    assert all(word in broken.state.what for word in ("tower.toml", "turn", "matrix"))
    assert sound.state.signal == "live"
    assert np.any(sound.ring.newest().picture.planes[0])
