"""Updates of the appliance: versions, the firmware's entries, what is remembered, what a person may ask for."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import FakeClock
from gateway.config.told import told
from gateway.errors import MachineRequest
from gateway.machine.locks import DiskBusy, at_the_disk
from gateway.machine.own_disk import OwnDisk, Partition
from gateway.machine.update import configuration, firmware, memory, refusals, slots, start_count
from gateway.machine.update.box import Box, Places, after_start, good_slots
from gateway.machine.update.desk import UpdateDesk
from gateway.machine.update.firmware import Start, entries_put_right, order_put_right
from gateway.machine.update.image import Image
from gateway.machine.update.memory import Memory, Phase
from gateway.machine.update.payload import Seal
from gateway.machine.update.rauc import Bundle, Rauc
from gateway.machine.update.versions import newest, order

LOADER = r"\EFI\BOOT\BOOTX64.EFI"
A, B = "0c2b8f5e-7d1a-4a63-9e0f-3c5d7b1e9a0a", "0c2b8f5e-7d1a-4a63-9e0f-3c5d7b1e9a0b"
STARTS = {
    "a": Start(disk=Path("/dev/sda"), number=1, id=A),
    "b": Start(disk=Path("/dev/sda"), number=2, id=B),
}
SEAL = Seal(root="0", salt="0", tree=4096)
IMAGE = Image(version="0.3.0", build="x", floor="0.2.0", compatible="scopegate-amd64")


def said(*entries: str, order: str = "0000", current: str = "0000", more: str = "") -> str:
    return f"BootCurrent: {current}\nTimeout: 0 seconds\nBootOrder: {order}\n{more}" + "".join(
        f"{e}\n" for e in entries
    )


def entry(number: str, slot: str, part: str) -> str:
    return f"Boot{number}* scopegate-{slot}\tHD(1,GPT,{part.upper()},0x800,0x60000)/{LOADER}"


OTHER = "Boot0000* UEFI Misc Device\tPciRoot(0x0)/Pci(0x3,0x0){auto_created_boot_option}"


# --- versions -----------------------------------------------------------------------------------------------


def test_versions_are_sorted_as_rauc_sorts_them() -> None:
    sorted_ = ["0.2.0-dev.0", "0.2.0-dev.2", "0.2.0-dev.10", "0.2.0-rc", "0.2.0", "0.2.1", "0.10", "1"]
    assert sorted(set(sorted_), key=order) == sorted_


@pytest.mark.parametrize("text", ["", "0.2.0.dev0", "v1", "1.2.3.4", "1.2.3-", "x" * 200])
def test_what_is_no_version_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="not a version"):
        order(text)
    assert newest("0.1", text) == "0.1"


# --- the firmware -------------------------------------------------------------------------------------------


def test_a_new_box_gets_an_entry_for_each_slot() -> None:
    words = entries_put_right(firmware.read(said(OTHER)), STARTS, LOADER)
    assert [each[-3:] for each in words] == [
        ("scopegate-a", "--loader", LOADER),
        ("scopegate-b", "--loader", LOADER),
    ]
    assert all("--create-only" in each for each in words)


def test_entries_that_are_right_stay() -> None:
    found = firmware.read(said(OTHER, entry("0001", "a", A), entry("0002", "b", B)))
    assert entries_put_right(found, STARTS, LOADER) == []


def test_an_entry_of_another_disk_and_a_second_one_go() -> None:
    lines = entry("0001", "a", B), entry("0002", "a", A), entry("0003", "a", A), entry("0004", "b", B)
    words = entries_put_right(firmware.read(said(*lines)), STARTS, LOADER)
    assert words == [("--bootnum", "0001", "--delete-bootnum"), ("--bootnum", "0003", "--delete-bootnum")]


def test_the_running_slot_of_a_new_box_is_started_next() -> None:
    found = firmware.read(said(OTHER, entry("0001", "a", A), entry("0002", "b", B)))
    assert order_put_right(found, "a", ["a"]) == ("--bootorder", "0001,0000")


def test_nothing_comes_before_the_slots_and_what_runs_is_the_first_of_them() -> None:
    lines = OTHER, entry("0001", "a", A), entry("0002", "b", B)
    found = firmware.read(said(*lines, order="0002,0000,0001"))
    assert order_put_right(found, "b", ["b"]) == ("--bootorder", "0002,0001,0000")
    assert order_put_right(found, "a", ["a"]) == ("--bootorder", "0001,0002,0000")
    assert order_put_right(firmware.read(said(*lines, order="0002,0001,0000")), "b", ["a"]) is None


def test_a_slot_that_rauc_took_out_of_the_order_is_not_put_in() -> None:
    lines = OTHER, entry("0001", "a", A), entry("0002", "b", B)
    found = firmware.read(said(*lines, order="0001,0000"))
    assert order_put_right(found, "a", ["b", "a"]) is None
    assert order_put_right(found, "", []) is None  # on trial is b


def test_a_firmware_that_forgot_is_told_of_both_slots_anew() -> None:
    lines = OTHER, entry("0001", "a", A), entry("0002", "b", B)
    assert order_put_right(firmware.read(said(*lines)), "a", ["b", "a"]) == ("--bootorder", "0002,0001,0000")


# --- the disk and RAUC's configuration ----------------------------------------------------------------------


NAMES = ["esp-a", "esp-b", "root-a", "verity-a", "root-b", "verity-b", "key", "data"]
DISK = OwnDisk(
    device=Path("/dev/sda"),
    partitions={
        name: Partition(device=Path(f"/dev/sda{number}"), number=number) for number, name in enumerate(NAMES, 1)
    },
)


def test_the_firmware_starts_slots_of_the_box_s_own_disk(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    layout.write_text(f"# The partitions.\nesp_a={A}\nesp_b={B}\n")
    assert slots.starts(DISK, layout) == STARTS


def test_rauc_is_told_of_both_slots_and_of_the_floor() -> None:
    text = configuration.text(IMAGE, DISK, "0.2.5")
    assert "min-bundle-version=0.2.5\n" in text
    assert "[slot.root.1]\ndevice=/dev/sda5\ntype=raw\nparent=start.1\n" in text
    assert "[slot.start.1]\ndevice=/dev/sda2\ntype=raw\nbootname=scopegate-b\n" in text


def test_a_raspberry_pi_has_its_own_way_to_choose_a_slot() -> None:
    text = configuration.text(IMAGE, DISK, "0", uefi=False)
    assert "bootloader=custom\n" in text
    assert "bootloader-custom-backend=/usr/lib/scopegate/pi-slots\n" in text
    assert "device=/dev/sda2\ntype=raw\nbootname=b\n" in text


def test_a_disk_without_a_slot_has_no_configuration() -> None:
    with pytest.raises(KeyError):
        configuration.text(IMAGE, replace(DISK, partitions={}), "0")


# --- what is remembered -------------------------------------------------------------------------------------


def test_what_is_remembered_is_read_again(tmp_path: Path) -> None:
    kept = Memory(phase=Phase.INSTALLED, version="1.0.0", slot="b", floor="0.2.0")
    memory.remember(kept, tmp_path / "update")
    assert memory.recalled(tmp_path / "update") == kept


def test_a_memory_of_a_later_version_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    (tmp_path / "memory.json").write_text('{"phase": "good", "floor": "3.0.0", "colour": "green"}')
    assert memory.recalled(tmp_path) == Memory(phase=Phase.GOOD, floor="3.0.0")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"phase": "flying"}', "\0" * 10])
def test_a_damaged_memory_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "memory.json").write_text(text)
    assert memory.recalled(tmp_path) == Memory()


BOX_B = Box(image=IMAGE, slot="b", boot_id="boot-2")
BOX_A = Box(image=IMAGE, slot="a", boot_id="boot-2")
INSTALLED = Memory(phase=Phase.INSTALLED, version="1.0.0", slot="b", boot_id="boot-1")


TRIED = {"phase": Phase.TRYING, "reason": ""}
TRIED_AGAIN = {**TRIED, "came_again": "1"}


def test_what_a_start_makes_of_the_last_update() -> None:
    trying = replace(INSTALLED, phase=Phase.TRYING)
    assert after_start(INSTALLED, BOX_B, trial=True) == TRIED
    assert after_start(trying, BOX_B, trial=False) == TRIED_AGAIN
    assert after_start(INSTALLED, BOX_A, trial=False) == {"phase": Phase.WENT_BACK, "reason": "no-start"}
    assert after_start(trying, BOX_A, trial=False) == {"phase": Phase.WENT_BACK, "reason": "no-end"}
    assert after_start(INSTALLED, replace(BOX_A, boot_id="boot-1"), trial=False) == {}
    assert after_start(replace(INSTALLED, phase=Phase.GOOD), BOX_B, trial=False) == {}


def test_what_went_back_and_runs_all_the_same_is_tried_again() -> None:
    gone = replace(INSTALLED, phase=Phase.WENT_BACK, reason="picture")
    assert after_start(gone, BOX_B, trial=False) == TRIED_AGAIN  # the plug was pulled before the firmware was told
    assert after_start(gone, BOX_A, trial=False) == {}


def test_a_version_that_proved_itself_is_good_although_a_plug_kept_the_box_from_remembering_it() -> None:
    proven = replace(INSTALLED, phase=Phase.TRYING, proven=IMAGE.version, came_again="1")
    changes = after_start(proven, BOX_B, trial=False)
    kept = replace(proven, **changes)  # type: ignore[arg-type]
    assert (kept.phase, kept.version, kept.slot, kept.floor) == (Phase.GOOD, IMAGE.version, "b", IMAGE.floor)
    assert (kept.proven, kept.came_again) == ("", "")
    assert after_start(kept, BOX_B, trial=False) == {}
    # The firmware was not told yet: the other slot was started, or this one once more.
    assert after_start(proven, BOX_A, trial=False)["phase"] == Phase.WENT_BACK
    assert after_start(proven, BOX_B, trial=True)["phase"] != Phase.GOOD
    # What was proven was another version.
    assert after_start(replace(proven, proven="0.0.1"), BOX_B, trial=False)["phase"] != Phase.GOOD


def test_a_good_version_that_comes_up_no_more_went_back_too() -> None:
    good = replace(INSTALLED, phase=Phase.GOOD)
    changes = after_start(good, BOX_A, trial=False, fell_back=True)
    assert changes == {"phase": Phase.WENT_BACK, "slot": "b", "reason": "no-start"}


def test_a_way_back_that_came_up_is_open_again_also_when_the_firmware_preferred_the_other() -> None:
    gone = replace(INSTALLED, phase=Phase.WENT_BACK, reason="health", came_again="1")
    changes = after_start(gone, BOX_A, trial=False, fell_back=True)
    assert changes == {"phase": Phase.WENT_BACK, "slot": "b", "reason": "no-start", "came_again": ""}


def test_a_start_that_came_up_is_counted_no_more(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"x" * 1_044_480 + b"\3" + b"y" * 100)
    start_count.came_up(key)
    assert key.read_bytes() == b"x" * 1_044_480 + b"\0" + b"y" * 100


def test_a_firmware_that_forgot_starts_the_slot_that_was_good_last() -> None:
    assert good_slots(replace(INSTALLED, phase=Phase.GOOD), BOX_A) == ("b", "a")
    assert good_slots(INSTALLED, BOX_A) == ("a",)


def test_the_floor_only_rises() -> None:
    assert BOX_A.floor(Memory(floor="0.1.0")) == "0.2.0"
    assert BOX_A.floor(Memory(floor="0.9.0")) == "0.9.0"


# --- what a person may ask for ------------------------------------------------------------------------------


class FakeRauc(Rauc):
    """RAUC with one bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.installed: list[Path] = []
        self.marked: list[str] = []
        self.refuses = False
        self.fails = False
        self.damaged = False
        self.meanwhile: Callable[[], None] = lambda: None

    def look(self, file: Path) -> Bundle:
        assert file.exists()
        return self.bundle

    def check(self, file: Path, bundle: Bundle) -> None:
        assert file.exists()
        assert bundle is self.bundle
        if self.damaged:
            raise refusals.Damaged

    def mark_good(self) -> None:
        if self.refuses:
            raise refusals.UpdateRefused
        self.marked.append("good")

    def install(self, file: Path, progress: Callable[[int], None]) -> None:
        progress(50)
        self.meanwhile()
        if self.fails:
            raise refusals.Damaged
        self.installed.append(file)


