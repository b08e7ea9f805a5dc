"""What the firmware and RAUC have to know of the box's own disk: where each slot starts."""

from pathlib import Path

from gateway.machine.own_disk import OwnDisk
from gateway.machine.update.firmware import SLOTS, Start

LAYOUT = Path("/usr/lib/scopegate/layout")
PIECES = {"start": "esp", "root": "root", "verity": "verity"}  # of a slot, and how their partitions are called


def starts(own: OwnDisk, layout: Path = LAYOUT) -> dict[str, Start]:
    """Return what the firmware reads of each slot. Raises OSError, KeyError."""
    lines = layout.read_text("utf-8").splitlines()
    ids = dict(line.split("=", 1) for line in lines if "=" in line)
    return {
        slot: Start(disk=own.device, number=own.partitions[f"esp-{slot}"].number, id=ids[f"esp_{slot}"])
        for slot in SLOTS
    }
