"""How worn a disk is, as it counts itself: eMMC in sysfs (JESD84-B51, EXT_CSD 267-269), others by smartctl(8).

Judges nothing. SD cards and sticks tell nobody how worn they are.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hardware.sysfs import text

SYS = Path("/sys")
# What makers call the percents that are left, as the database of smartctl names their attributes.
_LEFT = frozenset(
    {"Media_Wearout_Indicator", "Percent_Lifetime_Remain", "Remaining_Lifetime_Perc", "SSD_Life_Left"}
    | {"Wear_Leveling_Count"}
)
_NO_MORE_SPARE, _NOT_RELIABLE, _READ_ONLY = 1, 4, 8  # critical warnings of NVMe (NVM Express 2.0, figure 207)


class Kind(StrEnum):
    """What a disk is."""

    EMMC = "eMMC"
    SD = "SD card"
    NVME = "NVMe"
    OTHER = "disk"


class Spare(StrEnum):
    """What is left of the blocks that take the place of bad ones."""

    UNKNOWN = "unknown"
    ENOUGH = "enough"
    LITTLE = "little"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wear:
    """`used`: at least so many percent of the life it was made for, also over 100. `failing`: it says so itself."""

    disk: str
    kind: Kind = Kind.OTHER
    used: int | None = None
    spare: Spare = Spare.UNKNOWN
    failing: bool = False


def disk_under(folder: Path, sys: Path = SYS, number: int | None = None) -> Path | None:
    """Return the disk on which a folder lies, in sysfs; None for memory, networks and what is on several.

    `number`: the device of the folder (st_dev), if another one is meant.
    """
    try:
        device = folder.stat().st_dev if number is None else number
        place = (sys / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}").resolve(strict=True)
        while below := sorted((place / "slaves").iterdir()) if (place / "slaves").exists() else []:
            if len(below) > 1:
                return None
            place = below[0].resolve(strict=True)
    except OSError:
        return None
    return place.parent if (place / "partition").exists() else place


def of_sysfs(disk: Path) -> Wear:
    """Return what the kernel tells of a disk to everybody."""
    kind = {"MMC": Kind.EMMC, "SD": Kind.SD}.get(text(disk / "device" / "type"), Kind.OTHER)
    kind = Kind.NVME if disk.name.startswith("nvme") else kind
    if kind is not Kind.EMMC:
        return Wear(disk=disk.name, kind=kind)
    tenths = [int(each, 16) for each in text(disk / "device" / "life_time").split()[:2] if _is_hex(each)]
    known = [each for each in tenths if each]  # 0: this type of its memory is not counted
    end = text(disk / "device" / "pre_eol_info")
    spare = {1: Spare.ENOUGH, 2: Spare.LITTLE, 3: Spare.NONE}.get(int(end, 16) if _is_hex(end) else 0)
    return Wear(
        disk=disk.name,
        kind=kind,
        used=(max(known) - 1) * 10 if known else None,  # 0x01: 0 to 10 %; 0x0B: more than it was made for
        spare=spare or Spare.UNKNOWN,
    )


def of_smartctl(disk: str, said: Mapping[str, Any]) -> Wear:
    """Return what `smartctl --json --health --attributes --log=ssd` said of a disk."""
    failing = said.get("smart_status", {}).get("passed") is False
    if log := said.get("nvme_smart_health_information_log"):
        warns = int(log.get("critical_warning", 0))
        gone = warns & _NO_MORE_SPARE or log.get("available_spare", 100) < log.get("available_spare_threshold", 0)
        return Wear(
            disk=disk,
            kind=Kind.NVME,
            used=log.get("percentage_used"),
            spare=Spare.NONE if gone else Spare.ENOUGH,
            failing=failing or bool(warns & (_NOT_RELIABLE | _READ_ONLY)),
        )
    used = said.get("endurance_used", {}).get("current_percent")
    if used is None:
        table = said.get("ata_smart_attributes", {}).get("table", [])
        left = [int(each["value"]) for each in table if each.get("name") in _LEFT]
        used = max(0, 100 - min(left)) if left else None
    return Wear(disk=disk, used=used, failing=failing)


def _is_hex(text: str) -> bool:
    with suppress(ValueError):
        return int(text, 16) >= 0
    return False
