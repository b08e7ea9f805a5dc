"""A pedal on a USB port as the kernel's modem driver has it: presses, unplugged and plugged in again."""

import time
from collections.abc import Iterator

import pytest

from gateway.clock import Clock
from hardware.errors import DeviceMissing
from hardware.triggers import Action
from hardware.triggers.serial import SerialTrigger
from tests.kernel.gadgets import SerialPedal, plugged, until

PATIENCE_S = 20.0


@pytest.fixture
def trigger(serial_pedal: SerialPedal) -> Iterator[SerialTrigger]:
    made = listener(serial_pedal)
    made.open()
    yield made
    made.close()


def listener(pedal: SerialPedal) -> SerialTrigger:
    return SerialTrigger(device=pedal.device, clock_ns=Clock().boottime_ns, wait=time.sleep)


def test_a_pedal_on_a_usb_port_takes_stills_and_clips(serial_pedal: SerialPedal, trigger: SerialTrigger) -> None:
    for byte, action in ((b"S", Action.STILL), (b"C", Action.CLIP)):
        before = Clock().boottime_ns()
        serial_pedal.press(byte)
        press = trigger.read(PATIENCE_S)
        assert press is not None
        assert press.action is action
        assert before <= press.time_ns <= Clock().boottime_ns()
    assert trigger.read(0.2) is None


def test_a_pedal_that_is_pulled_out_is_said_so_and_comes_back_under_its_name(
    serial_pedal: SerialPedal, trigger: SerialTrigger
) -> None:
    serial_pedal.unplug()
    with pytest.raises(DeviceMissing):
        trigger.read(PATIENCE_S)
    trigger.close()
    with pytest.raises(DeviceMissing):
        trigger.open()
    serial_pedal.plug()
    trigger.open()
    serial_pedal.press()
    press = trigger.read(PATIENCE_S)
    assert press is not None
    assert press.action is Action.STILL


def test_a_pedal_keeps_its_name_beside_others_in_any_socket(serial_pedal: SerialPedal) -> None:
    with plugged(SerialPedal("PEDAL2")) as other:
        serial_pedal.unplug()
        with plugged(SerialPedal("PEDAL3")) as third:  # takes the socket of the first
            serial_pedal.plug()
            trigger = listener(serial_pedal)
            trigger.open()
            other.press()
            third.press()
            assert trigger.read(0.5) is None
            serial_pedal.press()
            assert until("the press", lambda: trigger.read(0.5)).action is Action.STILL
            trigger.close()
