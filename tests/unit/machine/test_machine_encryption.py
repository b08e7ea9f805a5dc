"""The unit that opens the data: an open name is not believed, and one request is at the keys at a time."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import FakeClock
from gateway.machine.encryption import disk, key_record
from gateway.machine.encryption import service as encryption
from gateway.machine.encryption.closed import TwoDisks
from gateway.machine.encryption.disk import Disk
from gateway.machine.encryption.key_record import Guard, KeyRecord, State
from gateway.machine.encryption.luks import Luks, Slots
from gateway.machine.encryption.tpm import Tpm, TpmLockedOut
from gateway.machine.locks import at_the_disk
from gateway.machine.own_disk import OwnDisk, Partition
from gateway.machine.programs import ProgramFailed
from tests.unit.machine.kernel import Kernel

NUMBER = "0f3c1a52-6f1e-4b0a-9d55-0c7f3b2e9a11"
OURS = f"CRYPT-LUKS2-{NUMBER.replace('-', '')}-data"


class Box:
    """One whose data partition is a file with a real header, called as the kernel's sda8."""

    def __init__(self, folder: Path) -> None:
        self.kernel = Kernel(folder)
        self.kernel.disk("sda", ["key", "data"])
        self.says, self.lock = folder / "says", folder / "lock"
        self.disk = Disk(
            key=folder / "sda1",
            data=folder / "sda2",
            mapped=folder / "dm-0",
            sys=self.kernel.sys,
            held=folder / "held",
        )
        self.disk.key.write_bytes(bytes(1 << 20))
        with self.disk.data.open("wb") as file:
            file.truncate(32 << 20)
        words = f"cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --uuid {NUMBER}".split()
        words += ["--pbkdf-force-iterations", "1000", "--key-file", "-", str(self.disk.data)]
        subprocess.run(words, input=b"own key", check=True)
        key_record.write(self.disk.key, KeyRecord(state=State.MADE, key=b"own key"))

    def mapped(self, below: str = "sda2", uuid: str = OURS) -> None:
        """Have /dev/mapper/data be open."""
        self.kernel.mapping("dm-0", below, uuid=uuid)
        self.disk.mapped.touch()

    def start(self) -> str:
        trouble = encryption.start(self.disk, FakeClock(), look=lambda: None, lock=self.lock, says=self.says)
        assert self.told["code"] == (trouble.code if trouble else "")
        return str(self.told["code"])

    def asked(self, **wanted: str) -> str:
        trouble = encryption.obey(self.disk, FakeClock(), wanted, lock=self.lock, says=self.says)
        return trouble.code if trouble else ""

    def again(self) -> str:
        trouble = encryption.again(self.disk, FakeClock(), look=lambda: None, lock=self.lock, says=self.says)
        return trouble.code if trouble else ""

    @property
    def told(self) -> dict[str, Any]:
        return dict(json.loads((self.says / "data.json").read_text()))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


class Ran:
    """What was run on an open partition, and on what is below it."""

    def __init__(self, box: Box, patch: pytest.MonkeyPatch) -> None:
        self.words: list[str] = []
        self.fails = ""
        self._box = box
        patch.setattr(disk, "run", self._run)
        patch.setattr(Luks, "make", lambda *_: self._run(["luksFormat"]))
        patch.setattr(Luks, "open", lambda *_: self._run(["open"]))
        patch.setattr(Luks, "close", lambda *_: self._run(["close"]))

    def _run(self, words: list[str], **_: object) -> bytes:
        self.words.append(words[0])
        if words[0] in self.fails.split():
            raise ProgramFailed(words[0], 4, "")
        if words[0] == "close":
            self._box.disk.mapped.unlink(missing_ok=True)
        return b""

    def since(self) -> list[str]:
        words, self.words = self.words, []
        return words


@pytest.fixture
def ran(box: Box, monkeypatch: pytest.MonkeyPatch) -> Ran:
    return Ran(box, monkeypatch)


def test_data_that_are_open_already_are_taken_when_they_are_whole(box: Box, ran: Ran) -> None:
    box.mapped()
    assert box.start() == ""
    assert box.told["opened"] is True
    assert ran.since() == ["e2fsck"]


def test_a_damaged_file_system_that_could_not_be_closed_again_is_not_used_at_the_next_try(
    box: Box, ran: Ran
) -> None:
    box.mapped()
    ran.fails = "e2fsck close"
    assert [box.start(), box.start()] == ["data-damaged"] * 2
    assert box.disk.mapped.exists()


