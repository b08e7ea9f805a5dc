"""A medium that is pulled out after every single file operation: what it lists is there, whole, old or new.

What a pull may leave is modelled in power_cut.py: what was not flushed is lost, kept, torn or mixed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from gateway.clock import FakeClock
from gateway.errors import MediaForeign
from gateway.forward.media.forms import Item
from gateway.forward.media.writer import Writing
from gateway.spool.files import Files
from gateway.spool.opening import open_spool
from tests.crash import power_cut
from tests.crash.power_cut import FilesNeverFlushed, NamesNeverFlushed, Recording, ack, for_each_cut
from tests.forward.bench import sealed_exam
from tests.forward.media_bench import items, sha256
from tests.memory import folder_in_memory


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_in_memory() as made:
        yield made


class OnStick(Recording):
    """Records under their usual names the files of a folder that is held open."""

    def _mkdir(self, path: Path) -> None:
        super()._mkdir(usual(path))

    def _create(self, path: Path, *, keep: bool = False) -> int:
        return super()._create(usual(path), keep=keep)

    def _rename(self, old: Path, new: Path) -> None:
        super()._rename(usual(old), usual(new))

    def _unlink(self, path: Path) -> None:
        super()._unlink(usual(path))

    def _sync_folder(self, path: Path) -> None:
        super()._sync_folder(usual(path))


class UnflushedStick(OnStick, FilesNeverFlushed):
    """As FilesNeverFlushed."""


class UnflushedNames(OnStick, NamesNeverFlushed):
    """As NamesNeverFlushed."""


def usual(path: Path) -> Path:
    return path.resolve()


@dataclass(kw_only=True, slots=True)
class Story:
    """What was on the medium before, what was added, and the recording of the adding."""

    old: list[Item]
    new: list[Item]
    recording: Recording
    begin: int


@dataclass(kw_only=True, slots=True)
class Tally(power_cut.Tally):
    old: int = 0
    new: int = 0


def write(stick: Path, wanted: list[Item], files: Files) -> None:
    with Writing(stick, wanted, files=files, clock=FakeClock(), jpeg=True) as writing:
        for item in wanted:
            writing.put(item)
        writing.finish()


def told(folder: Path, kind: type[Recording], *, empty: bool) -> Story:
    """Record how an exam of two stills and a clip is added to a medium that is empty or has an exam."""
    spool = open_spool(folder / "data", clock=FakeClock(), destinations=("pacs",))
    stick = folder / "stick"
    stick.mkdir()
    old = [] if empty else items(spool, sealed_exam(spool, stills=2))
    if old:
        write(stick, old, Files())
    recording = kind(stick)
    begin = len(recording.log)
    new = items(spool, sealed_exam(spool, stills=2, clips=1))
    write(stick, new, recording)
    ack(recording, "safe to remove")
    spool.close()
    return Story(old=old, new=new, recording=recording, begin=begin)


def seals(wanted: list[Item]) -> dict[str, str]:
    return {item.sealed.sop_instance_uid: item.sealed.sha256 for item in wanted}


def on(stick: Path) -> dict[str, str]:
    """What the DICOMDIR names, with the digests of the files; empty without one. Fails when one is not there."""
    path = stick / "DICOMDIR"
    if not path.exists():
        return {}
    records = [r for r in pydicom.dcmread(path).DirectoryRecordSequence if r.DirectoryRecordType == "IMAGE"]
    return {r.ReferencedSOPInstanceUIDInFile: sha256(stick.joinpath(*r.ReferencedFileID)) for r in records}


def survey(story: Story) -> Tally:
    tally = Tally()
    for cut in for_each_cut(story.recording):
        if cut.position < story.begin or cut.digest in tally.disks:
            continue
        tally.disks.add(cut.digest)
        tally.cuts += 1
        with folder_in_memory() as stick:
            cut.materialise(stick)
            try:
                check(stick, story, promised=bool(cut.facts), tally=tally)
            except Exception as error:  # noqa: BLE001 - told by the test
                tally.problems.append(f"cut {cut.position} {cut.variant}: {type(error).__name__} {error}")
    return tally


def check(stick: Path, story: Story, *, promised: bool, tally: Tally) -> None:
    """See what a viewer sees, then write once more what was to be written."""
    found = on(stick)
    before, after = seals(story.old), seals(story.old + story.new)
    assert found in (before, after), "neither the old medium nor the new one"
    assert not promised or found == after, "called safe to remove, and it is not there"
    tally.old += found == before
    tally.new += found == after
    write(stick, story.new, Files())
    assert on(stick) == after, "it cannot be written once more"


@pytest.mark.parametrize("empty", [True, False], ids=["empty medium", "medium with an exam"])
def test_a_medium_pulled_at_any_step_lists_what_it_listed_before_or_everything(
    folder: Path,
    empty: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    story = told(folder, OnStick, empty=empty)
    tally = survey(story)
    print(
        f"\npulled: {tally.cuts} different media after {len(story.recording.log) - story.begin} operations, "
        f"{tally.old} as before, {tally.new} complete, broken = {len(tally.problems)}"
    )
    assert tally.problems == []
    assert tally.old > 20
    assert tally.new


@pytest.mark.parametrize("kind", [UnflushedStick, UnflushedNames])
def test_the_same_writer_without_flushing_leaves_broken_media_so_the_test_can_see_one(
    folder: Path, kind: type[Recording]
) -> None:
    story = told(folder, kind, empty=False)
    tally = survey(story)
    print(f"\npulled, {kind.__name__}: {tally.cuts} different media, broken = {len(tally.problems)}")
    assert tally.problems


def test_a_torn_directory_of_ours_is_not_taken_for_an_empty_medium(folder: Path) -> None:
    story = told(folder, OnStick, empty=False)
    stick = story.recording.root
    whole = (stick / "DICOMDIR").read_bytes()
    for length in range(0, len(whole) - 1, 97):
        (stick / "DICOMDIR").write_bytes(whole[:length])
        with pytest.raises(MediaForeign):
            write(stick, story.new, Files())
