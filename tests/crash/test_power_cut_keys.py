"""Marks of key images and their list, cut after every file operation: marks stay, and one list is made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from gateway.clock import FakeClock
from gateway.forward.making.fallback import Fallbacks
from gateway.forward.making.key_objects import KeyObjects
from gateway.model import KEY_OBJECTS, ExamState
from gateway.spool.files import sha256_of
from gateway.spool.opening import open_spool
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.crash.power_cut import (
    VARIANTS,
    FilesNeverFlushed,
    NamesNeverFlushed,
    Recording,
    for_each_cut,
    keep,
)
from tests.forward.bench import STATION, clip, open_exam, ordered, still, wrap_all
from tests.memory import folder_in_memory


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder / "data"


def make_lists(spool: Spool) -> None:
    settled = Fallbacks(spool=spool, station=STATION, destinations=()).settled
    KeyObjects(spool=spool, station=STATION, settled=settled).step()


def keep_index(recording: Recording, spool: Spool) -> None:
    """Let later cuts find the index as it is now: whole, but older than the files."""
    with spool.database.read() as connection:
        keep(recording, "scopegate.db", connection.serialize())


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """What was marked, and the recording of that. `answered`: from which operation on which mark is there."""

    exam: str
    marked: tuple[str, ...]
    recording: Recording
    begin: int
    answered: tuple[tuple[int, str], ...]


def told(root: Path, kind: type[Recording]) -> Story:
    """Mark two of three pictures, let the exam go and make its list."""
    spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
    exam = open_exam(spool, ordered())
    uids = tuple(each.sop_instance_uid for each in (still(spool, exam), still(spool, exam), clip(spool, exam)))
    spool.close()
    recording = kind(root)
    begin = len(recording.log)
    spool = open_spool(root, clock=FakeClock(), files=recording, destinations=("pacs",))
    keep_index(recording, spool)
    answered = []
    for uid in uids[1:]:
        spool.key_images.mark(uid, key=True)
        answered.append((len(recording.log), uid))
    keep_index(recording, spool)
    go_on(spool, exam.id, uids[1:])
    spool.close()
    return Story(exam=exam.id, marked=uids[1:], recording=recording, begin=begin, answered=tuple(answered))


def go_on(spool: Spool, exam: str, marked: Sequence[str]) -> None:
    """Do what is left to do, from marking to the list."""
    if spool.exams.get(exam).state is ExamState.OPEN:
        for uid in marked:
            spool.key_images.mark(uid, key=True)
        spool.exams.finish(exam)
    if spool.exams.get(exam).state is ExamState.FINISHED:
        spool.exams.release(exam)
    wrap_all(spool)
    make_lists(spool)


def check(spool: Spool, story: Story, position: int) -> bool:
    """Start the box on what a cut left and let it go on; say whether its list was decided on."""
    recover_captures(spool)
    adopt_seals(spool, ("pacs",))
    found = {each.capture.sop_instance_uid for each in spool.key_images.of_exam(story.exam)}
    assert found >= {uid for since, uid in story.answered if position >= since}, position
    planned = spool.exams.get(story.exam).key_documents
    go_on(spool, story.exam, story.marked)
    (made,) = [each for each in spool.objects.of_exam(story.exam) if each.sop_class_uid == KEY_OBJECTS]
    assert not planned or made.sop_instance_uid == planned[0].sop_instance_uid, position
    assert sha256_of(spool.objects.path(made)) == made.sha256, position
    content = pydicom.dcmread(spool.objects.path(made)).ContentSequence
    named = [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in content]
    assert named == list(story.marked), position
    assert len(spool.deliveries.list(uid=made.sop_instance_uid)) == 1, position
    return bool(planned)


def survey(story: Story, *, enough: int = 1_000) -> tuple[int, int, list[str]]:
    """Return how many disks were looked at and had a decided list, and what was wrong, at most `enough`."""
    disks: set[bytes] = set()
    decided, problems = 0, []
    for cut in for_each_cut(story.recording, variants=VARIANTS, without=("scopegate.db",)):
        if cut.position < story.begin or cut.digest in disks:
            continue
        if len(problems) == enough:
            break
        disks.add(cut.digest)
        with folder_in_memory() as folder:
            cut.materialise(folder)
            again = open_spool(folder, clock=FakeClock(), destinations=("pacs",))
            try:
                decided += check(again, story, cut.position)
            except Exception as error:  # noqa: BLE001 - told by the test
                problems.append(f"cut {cut.position}: {type(error).__name__} {error}")
            again.close()
    return len(disks), decided, problems


def test_a_power_cut_at_any_moment_keeps_the_marks_and_leaves_one_list_of_them(root: Path) -> None:
    disks, decided, problems = survey(told(root, Recording))
    print(f"\npower cut with key images: {disks} different disks, {decided} with a decided list, one on each")
    assert problems == []
    assert decided > 5
    assert disks > 50


@pytest.mark.parametrize("careless", [FilesNeverFlushed, NamesNeverFlushed])
def test_the_same_without_flushing_loses_marks_or_lists_so_the_test_can_see_it(
    root: Path, careless: type[Recording]
) -> None:
    disks, _, problems = survey(told(root, careless), enough=10)
    print(f"\npower cut with key images, {careless.__name__}: {len(problems)} of {disks} disks")
    assert len(problems) == 10
