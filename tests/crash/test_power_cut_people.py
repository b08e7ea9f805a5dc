"""The file of people, cut after every file operation: who was made an administrator stays one, with the newest PIN.

A box that forgot its people would take whoever comes next as its first administrator.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.panel.people.roles import Role
from gateway.panel.people.store import People
from gateway.spool.files import Files
from tests.crash.power_cut import FilesNeverFlushed, NamesNeverFlushed, Recording, Tally, ack, for_each_disk
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import QUICK

Pins = dict[str, str]  # by name


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        (folder / "data").mkdir()
        yield folder / "data"


def people_in(folder: Path, files: Files) -> People:
    return People(path=folder / "people.json", files=files, clock=FakeClock(), hashes=QUICK)


def lived(root: Path, kind: type[Recording]) -> Tally:
    """Make, change and remove people; look at every disk that a power cut could leave meanwhile."""
    recording, pins = kind(root), Pins()
    people = people_in(root, recording)

    def promised(**now: str) -> None:
        pins.update(now)
        ack(recording, dict(pins))

    huber, _ = people.first("Huber", "402918")
    promised(Huber="402918")
    rossi = people.add("Rossi", Role.REVIEWER, "731840")
    promised(Rossi="731840")
    people.set_pin(huber.id, "918273")
    promised(Huber="918273")
    people.remove(rossi.id)
    promised(Rossi="")
    people.renew_code()
    tally = Tally()
    for cut, folder in for_each_disk(recording, tally, begin=0):
        found = people_in(folder, Files())
        wanted: Pins = cut.facts[-1] if cut.facts else {}
        later = [fact for fact in facts_of(recording) if fact not in cut.facts][:1]
        if not found.is_readable:
            tally.problems.append("unreadable")
        elif not any(fits(found, pins) for pins in (wanted, *later)):
            tally.problems.append("an older state")
    return tally


def facts_of(recording: Recording) -> list[Pins]:
    return [operation.fact for operation in recording.log if operation.kind == "ack"]


def fits(people: People, pins: Pins) -> bool:
    there = {name for name, pin in pins.items() if pin}
    return {person.name for person in people.all()} == there and all(people.check(n, pins[n]) for n in there)


def test_a_power_cut_at_any_moment_leaves_people_as_they_were_or_as_they_became(root: Path) -> None:
    tally = lived(root, Recording)
    print(f"\npower cut while people change: {tally.cuts} cuts, {len(tally.disks)} different disks")
    assert tally.problems == []
    assert len(tally.disks) >= 6


@pytest.mark.parametrize("careless", [FilesNeverFlushed, NamesNeverFlushed])
def test_without_flushing_people_are_lost_so_the_test_can_see_it(root: Path, careless: type[Recording]) -> None:
    tally = lived(root, careless)
    print(f"\n{careless.__name__}: {len(tally.problems)} of {len(tally.disks)} disks")
    assert tally.problems
