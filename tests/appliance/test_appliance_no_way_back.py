"""Two faults at once: a version that does not prove itself, and one before that comes up no more."""

from pathlib import Path

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
