"""How worn a disk is: folders that look as the kernel's do, and what smartctl 7.4 prints of disks."""

import os
from pathlib import Path
from typing import Any

import pytest

from hardware.wear import Kind, Spare, Wear, disk_under, of_smartctl, of_sysfs


def emmc(sys: Path, life_time: str, pre_eol: str, kind: str = "MMC") -> Path:
    disk = sys / "devices/platform/emmc2bus/fe340000.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0"
    (disk / "device").mkdir(parents=True)
    (disk / "device/type").write_text(f"{kind}\n")
    (disk / "device/life_time").write_text(f"{life_time}\n")
    (disk / "device/pre_eol_info").write_text(f"{pre_eol}\n")
    return disk


@pytest.mark.parametrize(
    ("life_time", "pre_eol", "used", "spare"),
    [
        ("0x01 0x01", "0x01", 0, Spare.ENOUGH),  # a new CM4
        ("0x02 0x09", "0x01", 80, Spare.ENOUGH),
        ("0x00 0x03", "0x02", 20, Spare.LITTLE),  # only one kind of its memory is counted
        ("0x0B 0x01", "0x03", 100, Spare.NONE),
        ("0x00 0x00", "0x00", None, Spare.UNKNOWN),  # before JESD84-B50
        ("", "rubbish", None, Spare.UNKNOWN),
    ],
)
def test_an_emmc_says_how_much_of_its_life_is_used(
    tmp_path: Path, life_time: str, pre_eol: str, used: int | None, spare: Spare
) -> None:
    found = of_sysfs(emmc(tmp_path, life_time, pre_eol))
    assert found == Wear(disk="mmcblk0", kind=Kind.EMMC, used=used, spare=spare)


def test_an_sd_card_tells_nobody(tmp_path: Path) -> None:
    assert of_sysfs(emmc(tmp_path, "0x01 0x01", "0x01", kind="SD")) == Wear(disk="mmcblk0", kind=Kind.SD)


def test_the_disk_under_encrypted_pictures_is_found(tmp_path: Path) -> None:
    disk = emmc(tmp_path, "0x01 0x01", "0x01")
    (disk / "mmcblk0p9").mkdir()
    (disk / "mmcblk0p9/partition").write_text("9\n")
    mapped = tmp_path / "devices/virtual/block/dm-1"
    (mapped / "slaves").mkdir(parents=True)
    (mapped / "slaves/mmcblk0p9").symlink_to(disk / "mmcblk0p9")
    numbers = tmp_path / "dev/block"
    numbers.mkdir(parents=True)
    (numbers / "253:1").symlink_to(mapped)
    (numbers / "179:9").symlink_to(disk / "mmcblk0p9")
    (numbers / "179:0").symlink_to(disk)
    for major, minor in ((253, 1), (179, 9), (179, 0)):
        assert disk_under(tmp_path, tmp_path, os.makedev(major, minor)) == disk
    assert disk_under(tmp_path, tmp_path, os.makedev(0, 42)) is None  # in memory
    (mapped / "slaves/sda").symlink_to(tmp_path)
    assert disk_under(tmp_path, tmp_path, os.makedev(253, 1)) is None  # on two disks


def nvme(**changes: int) -> dict[str, Any]:
    log = {"critical_warning": 0, "available_spare": 100, "available_spare_threshold": 10, "percentage_used": 3}
    return {"smart_status": {"passed": True}, "nvme_smart_health_information_log": {**log, **changes}}


def test_an_nvme_disk_says_what_is_used_and_whether_it_fails() -> None:
    assert of_smartctl("nvme0n1", nvme()) == Wear(
        disk="nvme0n1", kind=Kind.NVME, used=3, spare=Spare.ENOUGH, failing=False
    )
    assert of_smartctl("nvme0n1", nvme(percentage_used=255)).used == 255
    assert of_smartctl("nvme0n1", nvme(available_spare=9)).spare is Spare.NONE
    assert of_smartctl("nvme0n1", nvme(critical_warning=1)).spare is Spare.NONE
    assert of_smartctl("nvme0n1", nvme(critical_warning=2)).failing is False  # warm
    assert of_smartctl("nvme0n1", nvme(critical_warning=4)).failing is True
    assert of_smartctl("nvme0n1", nvme(critical_warning=8)).failing is True


def test_a_sata_disk_says_it_by_its_statistics_or_by_what_its_maker_counts() -> None:
    passed = {"smart_status": {"passed": True}}
    assert of_smartctl("sda", {**passed, "endurance_used": {"current_percent": 12}}).used == 12
    attribute = {"id": 177, "name": "Wear_Leveling_Count", "value": 91}
    other = {"id": 9, "name": "Power_On_Hours", "value": 40}
    assert of_smartctl("sda", {**passed, "ata_smart_attributes": {"table": [other, attribute]}}).used == 9
    assert of_smartctl("sda", passed) == Wear(disk="sda")
    assert of_smartctl("sda", {"smart_status": {"passed": False}}).failing is True
