"""What a new box begins with on its disk: no record of one that was there before, and settings whole or not at all.

With the definitions and the script of the image, and the systemd-repart of this machine.
"""

import os
import subprocess
from pathlib import Path

import pytest

from gateway.machine.encryption import key_record
from gateway.machine.encryption.key_record import Guard, KeyRecord, State

LIB = Path(__file__).resolve().parents[2] / "image-build/tree/box/usr/lib/scopegate"
MB, SECTOR = 1 << 20, 512
TABLE = 34 * SECTOR  # of a GPT: the protective sector, the header and 128 entries (UEFI 2.10, 5.3)
SETTINGS = "[station]\nname = 1\n" * 400


class Disk:
    """A disk as an image in a file, whose space on it is free but holds what was there before."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "disk"
        with self.file.open("wb") as file:
            file.truncate(800 * MB)
        self._definitions = folder / "repart.d"
        self._definitions.mkdir()
        zeros = folder / "no-key"
        zeros.write_bytes(bytes(MB))
        for name in ("70-key.conf", "80-data.conf"):
            text = (LIB / "repart.d" / name).read_text()
            text = text.replace("/usr/lib/scopegate/no-key", str(zeros))
            (self._definitions / name).write_text(text)

    def made(self) -> None:
        """Have the partitions made as a box does, on a disk that cannot forget."""
        words = [
            "systemd-repart",
            "--dry-run=no",
            f"--definitions={self._definitions}",
            "--seed=random",
            "--no-pager",
        ]
        subprocess.run([*words, "--empty=allow", "--discard=no", self.file], check=True, capture_output=True)

    def start_of_key(self) -> int:
        """Return where the partition `key` begins, in bytes."""
        told = subprocess.run(["sfdisk", "--dump", self.file], check=True, capture_output=True, text=True).stdout
        (line,) = (line for line in told.splitlines() if 'name="key"' in line)
        return int(line.partition("start=")[2].partition(",")[0]) * SECTOR

    def key(self, folder: Path) -> Path:
        """Return a copy of that partition."""
        copy = folder / "key"
        with self.file.open("rb") as file:
            file.seek(self.start_of_key())
            copy.write_bytes(file.read(MB))
        return copy

    def is_written_over_as_by_an_image(self) -> None:
        """Take the partition table away, and its copy at the end."""
        with self.file.open("r+b") as file:
            file.write(bytes(TABLE))
            file.seek(-TABLE, os.SEEK_END)
            file.write(bytes(TABLE))


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_a_new_box_on_a_used_disk_does_not_take_the_record_of_the_one_before(disk: Disk, tmp_path: Path) -> None:
    disk.made()
    key, start = disk.key(tmp_path), disk.start_of_key()
    key_record.write(key, KeyRecord(state=State.MADE, guard=Guard.NONE, key=b"of the box before"))
    with disk.file.open("r+b") as file:
        file.seek(start)
        file.write(key.read_bytes())
    disk.is_written_over_as_by_an_image()
    disk.made()
    assert key_record.settled(disk.key(tmp_path)) == KeyRecord()


def first_settings(folder: Path, given: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LIB / "first-settings", given, folder], check=False, capture_output=True, text=True, timeout=30
    )


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "given.toml"
    path.write_text(SETTINGS)
    return path


@pytest.mark.parametrize("before", [{}, {"scopegate.toml": ""}, {"scopegate.toml.new": "half"}])
def test_a_new_box_gets_its_settings_whole_after_a_start_that_was_cut_off(
    tmp_path: Path, given: Path, before: dict[str, str]
) -> None:
    folder = tmp_path / "settings"
    folder.mkdir()
    for name, text in before.items():
        (folder / name).write_text(text)
    assert first_settings(folder, given).returncode == 0
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"scopegate.toml": SETTINGS}


def test_settings_that_are_there_stay(tmp_path: Path, given: Path) -> None:
    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "scopegate.toml").write_text("[station]\n")
    assert first_settings(folder, given).returncode == 0
    assert (folder / "scopegate.toml").read_text() == "[station]\n"


def test_they_are_on_the_disk_before_they_have_their_name(
    tmp_path: Path, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = tmp_path / "settings", tmp_path / "seen"
    folder.mkdir()
    shim = tmp_path / "bin" / "sync"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\necho "$1: $(cd {folder} && ls)" >> {seen}\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent), prepend=":")
    assert first_settings(folder, given).returncode == 0
    assert seen.read_text().splitlines() == [
        f"{folder}/scopegate.toml.new: scopegate.toml.new",
        f"{folder}: scopegate.toml",
    ]
