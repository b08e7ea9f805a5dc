"""The key partition: two copies, the newest whole one counts, and no key of before outlives a change."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.machine import key_record
from gateway.machine.key_record import COPY_BYTES, Guard, KeyRecord, RecordDamaged, State

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


def test_a_key_that_has_no_room_is_not_written(partition: Path) -> None:
    with pytest.raises(ValueError, match="no room"):
        key_record.write(partition, replace(MADE, key=bytes(COPY_BYTES)))
    assert key_record.read(partition) == KeyRecord()
