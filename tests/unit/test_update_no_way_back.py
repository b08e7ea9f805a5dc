"""Two faults at once: a version that did not prove itself, and one before that does not start any more."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.told import told
from gateway.machine.update import memory
from gateway.machine.update.box import Box, after_start, use_of_other
from gateway.machine.update.memory import Memory, Phase
from tests.unit.test_update_machine import BOX_A, BOX_B, INSTALLED, Place, install, refused
from tests.unit.test_update_trial import Machine, went_back

WENT_BACK = replace(INSTALLED, phase=Phase.WENT_BACK, reason="picture")
STAYS = replace(WENT_BACK, came_again="2")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def changed(kept: Memory, words: Mapping[str, str]) -> Memory:
    return replace(kept, **words)  # type: ignore[arg-type]


def started(kept: Memory, box: Box = BOX_B) -> Memory:
    return changed(kept, after_start(kept, box, trial=False))


def test_a_version_goes_back_twice_and_stays_when_the_box_comes_to_it_again() -> None:
    once = started(WENT_BACK)
    assert (once.phase, once.stays) == (Phase.TRYING, False)
    pulled = started(once)  # the plug, while it was tried
    assert (pulled.phase, pulled.stays) == (Phase.TRYING, False)
    twice = started(changed(pulled, {"phase": Phase.WENT_BACK}))
    assert (twice.phase, twice.stays) == (Phase.TRYING, True)
    assert started(twice).stays
    assert started(changed(twice, {"phase": Phase.WENT_BACK})).stays


def test_once_the_version_before_starts_again_the_way_back_is_open() -> None:
    for phase in (Phase.WENT_BACK, Phase.TRYING):
        assert started(replace(STAYS, phase=phase), BOX_A).came_again == ""
    assert after_start(WENT_BACK, BOX_A, trial=False) == {}


def test_the_version_that_stays_has_its_trial_at_each_start(machine: Machine) -> None:
    kept = memory.recalled(machine.places.memory)
    memory.remember(replace(kept, came_again="2"), machine.places.memory)
    machine.healthy = False
    kept = machine.decide()
    assert (kept.phase, kept.reason, kept.stays) == (Phase.WENT_BACK, "health", True)
    assert (machine.rauc.told, machine.restarted) == ([], False)
    said = told("update", machine.places.said) or {}
    assert (said["trying"], said["proving"], machine.places.trial.exists()) == (False, False, False)
    machine.healthy = True
    good = machine.decide()
    assert (good.phase, good.stays, machine.rauc.told) == (Phase.GOOD, False, ["good"])


def test_one_that_was_started_again_for_the_first_time_goes_back_once_more(machine: Machine) -> None:
    kept = memory.recalled(machine.places.memory)
    memory.remember(replace(kept, came_again="1"), machine.places.memory)
    machine.healthy = False
    went_back(machine, "health")


def test_it_may_be_repaired_and_says_what_it_is(place: Place) -> None:
    kept = replace(STAYS, slot="a", in_b="0.2.0")
    place.box.tell(kept)
    said = place.told("update")
    assert (said["proving"], said["last"]["stays"]) == (False, True)
    assert said["other"] == {"version": "0.2.0", "use": "no-way-back"}
    assert use_of_other(replace(kept, came_again="1"), place.box) == "before"


def test_it_is_what_the_firmware_starts_before_the_other_slot_is_written_over(place: Place) -> None:
    memory.remember(replace(STAYS, slot="a"), place.places.memory)
    place.rauc.fails = True
    install(place)
    assert (place.rauc.marked, refused(place)) == (["good"], "update-damaged")
    assert not place.memory.stays
    place.rauc.fails = False
    install(place)
    assert place.rauc.marked == ["good"]  # it is in the firmware's order by now
    assert (place.memory.phase, place.memory.slot, place.memory.stays) == (Phase.INSTALLED, "b", False)


def test_a_firmware_that_does_not_take_it_leaves_the_other_slot_as_it_is(place: Place) -> None:
    memory.remember(replace(STAYS, slot="a"), place.places.memory)
    place.rauc.refuses = True
    install(place)
    assert (refused(place), place.rauc.installed) == ("update-failed", [])
    assert place.memory == replace(STAYS, slot="a")