class Place:
    """A desk in a folder, with a stick that holds one update and a capture that says whether an exam is open."""

    def __init__(self, folder: Path) -> None:
        self.stick, self.live = folder / "usb", folder / "capture.json"
        self.clock = FakeClock()
        self.rauc = FakeRauc(Bundle(version="0.4.0", build="y", compatible="scopegate-amd64", seal=SEAL))
        self.stick.mkdir()
        (folder / "said").mkdir()
        (self.stick / "new.raucb").touch()
        self.places = Places(
            keyring=folder / "keyring.pem",
            trial=folder / "trial",
            memory=folder / "update",
            uploads=folder / "upload",
            said=folder / "said",
        )
        self.places.uploads.mkdir()
        self.places.keyring.touch()
        self.runs: list[tuple[str, ...]] = []
        self.box = Box(image=IMAGE, slot="a", boot_id=self.clock.boot_id, places=self.places)
        self.lock = folder / "keys.lock"
        self.desk = UpdateDesk(
            box=self.box,
            rauc=self.rauc,
            clock=self.clock,
            stick=self.stick,
            live=self.live,
            run=self._run,
            lock=self.lock,
        )
        self.exam("")
        self.capture = "ActiveState=active\nNRestarts=7\n"

    def exam(self, exam: str) -> None:
        state = {"boot_id": self.clock.boot_id, "boottime_ns": self.clock.boottime_ns(), "exam": exam}
        self.live.write_text(json.dumps(state))

    @property
    def memory(self) -> Memory:
        return memory.recalled(self.places.memory)

    def told(self, subject: str) -> dict[str, Any]:
        return dict(told(subject, self.places.said) or {})

    def _run(self, *words: str) -> str:
        if words[:2] == ("systemctl", "show"):
            return self.capture
        self.runs.append(words)
        return said(OTHER, entry("0001", "a", A), entry("0002", "b", B), more="BootNext: 0002\n")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def install(place: Place, file: str = "new.raucb") -> None:
    place.desk.obey({"do": "install", "file": file})


