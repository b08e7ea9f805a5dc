"""What systemd/udev/71-scopegate-stick.rules takes for somebody's stick, read as udev(7) reads it."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "systemd/udev/71-scopegate-stick.rules"
EFI = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"  # UEFI 5.3.3; systemd-repart's word for it is "esp"
WORD = re.compile(r'([A-Z_]+(?:\{[A-Z_]+\})?)(==|!=|\+=|=)"([^"]*)"')


def is_stick(**device: str) -> bool:
    """Say whether the rules give a device the name that media-usb.mount waits for."""
    said: Mapping[str, str] = {"ACTION": "add", "SUBSYSTEM": "block", **device}
    awaited = ""
    for line in RULES.read_text().splitlines():
        words = [] if line.startswith("#") else WORD.findall(line)
        if awaited:
            awaited = "" if ("LABEL", "=", awaited) in words else awaited
            continue
        if all(matches(said, *word) for word in words if word[1] in {"==", "!="}):
            if ("SYMLINK", "+=", "scopegate-stick") in words:
                return True
            awaited = next((value for key, _, value in words if key == "GOTO"), "")
    return False


def matches(said: Mapping[str, str], key: str, operator: str, value: str) -> bool:
    found = said.get(key.removeprefix("ENV{").removesuffix("}"), "")
    return any(fnmatchcase(found, each) for each in value.split("|")) == (operator == "==")


@pytest.mark.parametrize("kind", ["vfat", "exfat"])
@pytest.mark.parametrize("entry", ["", "0xc", "0x7", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"])
def test_a_stick_is_one_with_and_without_partitions(kind: str, entry: str) -> None:
    assert is_stick(ID_BUS="usb", ID_FS_TYPE=kind, ID_PART_ENTRY_TYPE=entry)


@pytest.mark.parametrize("entry", [EFI, "0xef"])
def test_what_a_firmware_starts_from_is_no_stick(entry: str) -> None:
    assert not is_stick(ID_BUS="usb", ID_FS_TYPE="vfat", ID_PART_ENTRY_TYPE=entry)


def test_every_partition_of_an_image_with_fat_is_one_of_these() -> None:
    made = re.findall(r"definition (\S+) (\S+)", (ROOT / "image-build/parts/image.sh").read_text())
    assert {name for name, kind in made if kind == "esp"} == {"pi", "esp-a", "esp-b"}
    assert {kind for _, kind in made} == {"esp", "root", "root-verity"}


@pytest.mark.parametrize(
    "other",
    [{"ID_FS_TYPE": "ext4"}, {"ID_BUS": "ata"}, {"SUBSYSTEM": "tty"}, {"ACTION": "remove"}],
    ids=lambda other: next(iter(other)),
)
def test_nothing_else_is_one(other: dict[str, str]) -> None:
    assert not is_stick(**{"ID_BUS": "usb", "ID_FS_TYPE": "vfat", **other})
