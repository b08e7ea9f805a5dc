"""A pedal that is a USB keyboard, by the kernel's HID driver: edges only, whoever else listens hears nothing."""

import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import Clock
from hardware.errors import DeviceMissing
from hardware.triggers import Action, Press
from hardware.triggers.input import InputTrigger
from tests.kernel.gadgets import KEY_B, KeyPedal, until

PATIENCE_S = 20.0
BOUNCE_S = 0.1  # presses that follow sooner are one
REPEATS_S = 1.0  # the kernel repeats a held key after 250 ms, 30 times a second
STILL = "key:0x30"  # KEY_B
EVENT = 24  # bytes of a struct input_event
REPEAT = 2  # its value


@pytest.fixture
def pedal() -> Iterator[KeyPedal]:
    made = KeyPedal()
    made.plug()
    yield made
    made.throw_away()


@pytest.fixture
def trigger(pedal: KeyPedal) -> Iterator[InputTrigger]:
    made = listener(pedal.device)
    made.open()
    yield made
    made.close()


def listener(device: str) -> InputTrigger:
    return InputTrigger(device=device, clock_ns=Clock().boottime_ns, wait=time.sleep, still=STILL)


def heard(trigger: InputTrigger, seconds: float) -> list[Press]:
    """Return all presses of some seconds."""
    end = time.monotonic() + seconds
    found = [trigger.read(0.1)]
    while time.monotonic() < end:
        found.append(trigger.read(0.1))
    return [press for press in found if press is not None]


def test_a_held_pedal_is_one_press_however_often_the_kernel_repeats_its_key(pedal: KeyPedal) -> None:
    with Path(pedal.device).open("rb", buffering=0) as events:
        pedal.hold()
        time.sleep(REPEATS_S)  # the time for which a foot rests on it
        pedal.release()
        came = events.read(1 << 16)
    values = [came[start + 20] for start in range(0, len(came), EVENT) if came[start + 16] == 1]
    assert values.count(REPEAT) > 5, "the kernel repeats no key here: the test shows nothing"
    trigger = listener(pedal.device)
    trigger.open()
    pedal.hold()
    presses = heard(trigger, REPEATS_S)
    pedal.release()
    presses += heard(trigger, 0.3)
    trigger.close()
    assert [press.action for press in presses] == [Action.STILL]


def test_a_press_has_the_kernels_time_and_not_that_at_which_it_was_fetched(
    pedal: KeyPedal, trigger: InputTrigger
) -> None:
    before = Clock().boottime_ns()
    pedal.press()
    after = Clock().boottime_ns()
    time.sleep(0.5)  # the reader is busy elsewhere
    press = trigger.read(PATIENCE_S)
    assert press is not None
    assert before <= press.time_ns <= after + 100_000_000  # the bus asks every few ms
    assert trigger.read(0.1) is None


def test_a_key_that_was_down_when_listening_began_has_to_go_up_first(pedal: KeyPedal) -> None:
    pedal.hold()
    time.sleep(BOUNCE_S)
    trigger = listener(pedal.device)
    trigger.open()
    assert heard(trigger, REPEATS_S) == []
    pedal.release()
    time.sleep(BOUNCE_S)
    pedal.press()
    assert len(heard(trigger, 0.5)) == 1
    trigger.close()


def test_other_keys_do_nothing_and_nobody_else_hears_the_pedal(pedal: KeyPedal, trigger: InputTrigger) -> None:
    with Path(pedal.device).open("rb", buffering=0) as other:
        pedal.press(KEY_B + 1)
        assert heard(trigger, 0.3) == []
        pedal.press()
        assert len(heard(trigger, 0.5)) == 1
        assert select.select([other], [], [], 0) == ([], [], [])
        trigger.close()
        time.sleep(BOUNCE_S)
        pedal.press()
        assert select.select([other], [], [], PATIENCE_S)[0] == [other]  # let go, it is a keyboard again


def test_a_pedal_that_is_pulled_out_while_it_is_held_comes_back_without_a_press(
    pedal: KeyPedal, trigger: InputTrigger
) -> None:
    pedal.hold()
    assert len(heard(trigger, 0.3)) == 1
    pedal.unplug()
    with pytest.raises(DeviceMissing):
        heard(trigger, PATIENCE_S)
    trigger.close()
    with pytest.raises(DeviceMissing):
        trigger.open()
    pedal.plug()
    trigger.open()
    assert heard(trigger, 0.3) == []
    pedal.press()
    assert until("the press", lambda: trigger.read(0.5)).action is Action.STILL


def test_a_pedal_is_found_by_the_port_it_is_plugged_into(pedal: KeyPedal) -> None:
    asked = ["udevadm", "info", "--query=path", f"--name={pedal.device}"]
    path = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    (port,) = re.findall(r"/(\d+-[\d.]+)/", path)
    trigger = listener(f"usb:{port}")
    trigger.open()
    pedal.press()
    assert until("the press", lambda: trigger.read(0.5)).action is Action.STILL
    trigger.close()
