"""The key partition: two copies, the newest whole one counts, and no key of before outlives a change."""

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.machine.encryption import key_record
from gateway.machine.encryption.key_record import COPY_BYTES, Guard, KeyRecord, RecordDamaged, State

MADE = KeyRecord(state=State.MADE, key=b"first key of this box")
HALF = 524_288


@pytest.fixture
def partition(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(bytes(1 << 20))
    return path


def spoil(partition: Path, place: int) -> None:
    raw = bytearray(partition.read_bytes())
    raw[place + 100] ^= 1
    partition.write_bytes(bytes(raw))


def test_an_empty_partition_is_new(partition: Path) -> None:
    assert key_record.read(partition) == KeyRecord()


def test_what_was_written_is_read(partition: Path) -> None:
    written = key_record.write(partition, replace(MADE, guard=Guard.TPM, recovery="2026-11-27"))
    assert key_record.read(partition) == written
    assert written == replace(MADE, guard=Guard.TPM, recovery="2026-11-27", sequence=1)


def test_a_key_of_before_is_in_neither_copy(partition: Path) -> None:
    key_record.write(partition, MADE)
    key_record.write(partition, replace(MADE, key=b"another"))
    assert b"Zmlyc3Qga2V5IG9m" not in partition.read_bytes()  # "first key of" in base 64
    assert partition.read_bytes().count(b"YW5vdGhlcg") == 2


@pytest.mark.parametrize("place", [0, HALF])
def test_a_copy_that_was_half_written_counts_for_nothing(partition: Path, place: int) -> None:
    written = key_record.write(partition, MADE)
    spoil(partition, place)
    assert key_record.read(partition) == written


@pytest.mark.parametrize("cut", [0, HALF])
def test_after_a_cut_between_the_copies_the_newer_one_counts_and_the_older_is_written_over(
    partition: Path, cut: int
) -> None:
    key_record.write(partition, MADE)
    before = partition.read_bytes()[cut : cut + COPY_BYTES]
    newer = key_record.write(partition, replace(MADE, key=b"another"))
    with partition.open("r+b") as file:
        file.seek(cut)
        file.write(before)
    assert key_record.read(partition) == newer
    settled = key_record.settled(partition)
    assert settled == replace(newer, sequence=newer.sequence + 1)
    assert b"Zmlyc3Qga2V5IG9m" not in partition.read_bytes()
    raw = partition.read_bytes()
    assert key_record.settled(partition) == settled
    assert partition.read_bytes() == raw  # and nothing is written at a start that has nothing to settle


def test_two_damaged_copies_are_not_a_new_partition(partition: Path) -> None:
    key_record.write(partition, MADE)
    spoil(partition, 0)
    spoil(partition, HALF)
    with pytest.raises(RecordDamaged):
        key_record.settled(partition)


def unreadable(patch: pytest.MonkeyPatch, *places: int) -> None:
    """Have sectors of these copies be bad: neither read nor written."""
    pread, pwrite = os.pread, os.pwrite

    def read(file: int, size: int, place: int) -> bytes:
        return refused() if place in places else pread(file, size, place)

    def write(file: int, raw: bytes, place: int) -> int:
        return refused() if place in places else pwrite(file, raw, place)

    def refused() -> Any:
        raise OSError(errno.EIO, "Input/output error")

    patch.setattr(os, "pread", read)
    patch.setattr(os, "pwrite", write)


@pytest.mark.parametrize("bad", [0, HALF])
def test_a_bad_sector_in_one_copy_leaves_the_other_which_nothing_touches(
    partition: Path, bad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = key_record.write(partition, MADE)
    raw = partition.read_bytes()
    unreadable(monkeypatch, bad)
    assert key_record.settled(partition) == written
    with pytest.raises(OSError, match="Input/output"):
        key_record.write(partition, replace(MADE, key=b"another"))
    assert partition.read_bytes() == raw


def test_bad_sectors_in_both_copies_are_a_damaged_record(partition: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_record.write(partition, MADE)
    unreadable(monkeypatch, 0, HALF)
    with pytest.raises(RecordDamaged):
        key_record.settled(partition)


@pytest.mark.parametrize("cut", [0, HALF])
def test_a_medium_that_takes_no_more_writes_still_has_its_key(
    partition: Path, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = key_record.write(partition, MADE)
    spoil(partition, cut)

    def read_only(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "pwrite", read_only)
    assert key_record.settled(partition) == written


@pytest.mark.parametrize("state", [State.NEW, State.MAKING, State.ERASING])
@pytest.mark.parametrize("bad", [0, HALF])
def test_a_word_after_which_a_disk_is_written_over_is_not_believed_beside_a_copy_that_may_say_made(
    partition: Path, state: State, bad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_record.write(partition, KeyRecord(state=state, key=b"key"))
    before = partition.read_bytes()
    spoil(partition, bad)
    with pytest.raises(RecordDamaged):
        key_record.settled(partition)
    partition.write_bytes(before)
    unreadable(monkeypatch, bad)
    with pytest.raises(RecordDamaged):
        key_record.settled(partition)


@pytest.mark.parametrize("cut", [0, HALF])
def test_such_a_word_in_one_copy_alone_has_to_be_in_both_before_it_counts(
    partition: Path, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_record.write(partition, MADE)
    before = partition.read_bytes()[cut : cut + COPY_BYTES]
    key_record.write(partition, KeyRecord(state=State.ERASING))
    with partition.open("r+b") as file:
        file.seek(cut)
        file.write(before)

    def read_only(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", read_only)
        with pytest.raises(OSError, match="Read-only"):
            key_record.settled(partition)
    assert key_record.settled(partition).state is State.ERASING


@pytest.mark.parametrize("word", ["state", "guard"])
def test_a_word_of_a_newer_version_is_a_damaged_record_and_no_new_box(partition: Path, word: str) -> None:
    tomorrow: Any = {word: "of tomorrow"}
    key_record.write(partition, replace(MADE, **tomorrow))
    with pytest.raises(RecordDamaged):
        key_record.settled(partition)


def test_a_key_that_has_no_room_is_not_written(partition: Path) -> None:
    with pytest.raises(ValueError, match="no room"):
        key_record.write(partition, replace(MADE, key=bytes(COPY_BYTES)))
    assert key_record.read(partition) == KeyRecord()
