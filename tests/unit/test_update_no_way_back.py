"""Two faults at once: a version that did not prove itself, and one before that does not start any more."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.machine.update import memory
from gateway.machine.update.box import Box, after_start, stays_from_now, use_of_other
from gateway.machine.update.memory import Memory, Phase
from gateway.machine.update.ready import is_tried
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
    twice = started(changed(once, {"phase": Phase.WENT_BACK, "reason": "picture"}))
    assert (twice.phase, twice.reason, twice.stays) == (Phase.WENT_BACK, "picture", True)
    assert started(twice) == twice


@pytest.mark.parametrize("asked", [True, False])
def test_a_version_that_nobody_judges_is_tried_three_times(asked: bool) -> None:  # noqa: FBT001
    """Its judge crashes, which restarts the box, and the version before does not start."""

    def again(kept: Memory) -> Memory:
        return changed(kept, after_start(kept, BOX_B, trial=asked))

    tries = [INSTALLED]
    for _ in range(4):
        tries.append(again(tries[-1]))
    assert [each.phase for each in tries[1:]] == [*[Phase.TRYING] * 2, *[Phase.WENT_BACK] * 2]
    assert (tries[-1].reason, tries[-1].stays, tries[-2].stays) == ("no-end", True, True)


@pytest.mark.parametrize(("first", "reason"), [(Phase.TRYING, "no-end"), (Phase.WENT_BACK, "picture")])
def test_a_raspberry_pi_leaves_a_version_that_it_came_to_again_and_stays_where_it_cannot(
    first: Phase, reason: str
) -> None:
    """It starts what was chosen last: plugs that were pulled say nothing of the other version."""
    pi = replace(BOX_B, asks_once=False)
    ended = {"phase": first, "reason": reason if first is Phase.WENT_BACK else ""}
    once = started(changed(INSTALLED, ended), pi)  # it is tried from its beginning
    assert (once.phase, once.reason, once.is_left, once.stays) == (Phase.TRYING, "", False, False)
    twice = started(changed(once, ended), pi)
    assert (twice.phase, twice.reason, twice.is_left, twice.stays) == (Phase.TRYING, reason, True, False)
    assert not stays_from_now(once, pi)
    other = started(changed(twice, {"phase": Phase.WENT_BACK}), replace(BOX_A, asks_once=False))
    assert (other.phase, other.came_again) == (Phase.WENT_BACK, "")  # it was left
    assert stays_from_now(twice, pi)
    last = started(changed(twice, {"phase": first}), pi)  # RAUC does not answer, or the other one is bad too
    assert (last.phase, last.reason, last.stays) == (Phase.WENT_BACK, reason, True)
    assert started(last, pi) == last


def test_what_has_to_be_left_is_not_tried(machine: Machine) -> None:
    kept = memory.recalled(machine.places.memory)
    memory.remember(replace(kept, came_again="left", reason="no-end"), machine.places.memory)
    went_back(machine, "no-end")
    assert machine.seconds == 0


def test_what_proved_itself_before_a_plug_was_pulled_is_called_good_without_a_second_trial(
    machine: Machine,
) -> None:
    kept = memory.recalled(machine.places.memory)
    proven = replace(kept, proven="0.4.0", came_again="1")
    assert started(proven, replace(BOX_B, asks_once=False)).phase is Phase.TRYING  # RAUC may not know it yet
    memory.remember(proven, machine.places.memory)
    machine.healthy = False
    assert machine.decide().phase is Phase.GOOD
    assert (machine.rauc.told, machine.seconds) == (["good"], 0)


def test_the_start_of_one_that_stays_is_no_trial(machine: Machine) -> None:
    box = replace(BOX_B, places=machine.places)
    for came_again, trial in [("", True), ("1", False)]:
        machine.places.trial.touch()
        kept = replace(INSTALLED, phase=Phase.TRYING, came_again=came_again)
        assert is_tried(box, kept, run=machine.run) is trial
        assert machine.places.trial.exists() is trial
    assert machine.ran == [("systemctl", "--no-block", "stop", "scopegate-trial.service")]
    assert not is_tried(box, INSTALLED)


def test_closed_data_end_the_trial_of_a_version_beside_which_nothing_starts(
    machine: Machine, tmp_path: Path
) -> None:
    box, word = replace(BOX_B, places=machine.places), tmp_path / "alone"
    assert is_tried(box, Memory(), alone=word, run=machine.run)  # it goes back
    word.touch()
    assert is_tried(box, INSTALLED, alone=word, run=machine.run)  # open data remember how often
    assert not is_tried(box, Memory(), alone=word, run=machine.run)


@pytest.mark.parametrize("healthy", [True, False])
def test_a_judge_that_began_before_the_data_were_opened_decides_nothing(machine: Machine, *, healthy: bool) -> None:
    machine.healthy = healthy
    machine.clock.passed = lambda: machine.places.trial.unlink(missing_ok=True)
    before = memory.recalled(machine.places.memory)
    machine.states = lambda seconds: "activating" if seconds < 10 else "active"
    assert machine.decide() == before
    assert (machine.rauc.told, machine.restarted) == ([], False)


def test_once_the_version_before_starts_again_the_way_back_is_open() -> None:
    for phase in (Phase.WENT_BACK, Phase.TRYING):
        assert started(replace(STAYS, phase=phase), BOX_A).came_again == ""
    assert after_start(WENT_BACK, BOX_A, trial=False) == {}


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
