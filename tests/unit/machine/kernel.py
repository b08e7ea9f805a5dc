"""What the kernel shows of disks and of what is mapped onto them (sysfs), in a folder."""

import os
from pathlib import Path

ROOT = os.makedev(254, 0)
NAMES = ["esp-a", "esp-b", "root-a", "verity-a", "root-b", "verity-b", "key", "data"]


class Kernel:
    """One machine's; nothing is plugged into it yet."""

    def __init__(self, folder: Path) -> None:
        self.sys = folder / "sys"
        for each in ("class/block", "dev/block"):
            (self.sys / each).mkdir(parents=True)

    def disk(self, disk: str, names: list[str]) -> None:
        place = self.sys / "devices" / disk
        place.mkdir(parents=True)
        self._shown(place)
        for number, name in enumerate(names, 1):
            part = place / f"{disk}{number}"
            part.mkdir()
            (part / "partition").write_text(f"{number}\n")
            (part / "uevent").write_text(f"DEVNAME={part.name}\nPARTN={number}\nPARTNAME={name}\n")
            self._shown(part)

    def forget_the_name_of(self, partition: str) -> None:
        """Show it as one that a program told the kernel of."""
        told = self.sys / "class" / "block" / partition / "uevent"
        told.write_text("".join(line for line in told.read_text().splitlines(True) if "PARTNAME" not in line))

    def mapping(self, mapping: str, *below: str, uuid: str = "CRYPT-VERITY-0-root") -> Path:
        place = self.sys / "devices" / mapping
        (place / "slaves").mkdir(parents=True)
        (place / "dm").mkdir()
        (place / "dm" / "uuid").write_text(f"{uuid}\n")
        for each in below:
            (place / "slaves" / each).symlink_to((self.sys / "class" / "block" / each).resolve())
        self._shown(place)
        return place

    def root_is(self, device: str) -> None:
        link = self.sys / "dev" / "block" / "254:0"
        link.unlink(missing_ok=True)
        link.symlink_to((self.sys / "class" / "block" / device).resolve(strict=True))

    def _shown(self, place: Path) -> None:
        (self.sys / "class" / "block" / place.name).symlink_to(place)
