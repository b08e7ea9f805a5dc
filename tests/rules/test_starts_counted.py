"""When a start gives its slot up for the other one: after so many that did not come up, and for nothing else."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "image-build/tree/box/usr/lib/dracut/modules.d/80scopegate/scopegate-starts"
PLACE = 1_044_480
GAVE_UP = 99
A, B = "0001", "0002"
ENTRIES = f"Boot{A}* scopegate-a\tHD(1)\nBoot{B}* scopegate-b\tHD(2)\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """What a start of slot a asked the firmware for, and what the count is after it."""

    asked: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box with what the script calls: a firmware with two entries, and its own partition `key`."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "run-slot").write_text("a\n")
        (self.folder / "root").touch()
        self.other_disk("sda1", "esp-a")
        for name in ("udevadm", "mount", "sync", "systemctl"):
            self._program(name, "exit 0")
        self._program("own-disk", f"echo {self.key}")

    @property
    def key(self) -> Path:
        return self.folder / "key"

    def start(self, *, order: str) -> Started:
        asked = self.folder / "asked"
        says = f'[ $# = 0 ] || {{ echo "$*" >>{asked}; exit 0; }}\nprintf "BootOrder: {order}\\n{ENTRIES}"'
        self._program("efibootmgr", says)
        text = SCRIPT.read_text().replace("/usr/lib/scopegate/own-disk", str(self.folder / "own-disk"))
        script = self.folder / "script"
        text = text.replace("/dev/scopegate/root", f"{self.folder}/root")
        text = text.replace("/sys/class/block", f"{self.folder}/block").replace("/dev/$", f"{self.folder}/$")
        script.write_text(text.replace("/run/scopegate-", f"{self.folder}/run-"))
        environment = {"PATH": f"{self.folder}:/usr/bin:/bin"}
        subprocess.run(["sh", str(script)], env=environment, capture_output=True, check=True)
        count = self.key.read_bytes()[PLACE]
        return Started(asked=asked.read_text().strip() if asked.exists() else "", count=count)

    @property
    def is_alone(self) -> bool:
        return (self.folder / "run-alone").exists()

    def loses_its_root(self) -> None:
        """Have its root no name, as where its hashes cannot be read."""
        self.has_no_key()
        (self.folder / "root").unlink()
        self.other_disk("key", "key")

    def has_no_key(self) -> None:
        """Be in its first start."""
        self._program("own-disk", "exit 0")

    def other_disk(self, partition: str, name: str) -> None:
        """Plug in a disk with a partition of that name."""
        folder = self.folder / "block" / partition
        folder.mkdir(parents=True)
        (folder / "uevent").write_text(f"DEVTYPE=partition\nPARTNAME={name}\n")

    def _program(self, name: str, words: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{words}\n")
        path.chmod(0o755)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(folder=tmp_path)


def counted(box: Box, count: int) -> None:
    box.key.write_bytes(b"x" * PLACE + bytes([count]) + b"y" * 100)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_start_is_counted_and_nothing_else_is_done(box: Box, count: int) -> None:
    counted(box, count)
    assert box.start(order=f"{A},{B}") == Started(asked="", count=count + 1)
    assert box.key.read_bytes() == b"x" * PLACE + bytes([count + 1]) + b"y" * 100


def test_after_the_third_the_other_slot_is_started_if_it_is_good(box: Box) -> None:
    counted(box, 3)
    assert box.start(order=f"{A},{B}") == Started(asked=f"--bootnext {B}", count=0)


def test_after_the_sixth_the_other_slot_is_started_though_it_is_not(box: Box) -> None:
    counted(box, 5)
    assert box.start(order=A) == Started(asked="", count=6)
    assert not box.is_alone
    assert box.start(order=A) == Started(asked=f"--bootnext {B}", count=GAVE_UP)


def test_the_start_that_follows_knows_that_the_other_slot_does_not_start(box: Box) -> None:
    counted(box, GAVE_UP)
    assert box.start(order=A) == Started(asked="", count=1)
    assert box.is_alone


def test_a_root_whose_hashes_cannot_be_read_is_counted_too(box: Box) -> None:
    counted(box, 2)
    box.loses_its_root()
    assert box.start(order=f"{A},{B}") == Started(asked="", count=3)
    assert box.start(order=f"{A},{B}") == Started(asked=f"--bootnext {B}", count=0)


def test_a_first_start_writes_nothing_on_the_disk_of_another_box(box: Box) -> None:
    counted(box, 3)
    box.has_no_key()
    box.other_disk("key", "key")
    assert box.start(order=f"{A},{B}") == Started(asked="", count=3)


def test_nothing_is_written_where_two_disks_may_be_the_box_s_own(box: Box) -> None:
    counted(box, 3)
    box.loses_its_root()
    box.other_disk("sdb3", "key")
    assert box.start(order=f"{A},{B}") == Started(asked="", count=3)


@pytest.mark.parametrize("count", [7, 10, 128, 255])
@pytest.mark.parametrize("order", [A, f"{A},{B}"])
def test_a_damaged_count_gives_no_slot_up(box: Box, order: str, count: int) -> None:
    counted(box, count)
    assert box.start(order=order) == Started(asked="", count=1)
    assert not box.is_alone


def test_a_count_that_cannot_be_read_gives_no_slot_up(box: Box) -> None:
    box.key.write_bytes(b"x" * PLACE)  # nothing is read there, as of a block that is worn out
    assert box.start(order=A) == Started(asked="", count=1)