def refused(place: Place) -> object:
    found = place.told("update")["refused"]
    return found["code"] if isinstance(found, dict) else None


def test_an_update_is_installed_and_waits_for_the_next_start(place: Place) -> None:
    install(place)
    assert place.rauc.installed == [place.stick / "new.raucb"]
    assert place.memory.phase is Phase.INSTALLED
    assert (place.memory.version, place.memory.slot) == ("0.4.0", "b")
    assert not [words for words in place.runs if words[0] == "systemctl"]


def test_what_was_installed_before_is_not_started_half_written_over(place: Place) -> None:
    install(place)
    assert ("efibootmgr", "--delete-bootnext") in place.runs


def test_nothing_is_installed_and_nothing_restarted_during_an_exam(place: Place) -> None:
    place.exam("exam-1")
    install(place)
    assert (refused(place), place.rauc.installed) == ("update-exam-open", [])
    place.desk.obey({"do": "restart"})
    assert (refused(place), place.runs) == ("update-exam-open", [])


def test_a_capture_that_says_nothing_may_have_an_exam(place: Place) -> None:
    place.clock.move(60)
    install(place)
    assert (refused(place), place.rauc.installed) == ("update-exam-open", [])
    place.live.unlink()
    install(place)
    assert (refused(place), place.rauc.installed) == ("update-exam-open", [])


