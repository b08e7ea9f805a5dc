"""A key that the kernel repeats while it is held, and is seen to do so; one that is held at the start."""

import time
from pathlib import Path

from gateway.clock import Clock
from hardware.triggers import Action, Press
from hardware.triggers.input import InputTrigger
from tests.kernel.gadgets import KeyPedal

BOUNCE_S = 0.1  # presses that follow sooner are one
REPEATS_S = 1.0  # the kernel repeats a held key after 250 ms, 30 times a second
STILL = "key:0x30"  # KEY_B
EVENT = 24  # bytes of a struct input_event
REPEAT = 2  # its value


def listener(device: str) -> InputTrigger:
    return InputTrigger(device=device, clock_ns=Clock().boottime_ns, wait=time.sleep, still=STILL)


def heard(trigger: InputTrigger, seconds: float) -> list[Press]:
    """Return all presses of some seconds."""
    end = time.monotonic() + seconds
    found = [trigger.read(0.1)]
    while time.monotonic() < end:
        found.append(trigger.read(0.1))
    return [press for press in found if press is not None]


def test_a_held_pedal_is_one_press_however_often_the_kernel_repeats_its_key(key_pedal: KeyPedal) -> None:
    with Path(key_pedal.device).open("rb", buffering=0) as events:
        key_pedal.hold()
        time.sleep(REPEATS_S)  # the time for which a foot rests on it
        key_pedal.release()
        came = events.read(1 << 16)
    values = [came[start + 20] for start in range(0, len(came), EVENT) if came[start + 16] == 1]
    assert values.count(REPEAT) > 5, "the kernel repeats no key here: the test shows nothing"
    trigger = listener(key_pedal.device)
    trigger.open()
    key_pedal.hold()
    presses = heard(trigger, REPEATS_S)
    key_pedal.release()
    presses += heard(trigger, 0.3)
    trigger.close()
    assert [press.action for press in presses] == [Action.STILL]


def test_a_key_that_was_down_when_listening_began_has_to_go_up_first(key_pedal: KeyPedal) -> None:
    key_pedal.hold()
    time.sleep(BOUNCE_S)
    trigger = listener(key_pedal.device)
    trigger.open()
    assert heard(trigger, REPEATS_S) == []
    key_pedal.release()
    time.sleep(BOUNCE_S)
    key_pedal.press()
    assert len(heard(trigger, 0.5)) == 1
    trigger.close()
