"""The disk of the power cuts: what was flushed is there after one, and what was not is gone."""

import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.appliance.volatile_disk import BLOCK, VolatileDisk

BLOCKS = 8


def after_a_cut(folder: Path, commands: Sequence[str], chance: random.Random | None = None) -> list[int]:
    """Write as QEMU does, cut the power after the last command, return the first byte of each block."""
    medium = folder / "medium"
    medium.write_bytes(bytes(BLOCKS * BLOCK))
    disk = VolatileDisk(medium, folder)
    disk.switch_on()
    words = ["stdbuf", "-oL", "qemu-io", "-f", "raw", "-t", "writeback", f"nbd+unix:///?socket={disk.socket}"]
    for command in (*commands, "read 0 1", "sleep 60000"):
        words += ["-c", command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout
        assert any(line.startswith("read 1/1") for line in user.stdout), "it did not come to the end"
        disk.cut(user.pid, chance)
    content = medium.read_bytes()
    return [content[number * BLOCK] for number in range(BLOCKS)]


def block(number: int, value: int, flags: str = "") -> str:
    return f"write {flags} -P {value} {number * BLOCK} {BLOCK}"


def test_what_was_not_flushed_is_lost(tmp_path: Path) -> None:
    assert after_a_cut(tmp_path, [block(number, 7) for number in range(BLOCKS)]) == [0] * BLOCKS


@pytest.mark.parametrize("count", [1, 5, BLOCKS])
def test_what_was_flushed_is_there_and_what_came_later_is_not(tmp_path: Path, count: int) -> None:
    before = [block(number, 7) for number in range(count)]
    later = [block(number, 8) for number in range(BLOCKS)]
    assert after_a_cut(tmp_path, [*before, "flush", *later]) == [7] * count + [0] * (BLOCKS - count)


def test_a_block_that_was_written_through_is_there(tmp_path: Path) -> None:
    written = [block(number, 7) for number in range(BLOCKS)]
    assert after_a_cut(tmp_path, [*written, block(3, 8, "-f")])[3] == 8


def test_of_what_was_not_flushed_some_may_be_there_and_what_was_flushed_is(tmp_path: Path) -> None:
    written = [
        *[block(number, 7) for number in range(4)],
        "flush",
        *[block(number, 8) for number in range(2, BLOCKS)],
    ]
    seen = set()
    for number in range(6):
        (folder := tmp_path / str(number)).mkdir()
        found = after_a_cut(folder, written, random.Random(number))
        assert found[:2] == [7, 7]
        assert set(found[2:4]) <= {7, 8}
        assert set(found[4:]) <= {0, 8}
        seen.add(tuple(found))
    assert len(seen) > 1
    assert any(0 in found[:-1] and found[-1] == 8 for found in seen)  # a later one without an earlier one
