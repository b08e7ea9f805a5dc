"""A pedal that is a USB keyboard, as the kernel's HID driver has it: edges, times, grab, unplugging, enrolling."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.clock import Clock
from hardware.errors import DeviceMissing, DeviceRefused
from hardware.input.attached import Attached, KeyDevice
from hardware.input.node import Kernel
from hardware.triggers import Action
from hardware.triggers.input import InputTrigger
from hardware.triggers.learning import Candidate, KeyEar, Listening
from tests.kernel.gadgets import KEY_B, KeyPedal, until

PATIENCE_S = 20.0
STILL = "key:0x30"  # KEY_B
IDENTITY = "0525:a4a7"  # of every gadget here
CLOCK = Clock()


@pytest.fixture
def device(key_pedal: KeyPedal) -> KeyDevice:
    return Attached().find(key_pedal.device)


@pytest.fixture
def trigger(device: KeyDevice) -> Iterator[InputTrigger]:
    made = trigger_on(device.word)
    yield made
    made.close()


def trigger_on(word: str) -> InputTrigger:
    made = InputTrigger(device=word, identity=IDENTITY, still=STILL, clock_ns=CLOCK.boottime_ns, wait=CLOCK.pause)
    made.open()
    return made


def presses(trigger: InputTrigger, seconds: float = 1.0) -> int:
    """Count what is pressed until nobody did for so long."""
    return sum(1 for _ in iter(lambda: trigger.read(seconds), None))


def test_a_pedal_is_known_by_its_port_and_its_identity(device: KeyDevice) -> None:
    assert device.port
    assert device.identity == IDENTITY
    assert all(node.exists() for node in device.nodes)
    assert Attached().find(f"usb:{device.port}").nodes == device.nodes
    assert Attached().find(f"id:{IDENTITY}").nodes == device.nodes
    with pytest.raises(DeviceRefused, match="another device"):
        Attached().find(device.word, identity="0c45:7403")


def test_a_key_that_goes_down_is_a_press_with_the_kernels_time(key_pedal: KeyPedal, trigger: InputTrigger) -> None:
    for _ in range(3):
        before = CLOCK.boottime_ns()
        key_pedal.press()
        after = CLOCK.boottime_ns()
        press = trigger.read(PATIENCE_S)
        assert press is not None
        assert press.action is Action.STILL
        assert before - 1000 <= press.time_ns <= CLOCK.boottime_ns()
        assert press.time_ns - after < 1e9
        CLOCK.pause(0.1)
    assert trigger.read(0.2) is None


def test_a_held_pedal_is_one_press_though_its_key_is_repeated(key_pedal: KeyPedal, trigger: InputTrigger) -> None:
    key_pedal.hold()
    assert presses(trigger, 2.0) == 1
    key_pedal.release()
    assert presses(trigger) == 0
    key_pedal.press()
    assert presses(trigger) == 1


def test_a_press_that_the_kernel_dropped_from_its_queue_is_seen(key_pedal: KeyPedal, trigger: InputTrigger) -> None:
    for _ in range(60):
        key_pedal.press(0x04)  # other keys, while nobody reads
    key_pedal.hold(KEY_B)
    for key in (0x04, 0x06) * 60:
        key_pedal.hold(KEY_B, key)
    assert presses(trigger) == 1
    key_pedal.release()
    assert presses(trigger) == 0


def test_nobody_else_gets_the_keys_while_the_trigger_is_open(key_pedal: KeyPedal, device: KeyDevice) -> None:
    others = [os.open(node, os.O_RDONLY | os.O_NONBLOCK) for node in device.nodes]
    trigger = trigger_on(device.word)
    with pytest.raises(DeviceRefused, match="Another program"):
        trigger_on(device.word)
    key_pedal.press()
    assert presses(trigger) == 1
    for fd in others:
        with pytest.raises(BlockingIOError):
            os.read(fd, 240)
    trigger.close()
    key_pedal.press()
    assert until("the key elsewhere", lambda: any(readable(fd) for fd in others))
    for fd in others:
        os.close(fd)


def readable(fd: int) -> bool:
    try:
        return bool(os.read(fd, 240))
    except BlockingIOError:
        return False


def test_a_pedal_that_is_pulled_out_is_missing_and_works_again_at_its_port(
    key_pedal: KeyPedal, device: KeyDevice, trigger: InputTrigger
) -> None:
    key_pedal.press()
    assert presses(trigger) == 1
    key_pedal.unplug()
    with pytest.raises(DeviceMissing):
        trigger.read(PATIENCE_S)
    trigger.close()
    with pytest.raises(DeviceMissing):
        trigger.open()
    key_pedal.plug()
    trigger.open()
    assert Attached().find(key_pedal.device).port == device.port
    key_pedal.press()
    assert presses(trigger) == 1


def test_a_pedal_is_enrolled_by_pressing_it(key_pedal: KeyPedal, device: KeyDevice) -> None:
    listening = Listening(clock_ns=CLOCK.boottime_ns, wait=CLOCK.pause)
    for each in Attached().all():
        candidate = Candidate(kind="input", device=each.word, identity=each.identity, name=each.name)
        listening.add(candidate, partial(KeyEar, each, calls=Kernel()))
    listening.settle()
    key_pedal.press()
    heard = listening.hear(PATIENCE_S)
    listening.close()
    assert heard is not None
    assert (heard.candidate.device, heard.candidate.identity, heard.word) == (device.word, IDENTITY, STILL)


def test_what_is_no_key_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeviceMissing):
        Attached().find(str(tmp_path / "event99"))