def test_a_capture_that_cannot_start_has_none_and_an_update_may_mend_it(place: Place) -> None:
    place.capture = "ActiveState=activating\nNRestarts=5\n"
    place.exam("exam-1")
    install(place)
    assert refused(place) == "update-exam-open", "it says that one is open"
    place.live.unlink()
    install(place)
    assert place.memory.phase is Phase.INSTALLED


def test_a_restart_is_a_person_s_wish(place: Place) -> None:
    place.desk.obey({"do": "restart"})
    assert place.runs == [("systemctl", "--no-block", "reboot")]


@pytest.mark.parametrize(
    ("bundle", "code"),
    [
        ({"version": "0.1.9"}, "update-too-old"),
        ({"version": "latest"}, "update-too-old"),
        ({"compatible": "scopegate-arm64"}, "update-other-machine"),
    ],
)
def test_what_does_not_fit_is_neither_offered_nor_installed(
    place: Place, bundle: dict[str, Any], code: str
) -> None:
    place.rauc.bundle = replace(place.rauc.bundle, **bundle)
    place.desk.offer()
    (offer,) = place.told("update-offers")["files"]
    assert offer["code"] == code
    install(place)
    assert (refused(place), place.rauc.installed) == (code, [])


def test_a_version_that_has_not_proven_itself_is_not_written_over_its_way_back(place: Place) -> None:
    place.places.trial.touch()
    install(place)
    assert refused(place) == "update-trying"
    place.places.trial.unlink()
    memory.remember(Memory(phase=Phase.WENT_BACK, slot="a"), place.places.memory)
    install(place)
    assert (refused(place), place.rauc.installed) == ("update-trying", [])


