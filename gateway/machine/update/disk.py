"""The disk that the box runs from, and its slots' partitions there: a stick with the same names is none of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.machine.update.firmware import SLOTS, Start

ROOT = Path("/dev/scopegate/root")  # the partition; the initrd names it
BLOCKS = Path("/sys/class/block")
LAYOUT = Path("/usr/lib/scopegate/layout")
PIECES = {"start": "esp", "root": "root", "verity": "verity"}  # of a slot, and how their partitions are called


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    device: Path
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """`partitions`: by name."""

    device: Path
    partitions: Mapping[str, Partition]

    def starts(self, layout: Path = LAYOUT) -> dict[str, Start]:
        """Return what the firmware reads of each slot. Raises OSError, KeyError."""
        ids = _words(layout)
        return {
            slot: Start(disk=self.device, number=self.partitions[f"esp-{slot}"].number, id=ids[f"esp_{slot}"])
            for slot in SLOTS
        }


def of(root: Path = ROOT, blocks: Path = BLOCKS) -> Disk:
    """Return the disk on which the running root lies. Raises OSError."""
    place = (blocks / root.resolve(strict=True).name).resolve(strict=True).parent
    found = {}
    for part in (mark.parent for mark in place.glob("*/partition")):
        words = _words(part / "uevent")
        if label := words.get("PARTNAME"):
            found[label] = Partition(device=Path("/dev") / part.name, number=int(words["PARTN"]))
    return Disk(device=Path("/dev") / place.name, partitions=found)


def _words(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text("utf-8").splitlines() if "=" in line)
