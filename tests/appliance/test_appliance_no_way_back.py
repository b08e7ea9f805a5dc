"""Two faults at once: a version that does not prove itself, and one before that comes up no more."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.appliance.test_appliance_update import GOOD, SICK, order, state, until
from tests.appliance.updated_box import Updated, bundle
from tests.kernel.machine import MachineFailed, one_at_a_time

STARTS_THAT_FAIL = 6  # until the other slot is started, whatever RAUC calls it
UNHEALTHY = "[Service]\nExecStart=\nExecStart=/bin/false\n"


def sick(folder: Path) -> Path:
    """Return an update whose programs work, and which is never found healthy."""
    unit = folder / "over" / "etc" / "systemd" / "system" / "scopegate-health.service.d" / "sick.conf"
    unit.parent.mkdir(parents=True)
    unit.write_text(UNHEALTHY)
    file = folder / "sick.raucb"
    file.symlink_to(bundle(SICK, over=folder / "over"))
    return file


def until_it_comes_up(box: Updated) -> None:
    """Start a box whose own slot is damaged until it starts from the other one."""
    for _ in range(STARTS_THAT_FAIL + 1):  # the last one ends before it reads the root, to start the other slot
        with pytest.raises(MachineFailed):
            box.start(stays=False)
        box.stop()
    box.switch_on()


def test_a_box_that_cannot_go_back_stays_says_so_and_takes_another_update(image: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.raucb"
    good.symlink_to(bundle(GOOD))
    with one_at_a_time():
        box = Updated(tmp_path / "box", image=image, files=[good, sick(tmp_path)])
        try:
            box.switch_on()
            box.installed("sick.raucb")
            box.pull_the_plug()
            box.change_a_byte_of("root-a")
            box.switch_on()
            box.until_it_restarts(600)
            until_it_comes_up(box)
            again = state(box)
            assert (again["slot"], again["last"]["stays"]) == ("b", False)
            box.until_it_restarts(600)  # it goes back once more: the plug may have been pulled six times by hand
            until_it_comes_up(box)
            kept = until(box, "went-back")
            assert (kept["slot"], kept["version"], kept["proving"]) == ("b", SICK, False)
            assert kept["last"] | {"at": ""} == {
                "phase": "went-back",
                "version": SICK,
                "slot": "b",
                "reason": "health",
                "at": "",
                "stays": True,
            }
            assert kept["other"]["use"] == "no-way-back"
            print(order(box))
            assert box.ask_for_a_rescue()["refused"]["code"] != "version-unproven"
            box.installed("good.raucb")
            box.restart()
            well = until(box, "good")
            assert (well["slot"], well["version"], well["last"]["stays"]) == ("a", GOOD, False)
        finally:
            print(box.last_words())
            box.stop()


# The firmware is asked for this slot once, which is how a new version is tried; nothing is in its order.
TRIED_NEXT = """
slot=$(efibootmgr | sed -n 's/^Boot\\([0-9A-F]*\\)[* ] scopegate-a[[:space:]].*/\\1/p' | head -n 1)
efibootmgr --quiet --delete-bootorder && efibootmgr --quiet --bootnext "$slot"
"""
GIVEN_UP = "printf '\\143' | dd of=/dev/disk/by-partlabel/key bs=1 seek=1044480 conv=notrunc,fsync status=none"
NO_DATA = "dd if=/dev/zero of=/dev/disk/by-partlabel/data bs=1M count=1 conv=notrunc,fsync status=none"


def test_beside_a_dead_version_a_box_whose_data_are_closed_is_not_tried_and_can_be_repaired(
    image: Path, tmp_path: Path
) -> None:
    with one_at_a_time():
        box = Updated(tmp_path / "box", image=image, files=[])
        try:
            box.switch_on()
            box.shell(f"{NO_DATA}\n{TRIED_NEXT}")
            box.restart()
            first = closed(box)
            box.shell(f"{GIVEN_UP}\n{TRIED_NEXT}")
            box.restart()
            alone = closed(box)
            refused = box.ask_for_a_rescue()["refused"]["code"]
        finally:
            print(box.last_words())
            box.stop()
    assert first == {"code": "data-damaged", "trying": True, "judge": "active"}
    assert alone == {"code": "data-damaged", "trying": False, "judge": "inactive"}
    assert refused != "version-unproven"


def closed(box: Updated) -> dict[str, Any]:
    """Return why the data are closed, and whether the version has to prove itself."""
    said = {name: json.loads(box.shell(f"cat /run/scopegate-machine/{name}.json")) for name in ("data", "update")}
    judge = box.shell("systemctl is-active scopegate-trial.service || true").strip()
    return {"code": said["data"]["code"], "trying": said["update"]["trying"], "judge": judge}