def test_the_box_says_while_it_may_leave_the_version_that_runs(place: Place) -> None:
    def proving(kept: Memory, *, opened: bool = True) -> bool:
        (place.places.said / "data.json").write_text(json.dumps({"guard": "pin", "opened": opened}))
        place.box.tell(kept)
        return bool(place.told("update")["proving"])

    assert not proving(Memory())
    assert proving(Memory(phase=Phase.WENT_BACK, slot="a"))
    assert not proving(Memory(phase=Phase.WENT_BACK, slot="b"))  # it did go back
    place.places.trial.touch()
    assert proving(Memory())
    assert not proving(Memory(), opened=False)  # it waits for whoever types the start PIN


def test_nothing_is_installed_and_nothing_restarted_while_the_box_is_erased_or_rescued(place: Place) -> None:
    with at_the_disk(place.lock):
        install(place)
        assert refused(place) == "keys-busy"
        place.desk.obey({"do": "restart"})
    assert (refused(place), place.rauc.installed, place.runs) == ("keys-busy", [], [])
    assert place.memory == Memory()


def test_nobody_erases_or_rescues_the_box_while_an_update_is_written(place: Place) -> None:
    def another() -> None:
        with pytest.raises(DiskBusy), at_the_disk(place.lock):
            pass

    place.rauc.meanwhile = another
    install(place)
    assert place.memory.phase is Phase.INSTALLED


def test_a_box_without_keys_takes_nothing(place: Place) -> None:
    place.places.keyring.unlink()
    install(place)
    assert (refused(place), place.rauc.installed) == ("update-none", [])


def test_an_installation_that_fails_is_remembered_and_changes_nothing_else(place: Place) -> None:
    place.rauc.fails = True
    install(place)
    assert refused(place) == "update-damaged"
    assert (place.memory.phase, place.memory.reason) == (Phase.FAILED, "update-damaged")


def test_what_is_damaged_inside_is_refused_before_anything_is_written(place: Place) -> None:
    place.rauc.damaged = True
    install(place)
    assert (refused(place), place.rauc.installed, place.runs) == ("update-damaged", [], [])
    assert place.memory == Memory()


@pytest.mark.parametrize("file", ["../etc/x.raucb", "/etc/x.raucb", ".raucb", "a b.raucb", "new.zip", "x" * 200])
def test_only_a_file_of_the_stick_is_a_wish(place: Place, file: str) -> None:
    with pytest.raises(MachineRequest):
        install(place, file)


def test_a_link_on_the_stick_is_no_update(place: Place) -> None:
    (place.stick / "link.raucb").symlink_to(place.live)
    install(place, "link.raucb")
    assert refused(place) == "update-absent"
    place.desk.offer()
    files = place.told("update-offers")["files"]
    assert [each["file"] for each in files] == ["new.raucb"]
