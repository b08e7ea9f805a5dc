"""What systemd lets the capture service open: also devices whose driver is loaded after the service was started."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.gadgets import SerialPedal
from tests.kernel.gpio_stick import GpioStick

UNIT = Path(__file__).resolve().parents[2] / "systemd/scopegate-capture.service"
DRIVERS = ("cdc_acm", "snd-aloop", "hid-cp2112")
# Says that it runs, waits for the device, and opens it as the product does.
OPENER = """
import os, sys, time
print("waiting", flush=True)
end = time.monotonic() + 60
while time.monotonic() < end:
    try:
        os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except FileNotFoundError:
        time.sleep(0.1)
    else:
        sys.exit(0)
"""


@pytest.fixture
def fresh() -> Iterator[None]:
    """A machine into which nothing was plugged since it was switched on."""
    for driver in DRIVERS:
        subprocess.run(["modprobe", "-r", driver], check=False)
    yield
    subprocess.run(["modprobe", "-r", "snd-aloop"], check=False)


def allowed() -> list[str]:
    """Return the unit's own words on devices, as properties of another service."""
    words = [line for line in UNIT.read_text().splitlines() if line.startswith(("DevicePolicy=", "DeviceAllow="))]
    assert len(words) > 5
    return [f"--property={word}" for word in words]


def opened(device: str, properties: list[str], plug: Callable[[], object]) -> bool:
    """Start a service with these rights, plug the device in afterwards, and say whether the service can open it."""
    words = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", *properties]
    service = subprocess.Popen(
        [*words, "/usr/bin/python3", "-c", OPENER, device],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert service.stdout
    assert service.stdout.readline() == "waiting\n"
    plug()
    said = service.communicate(timeout=120)
    assert service.returncode == 0 or "PermissionError" in said[1], said
    return service.returncode == 0


def groups() -> set[str]:
    return {line.split()[-1] for line in Path("/proc/devices").read_text().splitlines() if line.strip()}


@pytest.mark.usefixtures("fresh")
def test_a_pedal_whose_driver_comes_with_it_may_be_opened() -> None:
    assert "ttyACM" not in groups()
    pedal = SerialPedal()
    try:
        assert opened("/dev/ttyACM0", allowed(), pedal.plug)
    finally:
        pedal.throw_away()


@pytest.mark.usefixtures("fresh")
def test_a_sound_card_whose_driver_comes_with_it_may_be_opened() -> None:
    def plug() -> None:
        subprocess.run(["modprobe", "snd-aloop"], check=True)

    assert opened("/dev/snd/controlC0", allowed(), plug)


@pytest.mark.usefixtures("fresh")
def test_a_gpio_chip_that_comes_later_may_be_opened() -> None:
    stick = GpioStick()
    try:
        assert opened("/dev/gpiochip0", allowed(), stick.plug)
    finally:
        stick.unplug()


@pytest.mark.usefixtures("fresh")
def test_by_its_drivers_name_a_pedal_that_comes_later_could_not_be_opened() -> None:
    assert "ttyACM" not in groups()
    pedal = SerialPedal()
    try:
        assert not opened(
            "/dev/ttyACM0", ["--property=DevicePolicy=closed", "--property=DeviceAllow=char-ttyACM rw"], pedal.plug
        )
    finally:
        pedal.throw_away()
