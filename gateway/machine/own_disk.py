"""The box's own disk: the one under the root that runs, which dm-verity checks. No other has a part of the box.

Neither a name nor the order in which disks were found decides: the kernel says what the root lies on (sysfs). As
systemd-gpt-auto-generator(8) does it: data and hashes of the root may be two partitions, and must be on one disk.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.machine.programs import ProgramFailed, run

SYS = Path("/sys")
NAMES = Path("/run/scopegate-disk")  # links to the own disk's partitions by name, made at each start


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    device: Path
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnDisk:
    """`partitions`: by name."""

    device: Path
    partitions: Mapping[str, Partition]


class OnTwoDisks(OSError):
    """What runs lies on more disks than one: none of them is surely the box's own."""


def named_by_udev(partition: Path) -> str:
    """Return the name in the partition table of a partition that was made since the kernel read that table."""
    words = ["udevadm", "info", "--query=property", "--property=ID_PART_ENTRY_NAME", "--value", str(partition)]
    try:
        return run(words).decode().strip()
    except ProgramFailed:
        return ""


def of(root: int | None = None, sys: Path = SYS, *, name_of: Callable[[Path], str] = named_by_udev) -> OwnDisk:
    """Return it. Raises OSError; OnTwoDisks.

    root: the device of what runs (st_dev), if another one is meant. name_of: says what the kernel does not know.
    """
    device = Path("/").stat().st_dev if root is None else root
    place = (sys / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}").resolve(strict=True)
    disks = {part.parent if (part / "partition").exists() else part for part in _under(place)}
    if len(disks) != 1:
        raise OnTwoDisks
    (disk,) = disks
    found = {}
    for part, name, number in _partitions(disk):
        if name := name or name_of(_node(part)):
            found[name] = Partition(device=_node(part), number=number)
    return OwnDisk(device=_node(disk), partitions=found)


def called(name: str, own: OwnDisk, sys: Path = SYS) -> list[Path]:
    """Return the partitions of this name on other disks. Raises OSError."""
    others = [disk.resolve() for disk in (sys / "class" / "block").glob("*") if disk.name != own.device.name]
    return [_node(part) for disk in others for part, found, _ in _partitions(disk) if found == name]


def name_partitions(own: OwnDisk, names: Path = NAMES) -> None:
    """Have links that name the own disk's partitions, for what finds them by a path. Raises OSError."""
    names.mkdir(mode=0o755, exist_ok=True)
    for old in names.iterdir():
        if old.name not in own.partitions:
            old.unlink()
    for name, partition in own.partitions.items():
        if Path(name).name == name:
            new = names / ".new"
            new.unlink(missing_ok=True)
            new.symlink_to(partition.device)
            new.rename(names / name)


def _under(device: Path) -> Iterator[Path]:
    """Yield what a device lies on in the end: partitions, or whole disks."""
    below = sorted((device / "slaves").glob("*"))
    for each in below:
        yield from _under(each.resolve(strict=True))
    if not below:
        yield device


def _partitions(disk: Path) -> Iterator[tuple[Path, str, int]]:
    """Yield them with the names that the kernel knows: none of those that a program made (BLKPG, ioctl_list(2))."""
    for part in (mark.parent for mark in sorted(disk.glob("*/partition"))):
        lines = (part / "uevent").read_text("utf-8", errors="replace").splitlines()
        words = dict(line.split("=", 1) for line in lines if "=" in line)
        yield part, words.get("PARTNAME", ""), int(words["PARTN"])


def _node(place: Path) -> Path:
    return Path("/dev") / place.name
