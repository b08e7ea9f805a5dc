"""The configuration, cut after every file operation: the old file or the new one, whole, and one to go back to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config.changes import Put
from gateway.config.editing import Editor
from gateway.config.keeping import Kept
from gateway.spool.files import Files
from tests.crash.power_cut import FilesNeverFlushed, NamesNeverFlushed, Recording, Tally, ack, for_each_disk
from tests.memory import folder_in_memory

NAME = "scopegate.toml"
CHANGES = 12  # more than are kept


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        (folder / "etc").mkdir()
        yield folder / "etc"


def written(number: int) -> str:
    return f'# {"a long comment " * 50}\n[station]\ninstitution = "Clinic {number}"\n'


def lived(root: Path, kind: type[Recording]) -> Tally:
    """Change the configuration again and again; look at every disk that a power cut could leave meanwhile."""
    recording = kind(root)
    recording.write(root / NAME, [written(0).encode()])
    ack(recording, 0)
    editor = Editor(root / NAME, disk=recording, environment={})
    for number in range(1, CHANGES):
        revision = editor.revision()
        change = Put(place=("station", "institution"), value=f"Clinic {number}")
        editor.write(editor.try_changes([change], revision), revision)
        ack(recording, number)
    tally = Tally()
    for cut, folder in for_each_disk(recording, tally, begin=0):
        if not cut.facts:
            continue  # no file was promised yet
        number = cut.facts[-1]
        kept = Kept(folder / NAME, Files())
        now, before = kept.read().raw.decode(), kept.before()
        if now not in {written(number), written(number + 1)}:
            tally.problems.append(f"after {number}: {now[-30:]!r}")
        elif number and (before is None or not before.raw.startswith(b"# a long comment")):
            tally.problems.append(f"after {number}: nothing to go back to")
    return tally


def test_a_power_cut_at_any_moment_leaves_the_old_configuration_or_the_new_one(root: Path) -> None:
    tally = lived(root, Recording)
    print(f"\npower cut while settings change: {tally.cuts} cuts, {len(tally.disks)} different disks")
    assert tally.problems == []
    assert len(tally.disks) >= CHANGES


@pytest.mark.parametrize("careless", [FilesNeverFlushed, NamesNeverFlushed])
def test_without_flushing_settings_are_lost_so_the_test_can_see_it(root: Path, careless: type[Recording]) -> None:
    tally = lived(root, careless)
    print(f"\n{careless.__name__}: {len(tally.problems)} of {len(tally.disks)} disks")
    assert tally.problems
