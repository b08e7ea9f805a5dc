"""The keys of the data partition: of cryptsetup, on a file in its place, and of a TPM in software (swtpm).

What needs the kernel's device-mapper, opening it, is seen in tests/appliance.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from gateway.clock import Clock
from gateway.config import recovery_code
from gateway.machine.encryption import key_record, luks
from gateway.machine.encryption.closed import ChipLocked, KeyGone, KeyRefused, StartPinWanted
from gateway.machine.encryption.disk import KEY_BYTES, Disk, open_or_make
from gateway.machine.encryption.guarding import ChipFailed, Guarding, KeysNotChanged, NotWithTpm, RecoveryCodeFirst
from gateway.machine.encryption.key_record import Guard, KeyRecord, State
from gateway.machine.encryption.luks import Luks, Slots, WrongKey
from gateway.machine.encryption.tpm import Tpm, TpmRefused
from gateway.machine.programs import ProgramFailed
from tests.loopback.soft_tpm import SoftTpm

ROOT = Path(__file__).resolve().parents[2]
PIN = b"48151623"
P = ParamSpec("P")
R = TypeVar("R")
TODAY = "2026-11-27"
MB = 1 << 20


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[SoftTpm]:
    soft = SoftTpm(tmp_path / "chip")
    try:
        soft.start("an image")
        yield soft
    finally:
        soft.stop()


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A box after its first start, without a TPM. A PIN is as quickly guessed as cryptsetup allows."""
    monkeypatch.setattr(
        luks, "_TYPED_SECRET", ("--pbkdf", "argon2id", "--pbkdf-memory", "32", "--pbkdf-force-iterations", "4")
    )
    made = Disk(
        key=tmp_path / "key",
        data=tmp_path / "data",
        tpm=Tpm(device=str(tmp_path / "no-tpm")),
        held=tmp_path / "held",
    )
    made.key.write_bytes(bytes(MB))
    made.data.touch()
    os.truncate(made.data, 32 * MB)
    record = made.write(KeyRecord(state=State.MADE, key=os.urandom(KEY_BYTES)))
    made.luks.make(record.key)
    return made


def guarding(disk: Disk) -> Guarding:
    return Guarding(disk, new_key=os.urandom(KEY_BYTES), today=TODAY)


def with_recovery_code(disk: Disk) -> bytes:
    key = recovery_code.new_code(Clock().token).encode()
    guarding(disk).new_recovery_code(key)
    return key


def opens(disk: Disk, secret: bytes) -> bool:
    try:
        disk.luks.check(secret)
    except WrongKey:
        return False
    return True


# --- without a TPM ------------------------------------------------------------------------------------------


def test_a_recovery_code_opens_the_data_as_any_pc_would(disk: Disk) -> None:
    key = with_recovery_code(disk)
    typed = subprocess.run(
        ["cryptsetup", "open", "--test-passphrase", disk.data], input=key + b"\n", capture_output=True, check=False
    )
    assert typed.returncode == 0
    wrong = subprocess.run(
        ["cryptsetup", "open", "--test-passphrase", disk.data], input=b"cbde\n", capture_output=True, check=False
    )
    assert wrong.returncode == 2
    assert disk.record().recovery == TODAY


def test_a_new_recovery_code_ends_the_one_before(disk: Disk) -> None:
    first = with_recovery_code(disk)
    second = with_recovery_code(disk)
    assert not opens(disk, first)
    assert opens(disk, second)
    assert opens(disk, disk.own_key(disk.record()))


def test_a_start_pin_takes_the_box_its_own_key(disk: Disk) -> None:
    before = disk.own_key(disk.record())
    recovery = with_recovery_code(disk)
    guarding(disk).start_pin(PIN)
    assert disk.record().guard is Guard.PIN
    disk.held.unlink()  # switched off and on
    with pytest.raises(StartPinWanted):
        disk.own_key(disk.record())
    assert not opens(disk, before)
    assert opens(disk, PIN)
    assert opens(disk, recovery)


def test_with_a_start_pin_the_key_of_this_start_makes_a_new_recovery_code_and_no_other_start_has_it(
    disk: Disk,
) -> None:
    first = with_recovery_code(disk)
    guarding(disk).start_pin(PIN)
    second = with_recovery_code(disk)
    assert not opens(disk, first)
    assert opens(disk, second)
    assert disk.held.stat().st_mode & 0o777 == 0o600
    assert disk.own_key(disk.record()) not in disk.key.read_bytes()
    disk.held.unlink()  # switched off and on
    with pytest.raises(StartPinWanted):
        with_recovery_code(disk)
    assert opens(disk, second)


