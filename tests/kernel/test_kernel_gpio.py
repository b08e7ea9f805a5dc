"""Contacts and lamps at a real GPIO chip: edges with the kernel's time, wiring, a chip that is pulled out."""

from collections.abc import Iterator

import pytest

from gateway.clock import Clock
from hardware.errors import DeviceMissing, DeviceRefused
from hardware.gpio import Wiring
from hardware.indicators.pins import GpioSwitch
from hardware.triggers import Action
from hardware.triggers.gpio import GpioTrigger
from tests.kernel.gadgets import until
from tests.kernel.gpio_stick import GpioStick

PATIENCE_S = 20.0
SEEN_NS = 2_000_000_000  # the driver looks 25 times a second; an emulated processor may take longer
CLOCK = Clock()


@pytest.fixture
def stick() -> Iterator[GpioStick]:
    made = GpioStick().plug()
    yield made
    made.unplug()


def trigger_on(chip: str, **words: str) -> GpioTrigger:
    made = GpioTrigger(
        device=chip,
        clock_ns=CLOCK.boottime_ns,
        monotonic_ns=CLOCK.monotonic_ns,
        wait=CLOCK.pause,
        **{"still": "pin:1", "clip": "pin:6", **words},
    )
    made.open()
    return made


@pytest.fixture
def trigger(stick: GpioStick) -> Iterator[GpioTrigger]:
    made = trigger_on(stick.chip)
    yield made
    made.close()


def test_a_contact_that_closes_is_a_press_and_one_that_is_held_no_more_than_that(
    stick: GpioStick, trigger: GpioTrigger
) -> None:
    for pin, action in ((1, Action.STILL), (6, Action.CLIP), (1, Action.STILL)):
        before = CLOCK.boottime_ns()
        stick.close_contact(pin)
        press = trigger.read(PATIENCE_S)
        assert press is not None
        assert press.action is action
        assert before <= press.time_ns <= before + SEEN_NS
        assert trigger.read(0.5) is None
        stick.open_contact(pin)
        assert trigger.read(0.5) is None


def test_a_contact_that_is_closed_at_the_start_has_to_open_first(stick: GpioStick) -> None:
    stick.close_contact(1)
    trigger = trigger_on(stick.chip)
    assert trigger.read(0.5) is None
    stick.open_contact(1)
    assert trigger.read(0.5) is None
    stick.close_contact(1)
    assert trigger.read(PATIENCE_S) is not None
    trigger.close()


def test_a_pin_belongs_to_one_contact_or_one_lamp(stick: GpioStick, trigger: GpioTrigger) -> None:
    with pytest.raises(DeviceRefused, match="used by something else"):
        trigger_on(stick.chip, clip="")
    lamp = GpioSwitch(chip=stick.chip, pin=6, wiring=Wiring(active="high"))
    with pytest.raises(DeviceRefused, match="used by something else"):
        lamp.open()
    with pytest.raises(DeviceRefused, match="pins 0 to 7, not 8"):
        trigger_on(stick.chip, still="pin:8", clip="")
    trigger.close()
    lamp.open()
    lamp.close()


@pytest.mark.parametrize(("active", "lit"), [("high", 1), ("low", 0)])
def test_a_lamp_is_lit_at_the_level_that_its_wiring_says_and_left_dark(
    stick: GpioStick, active: str, lit: int
) -> None:
    lamp = GpioSwitch(chip=stick.chip, pin=4, wiring=Wiring(active=active))
    lamp.open()

    def level() -> int:
        return stick.outputs >> 4 & 1

    assert until("the lamp to be dark", lambda: level() != lit)
    lamp.set(True)
    assert until("the lamp", lambda: level() == lit)
    lamp.close()
    assert until("the lamp to be dark", lambda: level() != lit)


def test_a_chip_that_is_pulled_out_is_missing_and_works_when_it_is_back(
    stick: GpioStick, trigger: GpioTrigger
) -> None:
    lamp = GpioSwitch(chip=stick.chip, pin=4, wiring=Wiring(active="high"))
    lamp.open()
    stick.unplug()
    with pytest.raises(DeviceMissing):
        until("the chip to be missed", lambda: trigger.read(0.5))
    with pytest.raises(DeviceMissing):
        lamp.set(True)
    trigger.close()
    lamp.close()
    with pytest.raises(DeviceMissing):
        trigger.open()
    stick.plug()
    back = trigger_on(stick.chip)
    stick.close_contact(1)
    assert back.read(PATIENCE_S) is not None
    back.close()
