"""Letting pictures go, cut after every file operation: a picture is here, or its mark says who has it.

What a cut may leave is modelled in power_cut.py. Before it everything is safe on the disk and vouched for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.model import Capture, DeliveryState
from gateway.spool import marks
from gateway.spool.files import sha256_of
from gateway.spool.inspection import inspect_exam
from gateway.spool.opening import open_spool
from gateway.spool.purging import Facts, Purging
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.crash import power_cut
from tests.crash.power_cut import (
    FOR_CONTROLS,
    VARIANTS,
    FilesNeverFlushed,
    NamesNeverFlushed,
    Recording,
    Variant,
    for_each_disk,
    keep,
)
from tests.forward.bench import clip, let_go, open_exam, ordered, still, wrap_all
from tests.memory import folder_in_memory


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder / "data"


class MarksLast(Purging):
    """A purge that removes first and says so afterwards."""

    def let_go(self, facts: Facts) -> bool:
        capture = self._spool.captures.get(facts.uid).capture
        for sealed in self._spool.objects.made_of(facts.uid):
            self._spool.files.remove(self._spool.objects.path(sealed))
        self._spool.objects.drop_media(capture)
        return super().let_go(facts)


@dataclass(kw_only=True, slots=True)
class Story:
    captures: list[Capture]
    recording: Recording
    begin: int


def purged(root: Path, kind: type[Purging], files: type[Recording] = Recording) -> Story:
    """Let a sealed still, a sealed clip and a removed clip go; another still stays."""
    spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
    exam = open_exam(spool, ordered())
    captures = [still(spool, exam), clip(spool, exam), clip(spool, exam), still(spool, exam)]
    spool.captures.reject(captures[2].sop_instance_uid, "blurred")
    let_go(spool, exam)
    wrap_all(spool)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'committed', proof = 'commitment'")
    spool.close()
    recording = files(root)
    begin = len(recording.log)
    spool = open_spool(root, clock=FakeClock(), files=recording, destinations=("pacs",))
    keep_index(recording, spool)
    purging = kind(spool)
    for capture, why in zip(captures, ("committed", "committed", "rejected"), strict=False):
        purging.settle([(capture.sop_instance_uid, why, 1)])
        facts = next(f for f in purging.here(after=0)[0] if f.uid == capture.sop_instance_uid)
        assert purging.let_go(facts)
        keep_index(recording, spool)
    spool.close()
    return Story(captures=captures, recording=recording, begin=begin)


def keep_index(recording: Recording, spool: Spool) -> None:
    """Let later cuts find the index as it is now: whole, but older than the files."""
    with spool.database.read() as connection:
        keep(recording, "scopegate.db", connection.serialize())


@dataclass(kw_only=True, slots=True)
class Tally(power_cut.Tally):
    here: int = 0
    gone: int = 0
    neither: int = 0


def survey(story: Story, variants: Sequence[Variant] = VARIANTS) -> Tally:
    tally = Tally()
    for cut, folder in for_each_disk(story.recording, tally, begin=story.begin, variants=variants):
        check(folder, story, tally, f"cut {cut.position} {cut.variant}")
    return tally


def check(folder: Path, story: Story, tally: Tally, where: str) -> None:
    """Start the box on what is left: every picture is here whole, or gone with its mark, and nobody is alarmed."""
    clock = FakeClock()
    clock.reboot()
    spool = open_spool(folder, clock=clock, destinations=("pacs",))
    try:
        recover_captures(spool)
        adopt_seals(spool, ("pacs",))
        Purging(spool).take_up()
        for capture in story.captures:
            look(spool, capture, tally, where)
        tally.problems += [f"{where}: {finding}" for finding in inspect_exam(spool, story.captures[0].exam)]
    finally:
        spool.close()


def look(spool: Spool, capture: Capture, tally: Tally, where: str) -> None:
    uid = capture.sop_instance_uid
    listed = spool.captures.get(uid)
    mark = marks.read(spool.layout.purged(capture.exam, uid))
    sealed = spool.objects.of_capture(uid)
    files = [spool.objects.path(sealed)] if sealed else [spool.layout.media(capture.exam, capture.media)]
    here = files[0].exists()
    if here and sealed and sha256_of(files[0]) != sealed.sha256:
        tally.problems.append(f"{where}: the object of {uid} is damaged")
    if here == bool(mark):
        tally.neither += not here
        tally.problems.append(f"{where}: {uid} is {'here and let go' if here else 'neither here nor let go'}")
        return
    tally.here += here
    tally.gone += not here
    if bool(listed.purged) != bool(mark) or listed.problem_code:
        tally.problems.append(f"{where}: the row of {uid} says {listed.purged!r} {listed.problem_code}")
    waiting = {d.state for d in spool.deliveries.list(uid=uid)} - {DeliveryState.COMMITTED}
    if mark and waiting:
        tally.problems.append(f"{where}: {uid} was let go and is {waiting}")


def test_a_power_cut_while_pictures_are_let_go_leaves_each_here_or_with_its_mark(root: Path) -> None:
    story = purged(root, Purging)
    tally = survey(story)
    print(
        f"\npower cut while purging: {tally.cuts} cuts, {len(tally.disks)} different disks, found {tally.here} "
        f"times here, {tally.gone} times let go with a mark, {tally.neither} times neither"
    )
    assert tally.problems == []
    assert tally.here
    assert tally.gone
    assert len(tally.disks) > 20


def test_a_purge_that_removes_before_it_marks_loses_the_difference_so_the_test_can_see_it(root: Path) -> None:
    tally = survey(purged(root, MarksLast), FOR_CONTROLS)
    print(f"\npower cut while purging, mark last: {tally.neither} times neither here nor let go")
    assert tally.neither > 0


@pytest.mark.parametrize("careless", [FilesNeverFlushed, NamesNeverFlushed])
def test_a_purge_without_flushing_forgets_who_has_what_is_gone_so_the_test_can_see_it(
    root: Path, careless: type[Recording]
) -> None:
    tally = survey(purged(root, Purging, careless), FOR_CONTROLS)
    print(f"\npower cut while purging, {careless.__name__}: {tally.neither} times neither here nor let go")
    assert tally.neither > 0
