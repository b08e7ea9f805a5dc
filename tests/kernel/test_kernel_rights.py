"""The capture service's user, with all that its unit forbids, opens every kind of pedal, lamp and loudspeaker."""

import json
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kernel.gadgets import KeyPedal, SerialPedal, until
from tests.kernel.gpio_stick import GpioStick

SYSTEMD = Path(__file__).resolve().parents[2] / "systemd"
NOT_OF_RIGHTS = ("ExecStart", "Type", "Restart", "RestartSec", "TimeoutStopSec", "ReadWritePaths")
OPENER = """
import json, sys
from gateway.clock import Clock
from hardware import factory
from hardware.errors import DeviceError

clock, (port, keys, chip, card) = Clock(), sys.argv[1:]
times = {"clock_ns": clock.boottime_ns, "wait": clock.pause}
both = {**times, "monotonic_ns": clock.monotonic_ns}
said = {}
for name, make in {
    "serial": lambda: factory.trigger("serial", device=port, still="dsr", **both),
    "input": lambda: factory.trigger("input", device=keys, still="key:0x30", **both),
    "gpio": lambda: factory.trigger("gpio", device=chip, still="pin:1", **both),
    "lamp": lambda: factory.sign("gpio", device=chip, lamp="pin:4", **times),
    "serial lamp": lambda: factory.sign("serial", device=port, lamp="rts", **times),
    "tone": lambda: factory.sign("tone", device=card, **times),
}.items():
    try:
        make().open()
        said[name] = "open"
    except DeviceError as error:
        said[name] = str(error)
print(json.dumps(said))
"""


@dataclass(kw_only=True)
class Devices:
    """What is plugged in."""

    port: str
    keys: str
    chip: str
    card: str = "plughw:CARD=Loopback,DEV=0"


def are_there() -> bool:
    """Say whether this machine has the product's users."""
    try:
        return bool(pwd.getpwnam("scopegate-capture"))
    except KeyError:
        return False


@pytest.fixture
def devices() -> Iterator[Devices]:
    if not are_there():  # an image has them, and cannot be written
        subprocess.run(["systemd-sysusers", str(SYSTEMD / "sysusers.d/scopegate.conf")], check=True)
    rules = Path("/run/udev/rules.d/70-scopegate.rules")
    rules.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(SYSTEMD / "udev/70-scopegate.rules", rules)
    subprocess.run(["udevadm", "control", "--reload"], check=True)
    subprocess.run(["modprobe", "snd-aloop"], check=True)
    until("the sound card", Path("/dev/snd/controlC0").exists)
    serial, keys, stick = SerialPedal(), KeyPedal(), GpioStick()
    try:
        serial.plug()
        keys.plug()
        stick.plug()
        subprocess.run(["udevadm", "settle"], check=True)
        yield Devices(port=serial.device, keys=keys.device, chip=stick.chip)
    finally:
        stick.unplug()
        keys.throw_away()
        serial.throw_away()
        subprocess.run(["modprobe", "-r", "snd-aloop"], check=False)


def rights() -> list[str]:
    """Return the unit's own words, as properties of another service."""
    lines = (SYSTEMD / "scopegate-capture.service").read_text().partition("[Service]")[2].partition("[Install]")[0]
    words = [line for line in lines.splitlines() if "=" in line and not line.startswith("#")]
    return [f"--property={word}" for word in words if word.partition("=")[0] not in NOT_OF_RIGHTS]


def opened(devices: Devices, properties: list[str]) -> dict[str, str]:
    words = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", *properties]
    root = str(SYSTEMD.parent)
    what = [devices.port, devices.keys, devices.chip, devices.card]
    answer = subprocess.run(
        [*words, f"--property=WorkingDirectory={root}", sys.executable, "-c", OPENER, *what],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert answer.returncode == 0, answer.stderr
    said: dict[str, str] = json.loads(answer.stdout)
    return said


def test_the_service_opens_every_kind_and_without_its_groups_none(devices: Devices) -> None:
    assert opened(devices, rights()) == dict.fromkeys(
        ("serial", "input", "gpio", "lamp", "serial lamp", "tone"), "open"
    )
    alone = [word for word in rights() if "SupplementaryGroups" not in word]
    assert "open" not in opened(devices, alone).values()
