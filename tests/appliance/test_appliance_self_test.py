"""A box with an NVMe disk and a hardware watchdog: root asks the disk how worn it is, and the box tests itself."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.appliance.appliance import Appliance
from tests.box import configuration, until
from tests.kernel.machine import one_at_a_time

_SOURCE = ("[[source]]", {"name": "us", "device": "pattern:ultrasound", "modality": "US"})
_AS_ENGINEER = "runuser -u scopegate-forward -- sh -c 'umask 007; exec /opt/scopegate/bin/scopegate {}' || true"


class Box(Appliance):
    """Its whole disk is an NVMe one, which QEMU lets answer as a real one does."""

    def _words(self) -> list[str]:
        return [*super()._words(), "-device", "i6300esb"]

    def _disk_words(self) -> list[str]:
        drive = f"file={self.disk},if=none,id=disk,format=raw,cache=writeback"
        return ["-drive", drive, "-device", "nvme,drive=disk,serial=box"]

    def is_live(self) -> bool:
        said = json.loads(self.shell("cat /run/scopegate/capture.json || echo '{}'") or "{}")
        return [each["state"] for each in said.get("sources", [])] == ["live"]


class Seen(NamedTuple):
    """What one box said."""

    life: dict[str, object]
    doctor: str
    tested: list[str]
    failed: str
    left: str


@pytest.fixture(scope="module")
def seen(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    box = Box(tmp_path_factory.mktemp("self-test"), image=image)
    with one_at_a_time():
        try:
            box.switch_on()
            box.configure(configuration([_SOURCE]))
            until("a picture", box.is_live, 300, pause_s=2)
            box.shell("systemctl start scopegate-disk-life.service", silence_s=120)
            return Seen(
                life=json.loads(box.shell("cat /run/scopegate-machine/disk-life.json")),
                doctor=box.shell(_AS_ENGINEER.format("doctor"), silence_s=300),
                tested=box.shell(_AS_ENGINEER.format("self-test"), silence_s=300).splitlines(),
                failed=box.shell("systemctl --failed --no-legend --plain").strip(),
                left=box.shell("ls /var/lib/scopegate"),
            )
        finally:
            box.stop()


def test_root_asks_the_disk_under_the_encrypted_pictures(seen: Seen) -> None:
    assert seen.life == {"disk": "nvme0n1", "kind": "NVMe", "used": 0, "spare": "enough", "failing": False}
    assert "disk life: NVMe nvme0n1, 0 % used" in seen.doctor
    assert seen.failed == ""


@pytest.mark.parametrize(
    "line",
    [
        "passed     Picture source us: 1280 x 720",
        "passed     Wear of the disk: NVMe nvme0n1, 0 %",
        "passed     Battery clock: ",
        "passed     Watchdog of the machine: ",
        "passed     Network cable: ",
        "not there  TPM",
        "not there  Pedal",
        "not there  Touch screen",
    ],
)
def test_each_part_is_passed_or_not_there(seen: Seen, line: str) -> None:
    assert any(each.startswith(line) for each in seen.tested), seen.tested


def test_the_disk_has_a_speed_and_keeps_nothing_of_the_test_but_its_record(seen: Seen) -> None:
    (line,) = [each for each in seen.tested if "Disk writes and reads" in each]
    assert "MB/s" in line
    assert "self-test.json" in seen.left.split()
    assert "self-test.scratch" not in seen.left.split()
