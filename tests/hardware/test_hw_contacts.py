"""Contacts at the pins of a GPIO chip, equal in rank with the pedal; the chip is a stand-in at the line request."""

import pytest

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.gpio import Wiring
from hardware.gpio.chip import drive, listen
from hardware.triggers import Action
from hardware.triggers.fakes import FakeChip
from hardware.triggers.gpio import GpioTrigger


@pytest.fixture
def chip(clock):
    return lambda *scripts: FakeChip(*scripts, clock_ns=clock.boottime_ns, wait=clock.pause)


@pytest.fixture
def contacts(clock):
    def make(chip, **words):
        words = {"still": "pin:17", "clip": "pin:27"} | words
        made = GpioTrigger(
            device="/dev/gpiochip0",
            clock_ns=clock.boottime_ns,
            monotonic_ns=lambda: clock.boottime_ns() - 7_000_000_000,  # the machine had slept for 7 s
            wait=clock.pause,
            listen=chip,
            **words,
        )
        made.open()
        return made

    return make


def all_of(trigger, seconds=1.0):
    found = []
    while press := trigger.read(seconds):
        found.append((press.action, press.time_ns))
    return found


def test_a_contact_that_closes_is_a_press_with_the_kernels_time(chip, contacts, clock):
    began = clock.boottime_ns()
    trigger = contacts(chip([(0.25, 17, True), (0.5, 17, False), (0.75, 27, True)]))
    still, clip = (began + 250_000_000 + 7_000_000_000, began + 750_000_000 + 7_000_000_000)
    assert all_of(trigger) == [(Action.STILL, still), (Action.CLIP, clip)]


def test_a_contact_that_bounces_or_is_held_is_one_press(chip, contacts):
    bounce = [(0.1 + n * 0.003, 17, n % 2 == 0) for n in range(9)]
    trigger = contacts(chip([*bounce, (5.0, 17, False), (5.01, 17, True), (5.02, 17, False)]))
    assert len(all_of(trigger, 6.0)) == 1


def test_an_open_pin_near_a_motor_is_one_press_and_takes_no_time(chip, contacts):
    noise = [(0.1 + n / 20_000, 17, n % 2 == 0) for n in range(20_001)]
    fake = chip([*noise, (3.0, 17, False), (4.0, 17, True)])
    trigger = contacts(fake)
    assert len(all_of(trigger, 10.0)) == 2  # the noise, and who presses afterwards
    assert fake.reads < 300


def test_a_press_among_edges_that_the_kernel_dropped_is_seen(chip, contacts):
    other = [(0.1 + n / 100_000, 27, n % 2 == 0) for n in range(100)]
    trigger = contacts(chip([(0.0999, 17, True), *other]), still="pin:17")
    trigger.read(0.05)
    found = {action for action, _ in all_of(trigger)}
    assert found == {Action.STILL, Action.CLIP}


def test_a_contact_that_is_closed_at_the_start_has_to_open_first(chip, contacts):
    trigger = contacts(chip([(0, 17, True), (0.5, 17, False), (1.0, 17, True)]))
    assert len(all_of(trigger)) == 1


def test_the_lines_are_asked_for_as_they_are_wired(chip, contacts):
    fake = chip([])
    contacts(fake, clip="", wiring=Wiring(active="high", bias="none"))
    assert fake.asked == [("/dev/gpiochip0", (17,), Wiring(active="high", bias="none"))]


def test_a_chip_that_is_unplugged_is_missing_and_works_when_it_is_back(chip, contacts):
    trigger = contacts(chip([(0.1, 17, True), None], [(0.1, 17, True)]))
    with pytest.raises(DeviceMissing):
        all_of(trigger)
    trigger.open()
    assert len(all_of(trigger)) == 1
    trigger.close()
    with pytest.raises(DeviceMissing, match="not open"):
        trigger.read(0)


@pytest.mark.parametrize("use", [lambda chip: listen(chip, (1,), Wiring()), lambda chip: drive(chip, 1, Wiring())])
def test_a_chip_that_is_not_there_is_missing_and_what_is_no_chip_is_refused(use, tmp_path):
    with pytest.raises(DeviceMissing, match="no GPIO chip"):
        use(str(tmp_path / "gpiochip0"))
    plain = tmp_path / "gpiochip1"
    plain.touch()
    with pytest.raises(DeviceRefused, match="group gpio"):
        use(str(plain))
