"""What root does when a box is made new: not in an exam, with nothing else at work, and said before it begins."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import FakeClock
from gateway.machine.encryption import key_record
from gateway.machine.encryption.closed import DataDamaged
from gateway.machine.encryption.disk import Disk
from gateway.machine.encryption.key_record import KeyRecord, State
from gateway.machine.encryption.luks import Luks, WrongKey
from gateway.machine.locks import DiskBusy, at_the_disk
from gateway.machine.programs import ProgramFailed
from gateway.machine.repair import snapshot
from gateway.machine.repair.desk import PanelGone, RepairDesk, System

MB = 1 << 20
CODE = "0123-4567-89AB-CDEF-0123-4567-89AB-CDEF"


class Box:
    """A machine in a folder; `ran`: what was run, and what was said of the data by then."""

    def __init__(self, folder: Path, *, opened: bool = True) -> None:
        self.ran: list[tuple[str, str]] = []
        self.fails = ""
        self.says, self.data, self.live = folder / "says", folder / "data", folder / "capture.json"
        self.trial = folder / "trial"
        self.data.mkdir()
        self.clock = FakeClock()
        self.disk = _Disk(key=folder / "key", data=folder / "partition", is_open=opened)
        self.disk.key.write_bytes(bytes(MB))
        self.disk.data.write_bytes(bytes(MB))
        key_record.write(self.disk.key, KeyRecord(state=State.MADE, key=b"own key"))
        system = System(run=self._run)
        self.desk = RepairDesk(
            disk=self.disk,
            clock=self.clock,
            system=system,
            says=self.says,
            live=self.live,
            data=self.data,
            stick=folder / "no-stick",
            lock=folder / "lock",
            trial=self.trial,
        )

    def _run(self, words: list[str]) -> bytes:
        self.ran.append((" ".join(words), self.disk.record().state))
        if self.fails and self.fails in words:
            raise ProgramFailed(words[0], 1, "no")
        return b""

    def asked(self, do: str, secret: str = "") -> Mapping[str, Any]:
        self.desk.obey({"do": do, "number": "7", "secret": secret})
        return dict(json.loads((self.says / "repair.json").read_text()))

    def told(self, subject: str, **said: object) -> None:
        self.says.mkdir(exist_ok=True)
        (self.says / f"{subject}.json").write_text(json.dumps(said))

    def exam(self, exam: str) -> None:
        now = {"boot_id": self.clock.boot_id, "boottime_ns": self.clock.boottime_ns(), "exam": exam}
        self.live.write_text(json.dumps(now))


class _Disk(Disk):
    def __init__(self, *, key: Path, data: Path, is_open: bool) -> None:
        super().__init__(key=key, data=data)
        object.__setattr__(self, "_is_open", is_open)

    @property
    def opened(self) -> bool:
        return bool(object.__getattribute__(self, "_is_open"))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_nothing_works_any_more_before_the_data_are_condemned_and_the_machine_starts_anew(box: Box) -> None:
    said = box.asked("destroy")
    assert (said["code"], said["doing"], said["number"]) == ("erasing", "destroy", "7")
    (stop, whole), (screen, still_whole), (sync, gone), (restart, _) = box.ran
    assert stop.startswith("systemctl stop scopegate-capture.service scopegate-forward.service")
    assert screen == "systemctl restart scopegate-closed.service scopegate-kiosk.service"
    assert (sync, restart) == ("sync", "systemctl --no-block reboot")
    assert (whole, still_whole, gone) == (State.MADE, State.MADE, State.ERASING)


def test_settings_are_marked_once_nothing_works_any_more(box: Box) -> None:
    assert box.asked("keep")["code"] == "resetting"
    assert (box.data / "new-settings").exists()
    assert box.disk.record().state is State.MADE
    assert box.ran[-1][0] == "systemctl --no-block reboot"


def test_who_cannot_be_known_by_their_people_are_known_by_the_code_of_the_disk(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(_: Luks, secret: bytes) -> None:
        if secret != CODE.encode():
            raise WrongKey

    monkeypatch.setattr(Luks, "check", check)
    key_record.write(box.disk.key, KeyRecord(state=State.MADE, key=b"own key", recovery="2026-11-28"))
    for wrong, code in (("nonsense", "no-key"), (CODE[:-1] + "0", "key-refused")):
        assert box.asked("keep", wrong)["refused"]["code"] == code
        assert (box.ran, (box.data / "new-settings").exists()) == ([], False)
    assert box.asked("keep", CODE)["code"] == "resetting"
    assert (box.data / "new-settings").exists()


@pytest.mark.parametrize("do", ["destroy", "keep"])
def test_nothing_happens_while_an_exam_is_open(box: Box, do: str) -> None:
    box.exam("3bd7cbffc7")
    said = box.asked(do)
    assert (said["number"], said["refused"]["code"]) == ("7", "exam-open")
    assert (box.ran, box.disk.record().state) == ([], State.MADE)
    assert not (box.data / "new-settings").exists()


@pytest.mark.parametrize("do", ["destroy", "keep", "rescue"])
def test_nothing_is_begun_while_a_new_version_proves_itself(box: Box, do: str) -> None:
    box.trial.touch()
    assert box.asked(do, CODE)["refused"]["code"] == "version-unproven"
    box.trial.unlink()
    box.told("update", proving=True)  # it was not good, and waits for the end of an exam
    said = box.asked(do, CODE)
    assert said["refused"]["code"] == "version-unproven"
    assert said["refused"]["action"] == "This takes a few minutes: ask again then."
    assert (box.ran, box.disk.record().state) == ([], State.MADE)
    assert not (box.data / "new-settings").exists()


def test_a_version_that_proved_itself_keeps_nobody_from_a_repair(box: Box) -> None:
    box.told("update", proving=False)
    assert box.asked("destroy")["code"] == "erasing"


def test_who_lost_the_start_pin_erases_a_box_whose_new_version_waits_for_it(tmp_path: Path) -> None:
    box = Box(tmp_path, opened=False)
    box.trial.touch()
    box.told("data", guard="pin", opened=True)
    assert box.asked("destroy")["refused"]["code"] == "version-unproven"
    box.told("data", guard="tpm", opened=False)  # a chip that gives the new version no key: the box goes back
    assert box.asked("destroy")["refused"]["code"] == "version-unproven"
    box.told("data", guard="pin", opened=False)
    assert box.asked("destroy")["code"] == "erasing"


def test_a_box_whose_data_are_closed_can_be_erased_and_its_settings_cannot_be_made_new(tmp_path: Path) -> None:
    box = Box(tmp_path, opened=False)
    assert box.asked("keep")["refused"]["code"] == "data-closed"
    assert box.asked("destroy")["code"] == "erasing"
    assert box.disk.record().state is State.ERASING


def test_where_the_product_cannot_be_stopped_nothing_is_erased(box: Box) -> None:
    box.fails = "stop"
    assert box.asked("destroy")["code"] == "not-reset"
    assert box.disk.record().state is State.MADE


def test_a_machine_that_does_not_start_anew_says_that_it_wants_to_be_switched_off_and_on(box: Box) -> None:
    box.fails = "reboot"
    said = box.asked("destroy")
    assert (said["code"], said["doing"]) == ("erasing", "destroy")
    assert box.disk.record().state is State.ERASING


def test_a_refusal_leaves_what_the_screen_says(box: Box) -> None:
    box.desk.say(PanelGone(), number="", doing="")
    said = box.asked("format")
    assert (said["code"], said["refused"]["code"]) == ("panel-gone", "machine-request")


def test_an_exam_that_nobody_can_finish_keeps_nobody_from_a_repair(box: Box) -> None:
    box.exam("3bd7cbffc7")
    assert box.asked("destroy")["refused"]["code"] == "exam-open"
    box.desk.say(PanelGone(), number="", doing="")
    assert box.asked("destroy")["code"] == "erasing"


@pytest.mark.parametrize("do", ["format", "restart", ""])
def test_another_word_is_no_request(box: Box, do: str) -> None:
    assert box.asked(do)["refused"]["code"] == "machine-request"
    assert box.ran == []


@pytest.mark.parametrize("secret", ["", "48151623", CODE[:-1]])
def test_what_is_no_recovery_code_rescues_nothing(box: Box, secret: str) -> None:
    assert box.asked("rescue", secret)["refused"]["code"] == "no-key"
    assert box.ran == []


def test_another_code_than_this_boxs_rescues_nothing_and_the_product_works_on(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(_: Luks, secret: bytes) -> None:
        assert secret == CODE.encode()
        raise WrongKey

    monkeypatch.setattr(Luks, "check", check)
    code = CODE.replace("-", " ").lower()
    assert box.asked("rescue", code)["refused"]["code"] == "no-recovery-code"  # there is none to be typed
    key_record.write(box.disk.key, KeyRecord(state=State.MADE, key=b"own key", recovery="2026-11-28"))
    assert box.asked("rescue", code)["refused"]["code"] == "key-refused"
    assert box.ran == []


def test_without_a_stick_the_product_works_on(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Luks, "check", lambda *_: None)
    assert box.asked("rescue", CODE)["refused"]["code"] == "no-stick"
    assert box.ran == []


# --- what is mounted for a rescue ---------------------------------------------------------------------------------


class Programs:
    """Those of the system, written down in their order; `fail`: those that do not work."""

    def __init__(self, *fail: str) -> None:
        self.ran: list[str] = []
        self._fail = fail

    def run(self, words: Sequence[str | Path], *, heard: bool = True, **_: object) -> bytes:
        text = " ".join(map(str, words))
        assert heard == (words[0] != "e2fsck")  # a line for every mistake of a disk is more than there is memory
        self.ran.append(text)
        if text.startswith(self._fail):
            raise ProgramFailed(str(words[0]), 8, "no")
        return {"blockdev": b"2048\n", "losetup": b"/dev/loop0\n"}.get(str(words[0]), b"")


def laid(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: Programs) -> list[str]:
    """Lay the data open; return what was run, "|" where they were read."""
    monkeypatch.setattr(snapshot, "WORK", tmp_path / "area")
    monkeypatch.setattr(snapshot, "run", programs.run)
    with snapshot.laid_open(box.disk, CODE.encode(), tmp_path / "not-mounted") as seen:
        programs.ran.append("|")
        assert seen == tmp_path / "area/data"
    return programs.ran


def test_closed_data_are_opened_read_only_and_repaired_in_memory_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box(tmp_path, opened=False)
    ran = laid(box, tmp_path, monkeypatch, Programs("e2fsck"))  # which says what it repaired with its status
    layer = "0 2048 snapshot /dev/mapper/rescue /dev/loop0 N 8"
    assert ran[0] == f"cryptsetup open --readonly --key-file {{0}} {box.disk.data} rescue"
    assert f"dmsetup create rescue-layer --table {layer}" in ran
    assert "e2fsck -f -y /dev/mapper/rescue-layer" in ran
    assert (
        ran[ran.index("|") - 1] == f"mount --types ext4 --options ro /dev/mapper/rescue-layer {tmp_path}/area/data"
    )
    undone = ran[ran.index("|") + 1 :]
    assert [each.partition(" ")[0] for each in undone] == ["umount", "dmsetup", "losetup", "umount", "cryptsetup"]
    written = [each for each in ran if each.startswith(("mount", "e2fsck")) and "/dev/mapper/rescue " in f"{each} "]
    assert written == []


def test_without_a_layer_what_is_there_is_mounted_without_its_journal(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = laid(box, tmp_path, monkeypatch, Programs("dmsetup create"))
    assert (
        ran[ran.index("|") - 1] == f"mount --types ext4 --options ro,noload /dev/mapper/data {tmp_path}/area/data"
    )
    assert not any(each.startswith("cryptsetup") for each in ran)


def test_data_that_cannot_be_mounted_in_any_way_are_said_so_and_nothing_stays_open(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Programs("mount --types ext4")
    with pytest.raises(DataDamaged):
        laid(box, tmp_path, monkeypatch, programs)
    assert "dmsetup remove rescue-layer" in programs.ran
    assert "losetup --detach /dev/loop0" in programs.ran


@pytest.mark.parametrize("do", ["destroy", "keep", "rescue"])
def test_nothing_is_repaired_while_somebody_changes_keys(box: Box, tmp_path: Path, do: str) -> None:
    with at_the_disk(tmp_path / "lock"):
        said = box.asked(do)
    assert (said["number"], said["refused"]["code"]) == ("7", "keys-busy")
    assert (box.ran, box.disk.record().state) == ([], State.MADE)
    assert not (box.data / "new-settings").exists()


def test_nobody_changes_keys_while_a_box_is_erased(box: Box, tmp_path: Path) -> None:
    busy: list[str] = []

    def looks(_: list[str]) -> bytes:
        try:
            with at_the_disk(tmp_path / "lock"):
                busy.append("")
        except DiskBusy as error:
            busy.append(error.code)
        return b""

    object.__setattr__(box.desk._system, "run", looks)
    box.asked("destroy")
    assert set(busy) == {"keys-busy"}
