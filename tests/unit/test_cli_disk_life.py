"""What `scopegate doctor` and the numbers say of a worn disk."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.cli import disk_life
from gateway.panel.metrics import machine
from gateway.spool.disk.wear import Life, judge


@pytest.mark.parametrize(
    ("said", "life", "code"),
    [
        ({"kind": "eMMC", "used": 70, "spare": "enough"}, Life.OK, ""),
        ({"kind": "eMMC", "used": 80, "spare": "enough"}, Life.WORN, "disk-worn"),
        ({"kind": "eMMC", "used": 10, "spare": "little"}, Life.WORN, "disk-worn"),
        ({"kind": "eMMC", "used": 10, "spare": "none"}, Life.ENDS, "disk-dying"),
        ({"kind": "eMMC", "used": 100, "spare": "enough"}, Life.ENDS, "disk-dying"),
        ({"kind": "disk", "used": 5, "spare": "unknown", "failing": True}, Life.ENDS, "disk-dying"),
        ({"kind": "SD card", "used": None, "spare": "unknown"}, Life.UNKNOWN, ""),
        ({}, Life.UNKNOWN, ""),
    ],
)
def test_a_disk_is_worn_from_four_fifths_on_and_dying_when_it_says_so(
    said: Mapping[str, object], life: Life, code: str
) -> None:
    judged = judge(said)
    assert (judged.life, judged.code) == (life, code)
    assert bool(judged.action) == bool(code)


def test_doctor_says_what_root_said(tmp_path: Path) -> None:
    for said, ok, words in (
        (
            {"disk": "mmcblk0", "kind": "eMMC", "used": 30, "spare": "enough"},
            True,
            "eMMC mmcblk0, 30 % used",
        ),
        ({"disk": "mmcblk0", "kind": "eMMC", "used": 80, "spare": "enough"}, False, "[disk-worn]"),
        (
            {"disk": "mmcblk0", "kind": "SD card", "used": None, "spare": "unknown"},
            None,
            "An SD card does not tell",
        ),
    ):
        (tmp_path / "disk-life.json").write_text(json.dumps(said))
        found = disk_life.finding(tmp_path, said=tmp_path)
        assert (found.ok, words in found.says) == (ok, True), found


def of_an_nvme(sys: Path) -> int:
    disk = sys / "devices/pci0000:00/nvme/nvme0/nvme0n1"
    disk.mkdir(parents=True)
    (sys / "dev/block").mkdir(parents=True)
    (sys / "dev/block/259:0").symlink_to(disk)
    return os.makedev(259, 0)


@pytest.mark.parametrize("printed", ["", "{}", "rubbish", "[]", '{"smartctl": 1, "smart_status": 7}'])
def test_a_disk_that_nobody_may_ask_is_not_called_well(tmp_path: Path, printed: str) -> None:
    number = of_an_nvme(tmp_path)
    found = disk_life.look(tmp_path, ask=lambda _: printed, sys=tmp_path, number=number)
    assert found is not None
    assert (found.disk, found.used, found.failing) == ("nvme0n1", None, False)


def test_root_says_it_for_all(tmp_path: Path) -> None:
    disk_life.say(tmp_path, tmp_path)
    assert isinstance(json.loads((tmp_path / "disk-life.json").read_text()), dict)


def test_monitoring_reads_it_where_a_disk_tells() -> None:
    found = list(machine.disk_life({"disk": "sda", "kind": "disk", "used": 85, "spare": "unknown"}))
    values = {sample.name: (sample.value, sample.labels) for family in found for sample in family.samples}
    assert values["scopegate_disk_life_used_ratio"] == (0.85, {})
    assert values["scopegate_disk_life_state"] == (1.0, {"state": "worn"})
    assert list(machine.disk_life(None)) == []
