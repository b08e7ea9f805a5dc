"""Updates across real restarts: what stays, what goes back, what is refused; a plug pulled while one is written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.appliance.test_appliance_starts import PICTURES, READY, configuration_for
from tests.appliance.updated_box import TRIES, Updated, bundle, made, new_keys, small
from tests.kernel.machine import MachineFailed, one_at_a_time
from tests.loopback.peers.dcmtk import StoreScp

GOOD, SICK = "0.3.0", "0.4.0"
EXAM = """
exam = panel.open_typed()
kept = panel.still(exam)["sop_instance_uid"]
print(json.dumps({"exam": exam, "kept": kept}))
"""
FINISH = """
panel.finish("{exam}")
print(json.dumps(None))
"""
REFUSED = {  # by the file on the stick
    "foreign.raucb": "update-foreign",
    "expired.raucb": "update-foreign",
    "old.raucb": "update-too-old",
    "other.raucb": "update-other-machine",
    "cut.raucb": "update-damaged",
    "tampered.raucb": "update-damaged",
}
STARTS_THAT_FAIL = 3  # until the other slot is started
BROKEN = "[Service]\nExecStart=\nExecStart=/bin/false\n"


class Story(NamedTuple):
    """What was seen of one box, in this order."""

    exam: dict[str, Any]
    during_an_exam: str
    refused: dict[str, str]
    order_after_refusals: str
    untouched: bool
    second_root: str
    rescue_on_trial: dict[str, Any]
    good: dict[str, Any]
    kept_in_good: list[str]
    damaged: dict[str, Any]
    sick: dict[str, Any]
    kept_at_last: list[str]
    after_the_cut: dict[str, Any]
    sent: dict[str, Any]
    left_of_it: str
    said_of_the_next: str


def state(box: Updated) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(box.shell("cat /run/scopegate-machine/update.json"))
    print(said)
    return said


def until(box: Updated, phase: str) -> dict[str, Any]:
    """Wait for what becomes of an update; the box decides within minutes."""
    for _ in range(120):
        said = state(box)
        if said["last"]["phase"] == phase and not said["trying"]:
            return said
        try:
            box.shell("sleep 10")
        except MachineFailed:
            box.stop()
            box.switch_on()
            told = box.shell("journalctl -b -1 -u scopegate-trial -u scopegate-health -o cat --no-pager | tail -20")
            raise MachineFailed(f"the update was taken back: {state(box)['last']}; {told}") from None
    raise MachineFailed(
        f"the update is not {phase}: {box.shell('journalctl -b -u scopegate-trial -u scopegate-health')}"
    )


def order(box: Updated) -> str:
    return box.shell("efibootmgr | grep -v '^Timeout'")


def files(folder: Path) -> list[Path]:
    """Make every update of the stick."""
    sick = folder / "sick"
    unit = sick / "etc" / "systemd" / "system" / "scopegate-panel.service.d" / "sick.conf"
    unit.parent.mkdir(parents=True)
    unit.write_text(BROKEN)
    keys, strangers = made("keys"), new_keys(folder / "strangers")
    good, ill = folder / "good.raucb", folder / "sick.raucb"
    good.symlink_to(bundle(GOOD))
    ill.symlink_to(bundle(SICK, over=sick))
    whole = small(folder / "second.raucb", keys, signer=2)
    cut, tampered = folder / "cut.raucb", folder / "tampered.raucb"
    raw = whole.read_bytes()
    cut.write_bytes(raw[: len(raw) // 2])
    changed = raw.index(b"hsqs") + len(raw) // 2  # behind the beginning of the squashfs
    tampered.write_bytes(raw[:changed] + bytes([raw[changed] ^ 1]) + raw[changed + 1 :])
    refused = [
        small(folder / "foreign.raucb", strangers),
        small(folder / "expired.raucb", keys, signed_at="2060-01-01 00:00:00"),
        small(folder / "old.raucb", keys, version="0.1.0"),
        small(folder / "other.raucb", keys, compatible="scopegate-arm64"),
    ]
    return [good, ill, whole, cut, tampered, *refused]


@pytest.fixture(scope="module")
def story(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("box")
    on_stick = files(tmp_path_factory.mktemp("updates"))
    with one_at_a_time(), StoreScp(tmp_path_factory.mktemp("archive")) as archive:
        box = Updated(folder, image=image, files=on_stick)
        try:
            yield told(box, archive)
        finally:
            print(box.last_words())
            box.stop()


def told(box: Updated, archive: StoreScp) -> Story:
    box.switch_on()
    box.configure(configuration_for(archive))
    exam = box.python(READY + EXAM)
    during = box.install_update("good.raucb")
    box.python(READY + FINISH.format(exam=exam["exam"]))
    other = "sha256sum /dev/disk/by-partlabel/esp-b"
    before = box.shell(other)
    refused = {file: box.install_update(file) for file in REFUSED}
    after_refusals, untouched = order(box), box.shell(other) == before
    second = box.shell("rauc info /media/usb/second.raucb 2>&1 || true")
    box.shell("systemctl stop chrony; date --set 1990-01-01")  # a battery that is empty
    box.installed("good.raucb")
    box.restart()
    rescue = box.ask_for_a_rescue()
    good = until(box, "good")
    kept = box.python(READY + PICTURES.format(exam=exam["exam"]))
    box.pull_the_plug()
    damaged = after_damage(box)
    box.installed("sick.raucb")
    box.restart()
    box.until_it_is_back()
    sick = state(box)
    at_last = box.python(READY + PICTURES.format(exam=exam["exam"]))
    cut_while_installing(box)
    after_cut = state(box)
    sent = over_the_network(box)
    left = box.shell("ls -A /data/upload; ls /data/update | grep uploaded || true")
    said_of_the_next = box.ask_twice("look", "fly")
    results = (
        exam,
        during,
        refused,
        after_refusals,
        untouched,
        second,
        rescue,
        good,
        kept,
        damaged,
        sick,
        at_last,
        after_cut,
    )
    return Story(*results, sent, left, said_of_the_next)


def after_damage(box: Updated) -> dict[str, Any]:
    """Damage the root that is started, and start until the box comes up."""
    box.change_a_byte_of("root-b")
    for _ in range(STARTS_THAT_FAIL + 1):  # the last one ends before it reads the root, to start the other slot
        with pytest.raises(MachineFailed):
            box.start(stays=False)
        box.stop()
    box.switch_on()
    return state(box)


def over_the_network(box: Updated) -> dict[str, Any]:
    """Have an update installed that came over the network; an emulated box is late to say that no exam is open."""
    for _ in range(TRIES):
        box.send("second.raucb")
        said = state(box)
        if not said["refused"] or said["refused"]["code"] != "update-exam-open":
            break
        box.shell("sleep 5")
    return said


def cut_while_installing(box: Updated) -> None:
    """Pull the plug while the other slot is written, and start."""
    box.shell("systemd-run --unit=installs /opt/scopegate/bin/scopegate update install /media/usb/good.raucb")
    written = "journalctl -b -u rauc -o cat | grep -q 'Updating /dev'"
    box.shell(
        f"until {written}; do systemctl is-active -q installs || exit 1; sleep 1; done; sleep 2", silence_s=600
    )
    box.pull_the_plug()
    box.switch_on()


def test_nothing_is_installed_during_an_exam(story: Story) -> None:
    assert "update-exam-open" in story.during_an_exam


@pytest.mark.parametrize("file", REFUSED)
def test_an_update_that_is_none_for_this_box_is_refused(story: Story, file: str) -> None:
    assert REFUSED[file] in story.refused[file]


def test_what_is_refused_changes_nothing(story: Story) -> None:
    assert story.untouched
    assert "BootNext" not in story.order_after_refusals


def test_the_second_root_signs_as_the_first(story: Story) -> None:
    assert "Verified inline signature by 'O = Scopegate, CN = TEST updates 2'" in story.second_root


def test_nothing_is_rescued_while_a_version_proves_itself(story: Story) -> None:
    assert story.rescue_on_trial["refused"]["code"] == "version-unproven"


def test_an_update_runs_from_the_other_slot_once_it_proved_itself_whatever_the_clock_says(story: Story) -> None:
    assert (story.good["version"], story.good["slot"]) == (GOOD, "b")
    assert story.good["last"]["phase"] == "good"


def test_pictures_are_there_after_an_update_and_after_it_was_taken_back(story: Story) -> None:
    assert story.kept_in_good == story.kept_at_last == [story.exam["kept"]]


def test_a_good_version_that_comes_up_no_more_leaves_its_place_to_the_one_before(story: Story) -> None:
    assert story.damaged["slot"] == "a"
    assert (story.damaged["last"]["phase"], story.damaged["last"]["reason"]) == ("went-back", "no-start")


def test_a_version_that_does_not_prove_itself_goes_back_and_says_why(story: Story) -> None:
    assert story.sick["slot"] == "a"
    last = story.sick["last"]
    assert (last["phase"], last["version"], last["reason"]) == ("went-back", SICK, "units")


def test_a_box_whose_plug_was_pulled_while_an_update_was_written_runs_what_it_ran(story: Story) -> None:
    assert story.after_the_cut["slot"] == "a"
    last = story.after_the_cut["last"]
    assert (last["phase"], last["version"], last["reason"]) == ("failed", GOOD, "cut-off")


def test_the_other_slot_holds_what_was_written_there_or_ran_from_there(story: Story) -> None:
    assert story.good["other"]["use"] == "before"
    assert story.sick["other"] == {"version": SICK, "use": "went-back"}
    assert story.after_the_cut["other"] == {"version": "", "use": "unknown"}


def test_an_update_that_came_over_the_network_is_installed_and_gone(story: Story) -> None:
    assert (story.sent["last"]["phase"], story.sent["last"]["version"]) == ("installed", "9.0.0")
    assert story.sent["other"] == {"version": "9.0.0", "use": "next"}
    assert story.left_of_it.strip() == ""


def test_what_is_asked_for_while_root_obeys_is_obeyed_next(story: Story) -> None:
    assert "update_request_refused" in story.said_of_the_next  # nobody flies
