import subprocess
import sys
from itertools import pairwise

import pytest

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.factory import sign, source, trigger
from hardware.fakes import ScriptedSource, ScriptedTrigger, pictures, worst_source, worst_trigger
from hardware.indicators.lamp import Lamp
from hardware.indicators.tone import Tone
from hardware.sources import Loss, Picture, PixelFormat
from hardware.sources.counter import read
from hardware.sources.file import FileSource
from hardware.sources.pattern import PatternSource
from hardware.sources.v4l2.source import V4l2Source
from hardware.triggers import Action, Press
from hardware.triggers.gpio import GpioTrigger
from hardware.triggers.input import InputTrigger
from hardware.triggers.serial import SerialTrigger


@pytest.fixture
def make(clock):
    return lambda device: source(
        device, clock_ns=clock.boottime_ns, monotonic_ns=clock.monotonic_ns, wait=clock.pause
    )


@pytest.fixture
def pedal(clock):
    def make(kind, **words):
        return trigger(
            kind,
            clock_ns=clock.boottime_ns,
            monotonic_ns=clock.monotonic_ns,
            wait=clock.pause,
            **words,
        )

    return make


def test_a_scripted_source_plays_its_script_and_is_then_unplugged(clock):
    fake = ScriptedSource([*pictures(2, start_ns=5), None], pictures(1, start_ns=9), wait=clock.pause)
    fake.open()
    assert [read(fake.read(1.0).planes[0]) for _ in range(2)] == [0, 1]
    before = clock.boottime_ns()
    assert fake.read(0.5) is None
    assert clock.boottime_ns() - before == 500_000_000
    with pytest.raises(DeviceMissing):
        fake.read(1.0)
    fake.close()
    fake.open()
    assert fake.read(1.0).time_ns == 9
    fake.close()
    fake.close()
    with pytest.raises(DeviceMissing):
        fake.open()
    assert (fake.opened, fake.closed) == (2, 2)


def test_a_scripted_error_is_raised_in_its_place():
    fake = ScriptedSource([None, DeviceRefused("no"), *pictures(1, start_ns=0)])
    fake.open()
    assert fake.read(0) is None
    with pytest.raises(DeviceRefused):
        fake.read(0)
    assert fake.read(0).counter == 0


def test_the_worst_grabber_has_bursts_gaps_silence_and_other_sizes():
    fake = ScriptedSource(worst_source(start_ns=1_000))
    fake.open()
    seen = [fake.read(0) for _ in range(16)]
    there = [picture for picture in seen if isinstance(picture, Picture)]
    counters = [picture.counter for picture in there]
    assert counters == sorted(set(counters))
    assert max(b - a for a, b in pairwise(counters)) > 1
    assert len({picture.time_ns for picture in there}) < len(there)
    assert len({(picture.width, picture.height) for picture in there}) > 2
    assert {picture.format for picture in there} == set(PixelFormat)
    assert None in seen
    assert Loss.NO_SIGNAL in seen
    with pytest.raises(DeviceMissing):
        fake.read(0)


def test_a_scripted_pedal_presses_and_is_then_unplugged(clock):
    press = Press(action=Action.CLIP, time_ns=4)
    fake = ScriptedTrigger([press, None], worst_trigger(start_ns=10**13), wait=clock.pause)
    fake.open()
    assert fake.read(1.0) is press
    assert fake.read(1.0) is None
    with pytest.raises(DeviceMissing):
        fake.read(1.0)
    fake.close()
    fake.open()
    assert [fake.read(0) is None for _ in range(5)] == [False, False, False, True, False]


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ("pattern:bars", PatternSource),
        ("pattern:ultrasound", PatternSource),
        ("file:/videos/a:b.mp4", FileSource),
        ("v4l2:/dev/v4l/by-path/x", V4l2Source),
        ("v4l2:usb:1-1.4:534d:2109", V4l2Source),
    ],
)
def test_the_configurations_word_chooses_the_source(make, device, kind):
    assert type(make(device)) is kind


@pytest.mark.parametrize("device", ["", "file:", "pattern:", "pattern:plaid", "camera:0", "/dev/video0", "v4l2:"])
def test_an_unknown_source_is_refused_with_what_there_is(make, device):
    with pytest.raises(DeviceRefused, match="v4l2:PATH, file:PATH, pattern:bars or pattern:ultrasound"):
        make(device)


def test_the_configurations_word_chooses_the_trigger(pedal):
    assert type(pedal("serial", device="/dev/ttyUSB0", still="byte:0x53")) is SerialTrigger
    assert type(pedal("input", device="usb:1-1.4", still="key:0xB7")) is InputTrigger
    assert type(pedal("gpio", device="/dev/gpiochip0", clip="pin:4")) is GpioTrigger


def test_the_configurations_word_chooses_the_lamp_or_the_tone(clock):
    def of(kind, **words):
        return sign(kind, clock_ns=clock.boottime_ns, wait=clock.pause, **words)

    assert type(of("tone", device="")) is Tone
    assert type(of("gpio", device="/dev/gpiochip0", lamp="pin:27")) is Lamp
    assert type(of("serial", device="/dev/ttyUSB0", lamp="rts")) is Lamp
    for kind, lamp in (("serial", "cts"), ("led", ""), ("gpio", "rts")):
        with pytest.raises(DeviceRefused):
            of(kind, device="/dev/null", lamp=lamp)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"kind": "scanner", "device": "pin:4"}, "use serial, input or gpio"),
        ({"kind": "input", "device": "usb:1-1", "still": "key:F1"}, "not key:0 to"),
        ({"kind": "gpio", "device": "/dev/gpiochip0", "still": "pin:-1"}, "not pin:0 to"),
        ({"kind": "serial", "device": "/dev/ttyUSB0"}, "does nothing"),
    ],
)
def test_a_trigger_that_cannot_work_is_refused_with_the_reason(pedal, words, reason):
    with pytest.raises(DeviceRefused, match=reason):
        pedal(**words)


LOADED_BY = {  # what is configured: the library that it needs
    "f.source('pattern:bars', **times)": "",
    "f.sign('serial', device='/dev/ttyS0', lamp='rts', **less)": "",
    "f.source('v4l2:/dev/video0', **times)": "linuxpy.video.raw",
    "f.source('file:clip.mp4', **times)": "av",
    "f.trigger('serial', device='/dev/ttyS0', still='cts', **times)": "serial",
    "f.trigger('input', device='usb:1-1', still='key:0xB7', **times)": "linuxpy.input",
    "f.sign('gpio', device='/dev/gpiochip0', lamp='pin:1', **less)": "linuxpy.gpio",
}


def test_a_library_is_loaded_by_what_is_configured_alone():
    code = (
        "import sys, gateway.capture.service, gateway.cli.devices, hardware.factory as f\n"
        "less = dict(clock_ns=int, wait=print); times = less | dict(monotonic_ns=int)\n"
        f"libraries = {set(LOADED_BY.values())}\n"
        f"for asked in {list(LOADED_BY)}:\n"
        "    before = set(sys.modules); eval(asked); print(*(libraries & (set(sys.modules) - before)))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == list(LOADED_BY.values())