def test_what_was_not_made_to_its_end_is_closed_and_made_before_it_is_used(box: Box, ran: Ran) -> None:
    key_record.write(box.disk.key, KeyRecord(state=State.MAKING, key=b"own key"))
    box.mapped()
    ran.fails = "close"
    assert box.start() == "data-closed"
    assert ran.since() == ["close"]
    ran.fails = ""
    assert box.start() == ""
    assert ran.since() == ["close", "luksFormat", "open", "mkfs.ext4", "sync"]
    assert box.disk.record().state is State.MADE


@pytest.mark.parametrize("fails", ["open", "mkfs.ext4", "sync", "made"])
def test_a_first_start_that_fails_leaves_nothing_open(
    box: Box, ran: Ran, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worn_out(path: Path, record: KeyRecord) -> KeyRecord:
        if record.state is State.MADE:
            raise OSError(5, "Input/output error")
        return write(path, record)

    key_record.write(box.disk.key, KeyRecord(state=State.MAKING, key=b"own key"))
    write = key_record.write
    ran.fails = fails
    if fails == "made":
        monkeypatch.setattr(key_record, "write", worn_out)
    assert box.start() == ("key-gone" if fails == "made" else "data-closed")
    assert ran.since()[-1] == "close"
    assert box.disk.record().state is State.MAKING


def test_nothing_is_made_where_nobody_can_see_what_is_there(box: Box, ran: Ran) -> None:
    box.disk.data.unlink()
    box.disk.data.mkdir()  # a device that cannot be read, for cryptsetup
    for raw in (bytes(1 << 20), b"damaged".ljust(1 << 20, b"x")):
        box.disk.key.write_bytes(raw)
        assert box.start() == "data-damaged"
        with pytest.raises(ProgramFailed):
            box.disk.luks.forget()
    assert ran.since() == []


def test_what_cannot_be_read_and_what_was_a_header_is_not_taken_for_an_empty_partition(box: Box) -> None:
    with pytest.raises(ProgramFailed):
        assert Luks(Path("/proc/self/mem")).is_one  # EIO at its beginning
    with box.disk.data.open("r+b") as data:
        for header in (0, 16_384):
            data.seek(header + 100)
            data.write(b"damaged")
    with pytest.raises(ProgramFailed):
        assert box.disk.luks.is_one
    with box.disk.data.open("r+b") as data:
        data.write(bytes(1 << 20))
    assert not box.disk.luks.is_one


def test_data_that_a_recovery_code_opened_are_used_though_the_place_of_the_key_is_damaged(
    box: Box, ran: Ran
) -> None:
    box.disk.key.write_bytes(b"damaged".ljust(1 << 20, b"x"))
    box.mapped()
    assert box.start() == "key-gone"
    assert ran.since() == ["close"]
    Luks(box.disk.data).add(Slots.RECOVERY, b"a recovery code", by=b"own key")
    box.disk.mapped.touch()
    assert box.start() == ""
    assert ran.since() == ["e2fsck"]


@pytest.mark.parametrize(
    ("below", "uuid"),
    [
        ("sdb2", OURS),  # a copy of the header on another disk
        ("sda2", "CRYPT-PLAIN-data"),
        ("sda2", f"CRYPT-LUKS2-{'0' * 32}-data"),
        ("sda2", ""),
    ],
)
def test_what_else_has_the_name_of_the_open_data_is_not_believed(box: Box, below: str, uuid: str) -> None:
    box.kernel.disk("sdb", ["key", "data"])
    box.mapped(below, uuid)
    before = box.disk.data.read_bytes()[: 16 << 20]
    assert box.start() == "data-foreign"
    assert box.told["opened"] is False
    assert box.asked(do="unlock", secret="48151623", number="7") == "data-foreign"
    assert box.disk.data.read_bytes()[: 16 << 20] == before


def test_nothing_is_made_where_something_else_has_the_name(box: Box) -> None:
    box.disk.key.write_bytes(bytes(1 << 20))
    key_record.write(box.disk.key, KeyRecord(state=State.MAKING, key=b"own key"))
    box.mapped("sda1")
    assert box.start() == "data-foreign"
    assert box.disk.record().state is State.MAKING


def test_a_box_that_does_not_know_its_own_disk_opens_nothing(box: Box) -> None:
    def look() -> None:
        raise TwoDisks

    trouble = encryption.start(box.disk, FakeClock(), look=look, lock=box.lock, says=box.says)
    assert trouble is not None
    assert (trouble.code, box.told["code"], box.told["opened"]) == ("two-disks", "two-disks", False)


def test_no_new_box_begins_beside_a_disk_that_has_such_data(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.kernel.disk("sdb", ["data"])
    own = OwnDisk(device=Path("/dev/sda"), partitions={"root-a": Partition(device=Path("/dev/sda3"), number=3)})
    ran: list[object] = []
    monkeypatch.setattr(disk, "find", lambda: own)
    monkeypatch.setattr(disk, "run", lambda words, **_: ran.append(words))
    box.disk.data.unlink()
    box.disk.key.unlink()
    assert box.start() == "two-disks"
    assert ran == [["udevadm", "settle", "--timeout=30"]]


def test_a_request_about_keys_is_refused_while_another_is_at_them(box: Box) -> None:
    box.start()
    said, key = box.told, box.disk.key.read_bytes()
    with at_the_disk(box.lock):
        assert box.asked(do="no-start-pin", secret="48151623", number="7") == "keys-busy"
        assert (box.told["number"], box.told["code"], box.told["made"]) == ("7", "keys-busy", said["made"])
    assert box.disk.key.read_bytes() == key
    assert box.asked(do="format", number="8") == "machine-request"


def test_a_key_that_is_typed_twice_opens_once_and_nothing_is_wrong(box: Box, ran: Ran) -> None:
    box.mapped()
    assert box.start() == ""
    ran.since()
    assert box.asked(do="unlock", secret="48151623", number="7") == ""
    assert (box.told["number"], box.told["opened"], ran.since()) == ("7", True, [])


def test_what_is_open_and_damaged_is_not_called_well_by_a_key(box: Box, ran: Ran) -> None:
    box.mapped()
    ran.fails = "e2fsck close"
    assert box.start() == "data-damaged"
    assert box.asked(do="unlock", secret="48151623", number="7") == "data-foreign"


def test_a_chip_that_locked_itself_is_asked_again_until_it_opens_the_data(
    box: Box, ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unseal(_: Tpm, sealed: bytes) -> bytes:
        if locked:
            raise TpmLockedOut
        return sealed

    locked = True
    monkeypatch.setattr(Tpm, "unseal", unseal)
    key_record.write(box.disk.key, KeyRecord(state=State.MADE, guard=Guard.TPM, key=b"own key", recovery="2026"))
    assert [box.start(), box.again()] == ["chip-locked"] * 2
    assert box.told["opened"] is False
    with at_the_disk(box.lock):  # a rescue, perhaps
        assert box.again() == "keys-busy"
    assert (box.told["code"], box.told["chip_locked"]) == ("chip-locked", True)
    assert ran.since() == []
    assert box.asked(do="unlock", secret="no key", number="7") == "no-key"
    assert (box.told["code"], box.told["chip_locked"]) == ("no-key", True)
    locked = False
    assert box.again() == ""
    assert ran.since() == ["open", "e2fsck"]
    assert (box.told["code"], box.told["chip_locked"]) == ("", False)


def test_data_that_somebody_opened_meanwhile_are_not_looked_at_again(box: Box, ran: Ran) -> None:
    box.mapped()
    assert box.again() == ""
    assert ran.since() == []


def test_a_second_touch_while_the_chip_took_no_key_changes_nothing_of_what_is_said(box: Box, ran: Ran) -> None:
    box.mapped()
    assert box.start() == ""
    (box.says / "data.json").write_text(json.dumps({**box.told, "code": "chip-failed"}))
    ran.since()
    assert box.asked(do="unlock", secret="48151623", number="8") == ""
    assert (box.told["code"], box.told["number"], ran.since()) == ("chip-failed", "8", [])


@pytest.mark.parametrize("pin", ["4815162G", "4815162Z", "48151623a"])
def test_a_start_pin_has_digits_alone_because_the_page_that_asks_for_it_has_no_letters(box: Box, pin: str) -> None:
    box.start()
    before = box.disk.key.read_bytes()
    assert box.asked(do="start-pin", secret=pin, number="7") == "no-key"
    assert box.asked(do="start-pin", secret="48151623", number="8") == "recovery-code-first"
    assert box.disk.key.read_bytes() == before
