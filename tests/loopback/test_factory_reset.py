"""A box that is made new: of cryptsetup, on files in place of its partitions, cut off at every step."""

import base64
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.machine.encryption import key_record
from gateway.machine.encryption.closed import DataMissing, KeyGone, NotErased
from gateway.machine.encryption.disk import KEY_BYTES, Disk, open_or_make
from gateway.machine.encryption.guarding import Guarding
from gateway.machine.encryption.key_record import KeyRecord, State
from gateway.machine.encryption.luks import Luks, WrongKey
from gateway.machine.encryption.tpm import Tpm
from gateway.machine.programs import ProgramFailed
from gateway.machine.repair import factory_reset

CODE = b"0123-4567-89AB-CDEF-0123-4567-89AB-CDEF"
MB = 1 << 20
STEPS = 12  # both copies, slots; slots, header, both copies; of the first start both copies, LUKS, both copies


class _Cut(BaseException):
    """The plug was pulled."""


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A box whose recovery code was written down. Opening needs device-mapper: it is seen in tests/appliance."""
    made = Disk(key=tmp_path / "key", data=tmp_path / "data", tpm=Tpm(device=str(tmp_path / "no-tpm")))
    made.key.write_bytes(bytes(MB))
    made.data.touch()
    os.truncate(made.data, 32 * MB)
    monkeypatch.setattr(Luks, "open", lambda luks, secret: luks.check(secret))
    monkeypatch.setattr("gateway.machine.encryption.disk.run", lambda *_, **__: b"")
    open_or_make(made, new_key=os.urandom(KEY_BYTES))
    Guarding(made, new_key=b"", today="2026-11-27").new_recovery_code(CODE)
    return made


def start(disk: Disk) -> None:
    """Switch it on, as gateway/machine/encryption/service.py does."""
    factory_reset.finish(disk)
    open_or_make(disk, new_key=os.urandom(KEY_BYTES))


def opens(disk: Disk, secret: bytes) -> bool:
    try:
        disk.luks.check(secret)
    except WrongKey:
        return False
    return True


def is_new(disk: Disk, key: bytes) -> bool:
    """Say whether it is a new box; else it is whole. Nothing in between passes."""
    record = disk.record()
    assert record.state is State.MADE
    assert opens(disk, record.key)
    new = record.key != key
    assert [opens(disk, key), opens(disk, CODE), record.recovery != ""] == [not new] * 3
    return new


def test_a_box_that_is_erased_is_a_new_one_at_the_next_start(disk: Disk) -> None:
    key = disk.record().key
    header = disk.data.read_bytes()[: 16 * MB]
    factory_reset.condemn(disk)
    assert disk.luks.slots() == set()
    assert base64.b64encode(key) not in disk.key.read_bytes()
    factory_reset.finish(disk)
    assert disk.record() == KeyRecord(sequence=disk.record().sequence)
    assert disk.data.read_bytes()[: 16 * MB] == bytes(16 * MB) != header
    start(disk)
    assert is_new(disk, key)


@pytest.mark.parametrize("number", range(STEPS + 1))
def test_a_cut_at_any_step_ends_with_a_box_that_is_whole_or_new(
    disk: Disk, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, asked = disk.record().key, [0]

    def before(owner: object, name: str) -> None:
        step = getattr(owner, name)

        def cut(*words: object) -> object:
            asked[0] += 1
            if asked[0] > number:
                raise _Cut
            return step(*words)

        patch.setattr(owner, name, cut)

    with monkeypatch.context() as patch:
        for owner, name in ((key_record.os, "pwrite"), (Luks, "forget"), (Luks, "wipe"), (Luks, "make")):
            before(owner, name)
        try:
            factory_reset.condemn(disk)
            factory_reset.finish(disk)
            start(disk)
        except _Cut:
            pass
    assert asked[0] == min(number + 1, STEPS), "the list of steps changed: cut at each of them"
    start(disk)
    assert is_new(disk, key) == (number > 0)


def test_a_copy_that_was_torn_while_it_was_written_changes_nothing(disk: Disk) -> None:
    key, before = disk.record().key, disk.key.read_bytes()
    key_record.write(disk.key, KeyRecord(state=State.ERASING))
    older = min((0, 524_288), key=lambda place: _sequence(before, place))
    torn = bytearray(before)
    torn[older : older + 60] = disk.key.read_bytes()[older : older + 60]
    disk.key.write_bytes(torn)
    start(disk)
    assert not is_new(disk, key)


def _sequence(raw: bytes, place: int) -> int:
    found = key_record._parsed(raw[place : place + key_record.COPY_BYTES])
    return found.sequence if found else -1


def test_a_place_of_the_key_that_is_worn_out_keeps_nothing_from_being_destroyed(disk: Disk, tmp_path: Path) -> None:
    factory_reset.condemn(replace(disk, key=tmp_path / "worn-out" / "key"))
    assert disk.luks.slots() == set()


def test_a_box_of_which_nothing_could_be_erased_does_not_say_that_it_is(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_: Luks) -> None:
        raise ProgramFailed("cryptsetup", 1, "")

    monkeypatch.setattr(Luks, "forget", refuses)
    with pytest.raises(NotErased):
        factory_reset.condemn(replace(disk, key=tmp_path / "worn-out" / "key"))


def test_what_was_condemned_is_not_opened_by_a_code_any_more(disk: Disk) -> None:
    disk.write(KeyRecord(state=State.ERASING))
    with pytest.raises(KeyGone):
        Guarding(disk, new_key=os.urandom(KEY_BYTES), today="2026-11-27").unlock(CODE, is_code=True)


def test_a_damaged_header_and_a_damaged_record_are_no_obstacle(disk: Disk) -> None:
    with disk.data.open("r+b") as data:
        data.write(bytes(MB))
    disk.key.write_bytes(b"damaged".ljust(MB, b"x"))
    factory_reset.condemn(disk)
    start(disk)
    assert disk.record().state is State.MADE
    assert not opens(disk, CODE)


def test_without_the_partition_nothing_is_condemned(disk: Disk) -> None:
    before = disk.key.read_bytes()
    disk.data.unlink()
    with pytest.raises(DataMissing):
        factory_reset.condemn(disk)
    assert disk.key.read_bytes() == before


# --- settings alone ---------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("settings/scopegate.toml", "settings/own/key.pem", "spool/people.json", "spool/exams/1/a.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "spool/audit.jsonl").touch()
    return tmp_path


def left(data: Path) -> list[str]:
    return sorted(str(each.relative_to(data)) for each in data.rglob("*") if each.is_file())


def test_settings_and_people_are_made_new_at_the_next_start_and_pictures_stay(data: Path) -> None:
    before = left(data)
    factory_reset.make_new(data)
    assert left(data) == before
    factory_reset.mark(data)
    factory_reset.make_new(data)
    assert left(data) == ["spool/audit.jsonl", "spool/exams/1/a.dcm"]


def test_settings_on_a_damaged_place_of_the_disk_are_nobodys_again_and_again(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factory_reset.shutil, "rmtree", lambda *_, **__: None)
    for _ in range(2):
        factory_reset.mark(data)
        factory_reset.make_new(data)
        assert not (data / "settings").exists()
        assert not (data / "spool/people.json").exists()
        (data / "settings").mkdir()
        (data / "settings/scopegate.toml").touch()


@pytest.mark.parametrize("name", ["rmtree", "unlink", "flush"])
def test_a_cut_while_settings_are_made_new_is_made_good_by_the_next_start(
    data: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = {"rmtree": factory_reset.shutil, "unlink": Path, "flush": factory_reset.durable}[name]
    factory_reset.mark(data)

    def cut(*_: object, **__: object) -> None:
        raise _Cut

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, cut)
        with pytest.raises(_Cut):
            factory_reset.make_new(data)
    factory_reset.make_new(data)
    assert left(data) == ["spool/audit.jsonl", "spool/exams/1/a.dcm"]
