"""A contact at the lines of a serial adapter, as the kernel's modem driver has them; a lamp on the same port."""

import os
from collections.abc import Iterator

import pytest

from gateway.clock import Clock
from hardware.errors import DeviceMissing
from hardware.indicators.switches import SerialSwitch
from hardware.serial_port import SerialPort
from hardware.triggers import Action
from hardware.triggers.learning import SerialEar
from hardware.triggers.serial import SerialTrigger
from tests.kernel.gadgets import SerialPedal, until

PATIENCE_S = 20.0
CLOCK = Clock()


@pytest.fixture
def trigger(serial_pedal: SerialPedal) -> Iterator[SerialTrigger]:
    made = SerialTrigger(
        device=serial_pedal.device, clock_ns=CLOCK.boottime_ns, wait=CLOCK.pause, still="dsr", clip="byte:0x43"
    )
    made.open()
    yield made
    made.close()


def test_a_contact_that_closes_is_a_press_and_bytes_work_beside_it(
    serial_pedal: SerialPedal, trigger: SerialTrigger
) -> None:
    for _ in range(2):
        before = CLOCK.boottime_ns()
        serial_pedal.close_contact()
        press = trigger.read(PATIENCE_S)
        assert press is not None
        assert press.action is Action.STILL
        assert before <= press.time_ns <= CLOCK.boottime_ns()
        assert trigger.read(0.5) is None  # held
        serial_pedal.press(b"C")
        press = trigger.read(PATIENCE_S)
        assert press is not None
        assert press.action is Action.CLIP
        serial_pedal.open_contact()
        assert trigger.read(0.5) is None


def test_a_contact_that_is_closed_before_the_port_is_opened_has_to_open_first(serial_pedal: SerialPedal) -> None:
    serial_pedal.close_contact()
    trigger = SerialTrigger(
        device=serial_pedal.device, clock_ns=CLOCK.boottime_ns, wait=CLOCK.pause, still="dsr", clip=""
    )
    trigger.open()
    assert trigger.read(0.5) is None
    serial_pedal.open_contact()
    assert trigger.read(0.5) is None
    serial_pedal.close_contact()
    assert trigger.read(PATIENCE_S) is not None
    trigger.close()


def test_a_pedal_that_is_pulled_out_with_its_contact_closed_is_missing(
    serial_pedal: SerialPedal, trigger: SerialTrigger
) -> None:
    serial_pedal.close_contact()
    assert trigger.read(PATIENCE_S) is not None
    serial_pedal.unplug()
    with pytest.raises(DeviceMissing):
        until("the port to be missed", lambda: trigger.read(0.5))


def test_a_lamp_on_the_pedals_port_leaves_its_presses_alone(
    serial_pedal: SerialPedal, trigger: SerialTrigger
) -> None:
    lamp = SerialSwitch(device=serial_pedal.device, line="rts")
    lamp.open()
    for lit in (True, False, True):
        lamp.set(lit)
    serial_pedal.close_contact()
    assert trigger.read(PATIENCE_S) is not None
    lamp.close()
    serial_pedal.press(b"C")
    assert trigger.read(PATIENCE_S) is not None


def test_a_contact_is_enrolled_by_closing_it(serial_pedal: SerialPedal) -> None:
    ear = SerialEar(os.path.realpath(serial_pedal.device), connect=SerialPort)
    assert list(ear.listen()) == []
    serial_pedal.close_contact()
    assert until("the line", lambda: list(ear.listen())) in (["cd", "dsr"], ["dsr"], ["cd"])
    ear.close()
