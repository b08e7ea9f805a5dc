"""Devices that are not configured yet: what each shows, and which one is pressed, before anybody wrote a line."""

from functools import partial

import pytest

from gateway.capture.workbench import Tools, Workbench
from gateway.errors import BadValue, ExamOpen, NoSignal, NotTried, ProfileUnfit
from hardware.fakes import ScriptedSource
from hardware.input.fakes import FakeMachine
from hardware.sources.v4l2.finding import Found
from hardware.triggers.learning import Candidate, KeyEar, Listening
from tests.unit.capture.conftest import picture

F13, TOUCH = 183, 0x14A


@pytest.fixture
def box(boxes):
    return boxes(sources=("us",))


@pytest.fixture
def machine(tmp_path, clock):
    return FakeMachine(tmp_path / "machine", clock_ns=clock.boottime_ns, wait=clock.pause)


@pytest.fixture
def acts():
    """What people do when it is waited for them."""
    return []


@pytest.fixture
def bench(box, machine, clock, acts):
    """A bench whose grabbers and pedals are told by the test: `bench.gives`, `bench.found`."""

    def wait(seconds):
        clock.pause(seconds)
        if acts:
            acts.pop(0)()

    def listening():
        made = Listening(clock_ns=clock.boottime_ns, wait=wait)
        for device in machine.attached.all():
            made.add(
                Candidate(kind="input", device=device.word, identity=device.identity, name=device.name),
                partial(KeyEar, device, calls=machine),
            )
        return made

    found, gives, made = [], [], []

    def source(_settings):
        made.append(ScriptedSource(list(gives)))
        return made[-1]

    bench = Workbench(
        spool=box.spool,
        tools=Tools(grabbers=lambda: found, listening=listening),
        source=source,
        grabbers=box.grabbers,
        clock=clock,
    )
    bench.found, bench.gives, bench.made = found, gives, made
    return bench


def always():
    return True


# --- pictures ----------------------------------------------------------------------------------------------------


def test_a_grabber_is_named_as_the_configuration_names_it(bench):
    bench.found += [
        Found(node="/dev/video0", name="Cheap Grabber", port="1-1.4", identity="534d:2109"),
        Found(node="/dev/video1", name="Cheap Grabber", index=1, port="1-1.4", identity="534d:2109"),
        Found(node="/dev/video2", name="Board camera"),
    ]
    devices = bench.devices()
    assert [each["device"] for each in devices[:2]] == ["v4l2:usb:1-1.4:534d:2109", "v4l2:/dev/video2"]
    assert [each["used_by"] for each in devices] == ["", "", "", "us"]  # the test's source is the pattern of bars


def test_a_device_that_is_not_configured_is_opened_for_one_picture_and_closed(bench, clock):
    bench.gives += [picture(number, clock.boottime_ns()) for number in range(1, 12)]
    look = bench.look("v4l2:/dev/video0", "", 320)
    assert (look.width, look.height) == (320, 180)
    assert look.jpeg.startswith(b"\xff\xd8")
    assert [(each.opened, each.closed) for each in bench.made] == [(1, 1)]


def test_a_device_in_use_shows_its_own_picture_and_is_not_opened(bench, box):
    box.show("us")
    assert bench.look("pattern:bars", "", 320).width == 320
    assert bench.made == []


def test_a_profile_for_another_size_is_told_so(bench, clock):
    bench.gives += [picture(1, clock.boottime_ns())] * 12
    with pytest.raises(ProfileUnfit) as refused:
        bench.look("v4l2:/dev/video0", "round-endoscope-1080p", 320)
    assert "320 x 180" in refused.value.what


def test_a_device_that_gives_nothing_is_told_so(bench):
    bench.gives += [None] * 12
    with pytest.raises(NoSignal):
        bench.look("v4l2:/dev/video0", "", 320)


def test_a_device_that_is_not_there_is_told_so(bench):
    with pytest.raises(NotTried):
        bench.look("v4l2:/dev/video0", "", 320)


@pytest.mark.parametrize("device", ["file:/etc/passwd", "nothing", "v4l2:../video0"])
def test_nothing_but_a_grabber_is_looked_at(bench, device):
    with pytest.raises(BadValue):
        bench.look(device, "", 320)
    assert bench.made == []


def test_no_device_is_tried_while_a_patient_is_examined(bench, box):
    box.exam()
    with pytest.raises(ExamOpen):
        bench.look("v4l2:/dev/video0", "", 320)
    with pytest.raises(ExamOpen):
        bench.hear(5, always)


# --- pedals ------------------------------------------------------------------------------------------------------


def test_the_pedal_that_is_pressed_is_found_with_its_key(bench, machine, acts):
    machine.plug(port="1-1.2", name="Keyboard", nodes=1)
    pedal = machine.plug(port="1-1.3", name="Foot switch", nodes=1)
    acts += [lambda: None] * 300 + [lambda: pedal.press(F13)]
    heard, listening = bench.hear(10, always)
    assert heard.candidate.name == "Foot switch"
    assert heard.word == "key:0xB7"
    assert len(listening.ears) == 2


def test_nobody_presses(bench, machine, clock):
    machine.plug(nodes=1)
    began = clock.boottime_ns()
    heard, _ = bench.hear(3, always)
    assert heard is None
    assert clock.boottime_ns() - began < 10e9


def test_a_finger_on_the_boxs_own_screen_is_no_pedal(bench, machine, acts):
    screen = machine.plug(name="Touchscreen", nodes=1)
    acts += [lambda: None] * 300 + [lambda: screen.press(TOUCH)]
    heard, _ = bench.hear(3, always)
    assert heard is None


def test_pedals_are_let_go_when_nobody_asks_any_more(bench, machine, clock):
    pedal = machine.plug(nodes=1)
    bench.hear(1, always)
    bench.step()
    assert machine.readers(pedal.nodes[0])  # the page asks again at once
    clock.move(10)
    bench.step()
    assert not machine.readers(pedal.nodes[0])


def test_pedals_are_let_go_when_a_patient_comes(bench, machine, box):
    pedal = machine.plug(nodes=1)
    bench.hear(1, always)
    box.exam()
    bench.step()
    assert not machine.readers(pedal.nodes[0])
