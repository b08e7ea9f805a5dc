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
def pedal() -> Iterator[SerialPedal]:
    made = SerialPedal()
    made.plug()
    yield made
    made.throw_away()


@pytest.fixture
def trigger(pedal: SerialPedal) -> Iterator[SerialTrigger]:
    made = SerialTrigger(
        device=pedal.device, clock_ns=CLOCK.boottime_ns, wait=CLOCK.pause, still="dsr", clip="byte:0x43"
    )
    made.open()
    yield made
    made.close()


def test_a_contact_that_closes_is_a_press_and_bytes_work_beside_it(
    pedal: SerialPedal, trigger: SerialTrigger
) -> None:
    for _ in range(2):
        before = CLOCK.boottime_ns()
        pedal.close_contact()
        press = trigger.read(PATIENCE_S)
        assert press is not None
        assert press.action is Action.STILL
        assert before <= press.time_ns <= CLOCK.boottime_ns()
        assert trigger.read(0.5) is None  # held
        pedal.press(b"C")
        press = trigger.read(PATIENCE_S)
        assert press is not None
        assert press.action is Action.CLIP
        pedal.open_contact()
        assert trigger.read(0.5) is None


def test_a_contact_that_is_closed_before_the_port_is_opened_has_to_open_first(pedal: SerialPedal) -> None:
    pedal.close_contact()
    trigger = SerialTrigger(device=pedal.device, clock_ns=CLOCK.boottime_ns, wait=CLOCK.pause, still="dsr", clip="")
    trigger.open()
    assert trigger.read(0.5) is None
    pedal.open_contact()
    assert trigger.read(0.5) is None
    pedal.close_contact()
    assert trigger.read(PATIENCE_S) is not None
    trigger.close()


def test_a_pedal_that_is_pulled_out_with_its_contact_closed_is_missing(
    pedal: SerialPedal, trigger: SerialTrigger
) -> None:
    pedal.close_contact()
    assert trigger.read(PATIENCE_S) is not None
    pedal.unplug()
    with pytest.raises(DeviceMissing):
        until("the port to be missed", lambda: trigger.read(0.5))


def test_a_lamp_on_the_pedals_port_leaves_its_presses_alone(pedal: SerialPedal, trigger: SerialTrigger) -> None:
    lamp = SerialSwitch(device=pedal.device, line="rts")
    lamp.open()
    for lit in (True, False, True):
        lamp.set(lit)
    pedal.close_contact()
    assert trigger.read(PATIENCE_S) is not None
    lamp.close()
    pedal.press(b"C")
    assert trigger.read(PATIENCE_S) is not None


def test_a_contact_is_enrolled_by_closing_it(pedal: SerialPedal) -> None:
    ear = SerialEar(os.path.realpath(pedal.device), connect=SerialPort)
    assert list(ear.listen()) == []
    pedal.close_contact()
    assert until("the line", lambda: list(ear.listen())) in (["cd", "dsr"], ["dsr"], ["cd"])
    ear.close()