def test_a_start_pin_that_is_taken_away_opens_nothing_any_more(disk: Disk) -> None:
    with_recovery_code(disk)
    guarding(disk).start_pin(PIN)
    with pytest.raises(KeyRefused):
        guarding(disk).no_start_pin(b"00000000")
    guarding(disk).no_start_pin(PIN)
    assert disk.record().guard is Guard.NONE
    assert opens(disk, disk.own_key(disk.record()))
    assert not opens(disk, PIN)


def test_nothing_that_can_be_forgotten_guards_the_data_before_there_is_a_recovery_code(disk: Disk) -> None:
    with pytest.raises(RecoveryCodeFirst):
        guarding(disk).start_pin(PIN)
    assert not opens(disk, PIN)
    assert opens(disk, disk.own_key(disk.record()))


def test_a_key_that_was_lost_is_said_so(disk: Disk) -> None:
    key_record.write(disk.key, replace(disk.record(), key=b""))
    with pytest.raises(KeyGone):
        disk.own_key(disk.record())
    raw = bytearray(disk.key.read_bytes())
    raw[50] ^= 1
    raw[524_288 + 50] ^= 1
    disk.key.write_bytes(bytes(raw))
    with pytest.raises(KeyGone):
        disk.record()


def test_a_box_whose_partitions_get_their_names_late_is_not_made_anew(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a start that finds neither of them, before udev named what is there."""
    key, data = disk.key.read_bytes(), disk.data.read_bytes()
    late = replace(disk, key=disk.key.with_name("key-late"), data=disk.data.with_name("data-late"))
    opened = []

    def named(_: Disk) -> None:
        late.key.write_bytes(key)
        late.data.write_bytes(data)

    monkeypatch.setattr("gateway.machine.encryption.disk._make_partitions", named)
    monkeypatch.setattr("gateway.machine.encryption.disk.open_with", lambda _, secret: opened.append(secret))
    open_or_make(late, new_key=os.urandom(KEY_BYTES))
    assert opened == [disk.own_key(disk.record())]
    assert late.data.read_bytes() == data
    assert late.key.read_bytes() == key


def test_what_an_image_left_where_the_key_comes_is_no_damaged_key(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside data that are encrypted it is one."""
    disk.key.write_bytes(b"EFI PART".ljust(MB, b"x"))
    monkeypatch.setattr(Luks, "open", lambda *_: None)
    monkeypatch.setattr("gateway.machine.encryption.disk.run", lambda *_, **__: b"")
    before = disk.data.read_bytes()
    with pytest.raises(KeyGone):
        open_or_make(disk, new_key=os.urandom(KEY_BYTES))
    assert disk.data.read_bytes() == before
    disk.data.write_bytes(bytes(32 * MB))
    open_or_make(disk, new_key=os.urandom(KEY_BYTES))
    assert disk.record().state is State.MADE
    assert opens(disk, disk.own_key(disk.record()))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening needs device-mapper, which a test has in tests/appliance alone: here a secret is tried."""
    monkeypatch.setattr(
        "gateway.machine.encryption.guarding.open_with", lambda disk, secret: disk.luks.check(secret)
    )


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize(
    "damage", [lambda raw: bytes(len(raw)), lambda raw: raw.replace(b"scopegate", b"SCOPEGATE")]
)
def test_a_box_that_lost_its_key_gets_another_one_with_the_recovery_code(
    disk: Disk, damage: Callable[[bytes], bytes]
) -> None:
    code = with_recovery_code(disk)
    disk.key.write_bytes(damage(disk.key.read_bytes()))
    with pytest.raises(WrongKey):
        guarding(disk).unlock(recovery_code.new_code(Clock().token).encode(), is_code=True)
    guarding(disk).unlock(code, is_code=True)
    record = disk.record()
    assert (record.state, record.guard, record.recovery) == (State.MADE, Guard.NONE, TODAY)
    assert opens(disk, disk.own_key(record))
    assert opens(disk, code)


@pytest.mark.usefixtures("opened")
def test_a_start_pin_opens_and_stays(disk: Disk) -> None:
    with_recovery_code(disk)
    guarding(disk).start_pin(PIN)
    disk.held.unlink()  # switched off and on
    guarding(disk).unlock(PIN, is_code=False)
    assert disk.record().guard is Guard.PIN
    assert opens(disk, PIN)
    with_recovery_code(disk)  # with the key of this start


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("damage", [lambda _: bytes(MB), lambda raw: raw.replace(b"scopegate", b"SCOPEGATE")])
@pytest.mark.parametrize("typed", ["start PIN", "recovery code"])
def test_a_start_pin_stays_though_the_box_forgot_that_it_has_one(
    disk: Disk, damage: Callable[[bytes], bytes], typed: str
) -> None:
    code = with_recovery_code(disk)
    guarding(disk).start_pin(PIN)
    disk.key.write_bytes(damage(disk.key.read_bytes()))
    disk.held.unlink()  # switched off and on
    is_code = typed == "recovery code"
    guarding(disk).unlock(code if is_code else PIN, is_code=is_code)
    record = disk.record()
    assert (record.state, record.guard, record.key, record.recovery) == (State.MADE, Guard.PIN, b"", TODAY)
    assert disk.own_key(record) not in disk.key.read_bytes()
    assert [opens(disk, PIN), opens(disk, code)] == [True, True]
    disk.held.unlink()
    with pytest.raises(StartPinWanted):
        disk.own_key(disk.record())


@pytest.mark.parametrize("damage", [b"", b"damaged"])
def test_a_key_that_lies_in_the_open_is_found_by_the_script_of_the_page(
    disk: Disk, tmp_path: Path, damage: bytes
) -> None:
    with disk.key.open("r+b") as partition:
        partition.write(damage)
    page = (ROOT / "docs/recovery.md").read_text()
    (script,) = re.findall(r"<!-- tested: key.py -->\n```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    pc = tmp_path / "pc"
    pc.mkdir()
    words = [sys.executable, "-c", script, disk.key]
    said = subprocess.run(words, cwd=pc, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "guarded by: none"
    assert opens(disk, (pc / "key").read_bytes())


# --- with a TPM ---------------------------------------------------------------------------------------------


def test_with_a_recovery_code_the_chip_guards_the_data_and_the_key_of_before_opens_nothing(
    disk: Disk, chip: SoftTpm
) -> None:
    with_tpm = replace(disk, tpm=chip.tpm)
    before = disk.own_key(disk.record())
    recovery = with_recovery_code(with_tpm)
    record = with_tpm.record()
    assert record.guard is Guard.TPM
    assert opens(disk, chip.own_key(with_tpm))
    assert chip.own_key(with_tpm) not in disk.key.read_bytes()
    assert not opens(disk, before)
    assert opens(disk, recovery)
    with pytest.raises(NotWithTpm):
        guarding(with_tpm).start_pin(PIN)


@pytest.mark.parametrize(
    ("pcr", "what"), [(11, "another kernel"), (7, "another key of Secure Boot"), (12, "a longer command line")]
)
def test_a_changed_start_gets_no_key(disk: Disk, chip: SoftTpm, pcr: int, what: str) -> None:
    with_tpm = replace(disk, tpm=chip.tpm)
    recovery = with_recovery_code(with_tpm)
    chip.measure(pcr, what)
    with pytest.raises(KeyRefused):
        chip.own_key(with_tpm)
    assert opens(disk, recovery)


def test_an_update_that_the_maker_signed_gets_the_key(disk: Disk, chip: SoftTpm) -> None:
    with_tpm = replace(disk, tpm=chip.tpm)
    with_recovery_code(with_tpm)
    chip.start("the next version")
    assert opens(disk, chip.own_key(with_tpm))


def test_an_update_that_nobody_signed_gets_no_key(disk: Disk, chip: SoftTpm) -> None:
    with_tpm = replace(disk, tpm=chip.tpm)
    with_recovery_code(with_tpm)
    chip.start("the next version", signed=False)
    with pytest.raises(KeyRefused):
        chip.own_key(with_tpm)


def test_another_machine_gets_no_key(disk: Disk, chip: SoftTpm, tmp_path: Path) -> None:
    with_recovery_code(replace(disk, tpm=chip.tpm))
    other = SoftTpm(tmp_path / "other")
    try:
        other.start("an image", signed=False)
        stolen = replace(disk, tpm=replace(chip.tpm, device=other.tpm.device))
        with pytest.raises(KeyRefused):
            stolen.own_key(stolen.record())
    finally:
        other.stop()


def test_without_its_chip_the_data_stay_closed_and_the_recovery_code_opens_them(disk: Disk, chip: SoftTpm) -> None:
    recovery = with_recovery_code(replace(disk, tpm=chip.tpm))
    with pytest.raises(KeyRefused):
        disk.own_key(disk.record())
    assert opens(disk, recovery)


def test_an_image_whose_signature_does_not_fit_is_not_sealed_to(disk: Disk, chip: SoftTpm) -> None:
    chip.measure(11, "what nobody signed")
    with_tpm = replace(disk, tpm=chip.tpm)
    with pytest.raises(TpmRefused):
        chip.tpm.seal(b"x")
    chip.rest()
    with_recovery_code(with_tpm)
    assert with_tpm.record().guard is Guard.NONE
    assert opens(disk, disk.own_key(disk.record()))


@pytest.mark.usefixtures("opened")
def test_a_chip_that_fails_once_is_not_given_up(disk: Disk, chip: SoftTpm) -> None:
    with_tpm = replace(disk, tpm=chip.tpm)
    code = with_recovery_code(with_tpm)
    before, slots = with_tpm.record(), disk.luks.slots()
    chip.stop()
    with pytest.raises(ChipFailed):
        guarding(with_tpm).unlock(code, is_code=True)
    assert (with_tpm.record(), disk.luks.slots()) == (before, slots)
    chip.start("an image")
    assert opens(disk, chip.own_key(with_tpm))


@pytest.mark.usefixtures("opened")
def test_a_chip_that_is_away_for_one_start_guards_the_data_as_before(disk: Disk, chip: SoftTpm) -> None:
    with_tpm = replace(disk, tpm=chip.tpm)
    code = with_recovery_code(with_tpm)
    before, slots = with_tpm.record(), disk.luks.slots()
    guarding(disk).unlock(code, is_code=True)  # somebody switched it off in the firmware
    assert (disk.record(), disk.luks.slots()) == (before, slots)
    assert opens(disk, chip.own_key(with_tpm))


def test_a_chip_that_comes_later_guards_the_data_from_the_next_start_on(disk: Disk, chip: SoftTpm) -> None:
    guarding(replace(disk, tpm=chip.tpm)).seal()
    assert disk.record().guard is Guard.NONE  # nothing guards the data before there is a recovery code
    with_recovery_code(disk)
    before = disk.record()
    chip.stop()
    with pytest.raises(ChipFailed):
        guarding(replace(disk, tpm=chip.tpm)).seal()
    assert disk.record() == before
    chip.start("an image")
    guarding(replace(disk, tpm=chip.tpm)).seal()
    assert disk.record().guard is Guard.TPM
    assert [opens(disk, chip.own_key(replace(disk, tpm=chip.tpm))), opens(disk, before.key)] == [True, False]


def test_a_recovery_code_that_could_not_be_noted_does_not_end_the_one_before(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = with_recovery_code(disk)

    def worn_out(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(key_record, "write", worn_out)
    with pytest.raises(KeyGone):
        with_recovery_code(disk)
    assert opens(disk, first)


def test_a_slot_that_a_cut_left_over_is_gone_after_the_next_change(disk: Disk) -> None:
    key = disk.own_key(disk.record())
    disk.luks.add(Slots.RECOVERY, b"left over", by=key)
    with_recovery_code(disk)
    assert not opens(disk, b"left over")
    assert disk.luks.slots() & set(Slots.RECOVERY.value) == {5}


def test_a_partition_that_is_none_is_no_wrong_key(disk: Disk) -> None:
    disk.data.write_bytes(bytes(32 * MB))
    assert not disk.luks.is_one
    with pytest.raises(ProgramFailed):
        disk.luks.check(b"x")


@pytest.mark.usefixtures("opened")
def test_a_chip_that_locked_itself_is_no_box_that_was_changed(disk: Disk, chip: SoftTpm) -> None:
    with_tpm = replace(disk, tpm=chip.tpm)
    code = with_recovery_code(with_tpm)
    before, slots = with_tpm.record(), disk.luks.slots()
    chip.pull_plugs("an image", before.key)
    with pytest.raises(ChipLocked):
        chip.own_key(with_tpm)
    chip.rest()
    guarding(with_tpm).unlock(code, is_code=True)
    chip.rest()
    with pytest.raises(
        KeysNotChanged, match="does not give its key now"
    ):  # the box is open, and pictures are taken
        with_recovery_code(with_tpm)
    assert (with_tpm.record(), disk.luks.slots()) == (before, slots)
    chip.forget()
    assert opens(disk, chip.own_key(with_tpm))


def test_a_chip_that_locked_itself_guards_nothing_anew(disk: Disk, chip: SoftTpm) -> None:
    chip.pull_plugs("an image", chip.tpm.seal(b"x"))
    with_tpm = replace(disk, tpm=chip.tpm)
    code = with_recovery_code(with_tpm)
    assert with_tpm.record().guard is Guard.NONE
    assert opens(disk, disk.own_key(disk.record()))
    assert opens(disk, code)
    chip.forget()
    guarding(with_tpm).seal()
    assert with_tpm.record().guard is Guard.TPM
    assert opens(disk, chip.own_key(with_tpm))


# --- a cut at any step --------------------------------------------------------------------------------------


class _Ended(BaseException):
    """The plug was pulled."""


class _Cut:
    """Ends the program before the step of that number."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.asked = 0

    def before(self, step: Callable[P, R]) -> Callable[P, R]:
        def cut(*words: P.args, **named: P.kwargs) -> R:
            self.asked += 1
            if self.asked > self._number:
                raise _Ended
            return step(*words, **named)

        return cut


@contextmanager
def cut_before(number: int, *, of: int) -> Iterator[None]:
    """Pull the plug before that step: a slot, a seal, one copy of the record. of: how many there are."""
    steps = _Cut(number)
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((Luks, "add"), (Luks, "keep_only"), (Tpm, "seal"), (os, "pwrite")):
            patch.setattr(owner, name, steps.before(getattr(owner, name)))
        with suppress(_Ended):
            yield
    assert steps.asked == min(number + 1, of), "the list of steps changed: cut at each of them"


@pytest.mark.parametrize("number", range(12))
def test_a_cut_while_a_start_pin_is_set_and_taken_away_leaves_a_key_that_opens(disk: Disk, number: int) -> None:
    """The box's own key, or the start PIN where the record asks for it: whatever step was the last."""
    recovery = with_recovery_code(disk)
    with cut_before(number, of=11):
        guarding(disk).start_pin(PIN)
        guarding(disk).no_start_pin(PIN)
    record = disk.record()
    assert opens(disk, PIN if record.guard is Guard.PIN else disk.own_key(record))
    assert opens(disk, recovery)


@pytest.mark.parametrize("number", range(11))
def test_a_cut_while_a_new_recovery_code_is_written_down_and_the_chip_gets_the_key_leaves_both(
    disk: Disk, chip: SoftTpm, number: int
) -> None:
    first, second = with_recovery_code(disk), recovery_code.new_code(Clock().token).encode()
    with_tpm = replace(disk, tpm=chip.tpm)
    with cut_before(number, of=10):
        guarding(with_tpm).new_recovery_code(second)
    assert opens(disk, chip.own_key(with_tpm))
    assert opens(disk, second if number else first)
    guarding(with_tpm).new_recovery_code(second)  # asked for again
    assert opens(disk, chip.own_key(with_tpm))
    assert [opens(disk, first), opens(disk, second)] == [False, True]


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("number", range(7))
def test_a_cut_while_the_chip_is_trusted_anew_leaves_the_recovery_code(
    disk: Disk, chip: SoftTpm, number: int
) -> None:
    with_tpm = replace(disk, tpm=chip.tpm)
    code = with_recovery_code(with_tpm)
    chip.measure(7, "another key of Secure Boot")
    chip.rest()
    with cut_before(number, of=6):
        guarding(with_tpm).unlock(code, is_code=True)
    try:
        assert opens(disk, chip.own_key(with_tpm))
    except KeyRefused:
        assert number < 3, "the record has what the chip gives"
    chip.rest()
    guarding(with_tpm).unlock(code, is_code=True)
    assert with_tpm.record().guard is Guard.TPM
    assert opens(disk, chip.own_key(with_tpm))
    assert opens(disk, code)


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("number", range(5))
def test_a_cut_while_a_start_pin_opens_a_box_that_forgot_it_leaves_both(disk: Disk, number: int) -> None:
    code = with_recovery_code(disk)
    guarding(disk).start_pin(PIN)
    disk.key.write_bytes(bytes(MB))
    disk.held.unlink()  # switched off and on
    with cut_before(number, of=4):
        guarding(disk).unlock(PIN, is_code=False)
    guarding(disk).unlock(PIN, is_code=False)
    assert disk.record().guard is Guard.PIN
    assert [opens(disk, PIN), opens(disk, code), opens(disk, disk.own_key(disk.record()))] == [True] * 3
