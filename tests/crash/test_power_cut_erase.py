"""Erasing an exam, cut after every file operation: it is as it was, or nothing of it is left.

What a cut may leave is modelled in power_cut.py. Before it everything is safe on the disk.
"""

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.model import DeliveryState, Exam
from gateway.spool.erasure import erasable, erasing
from gateway.spool.inspection import inspect_exam
from gateway.spool.opening import open_spool
from gateway.spool.paths import ERASED
from gateway.spool.purging import Purging
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.seals import adopt_seals
from gateway.spool.spool import Spool
from tests.crash import power_cut
from tests.crash.power_cut import VARIANTS, Change, Cut, Operation, Recording, ack, for_each_cut, keep
from tests.forward.bench import CANARY_WORDS, clip, let_go, open_exam, ordered, still, wrap_all
from tests.memory import folder_in_memory

Erase = Callable[[Spool, Exam], None]


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder / "data"


class WithIndex(Recording):
    """Lets later cuts find the index as it was after any operation: what SQLite commits is flushed."""

    spool: Spool | None = None

    def note(self, operation: Operation) -> None:
        super().note(operation)
        if self.spool and operation.kind in {"change", "sync-folder"}:
            with self.spool.database.read() as connection:
                keep(self, "scopegate.db", connection.serialize())


class MarkNotFlushed(WithIndex):
    """A disk that fails once: when the folder's new name is flushed."""

    fails = False

    def _rename(self, old: Path, new: Path) -> None:
        super()._rename(old, new)
        self.fails = new.name.endswith(ERASED)

    def _sync_folder(self, path: Path) -> None:
        if self.fails:
            self.fails = False
            raise OSError(errno.EIO, "the disk fails")
        super()._sync_folder(path)


@dataclass(kw_only=True, slots=True)
class Story:
    exam: Exam
    other: Exam
    queued: int
    recording: Recording
    begin: int


def erased(root: Path, erase: Erase, disk: type[WithIndex] = WithIndex) -> Story:
    """Erase an exam with sealed, removed and let-go pictures, some sent and some not; another patient's stays."""
    spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
    exam = open_exam(spool)
    captures = [still(spool, exam), clip(spool, exam), still(spool, exam), still(spool, exam)]
    spool.captures.reject(captures[3].sop_instance_uid, "blurred")
    let_go(spool, exam)
    wrap_all(spool)
    with spool.database.write() as connection:
        connection.execute("UPDATE delivery SET state = 'committed', proof = 'commitment' WHERE id = 1")
    purging = Purging(spool)
    purging.settle([(captures[0].sop_instance_uid, "committed", 1)])
    assert purging.let_go(next(f for f in purging.here(after=0)[0] if f.uid == captures[0].sop_instance_uid))
    other = open_exam(spool, ordered())
    still(spool, other)
    let_go(spool, other)
    wrap_all(spool)
    queued = len(spool.deliveries.list(exam=exam.id, states_wanted=(DeliveryState.QUEUED,)))
    spool.close()
    recording = disk(root)
    begin = len(recording.log)
    spool = open_spool(root, clock=FakeClock(), files=recording, destinations=("pacs",))
    recording.spool = spool
    recording.note(Operation(kind="change", change=Change()))  # the index before anything
    erase(spool, exam)
    ack(recording, "erased")
    spool.close()
    return Story(exam=exam, other=other, queued=queued, recording=recording, begin=begin)


def as_the_product_does(spool: Spool, exam: Exam) -> None:
    assert erasing.erase(spool, erasable.loss(spool, exam.id, ["pacs"]), by="command-line", servers=())


def files_first(spool: Spool, exam: Exam) -> None:
    """Erase as somebody would who knows folders, but no power cuts."""
    folder = spool.layout.exam(exam.id)
    spool.files.remove(*folder.iterdir())
    spool.files.remove_folder(folder)
    with spool.database.erasing(), spool.database.write() as connection:
        for table, column in (("delivery", "exam"), ("object", "exam"), ("capture", "exam"), ("exam", "id")):
            connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (exam.id,))


@dataclass(kw_only=True, slots=True)
class Tally(power_cut.Tally):
    as_it_was: int = 0
    gone: int = 0
    halves: int = 0


def survey(story: Story) -> Tally:
    tally = Tally()
    for cut in for_each_cut(story.recording, variants=VARIANTS, without=("scopegate.db",)):
        if cut.position < story.begin:
            continue
        tally.cuts += 1
        for index in {cut.tree.get("scopegate.db"), last_index(story, cut)}:
            tree = {**cut.tree} if index is None else {**cut.tree, "scopegate.db": index}
            found = Cut(position=cut.position, variant=cut.variant, tree=tree, facts=cut.facts)
            if found.digest not in tally.disks:
                tally.disks.add(found.digest)
                with folder_in_memory() as folder:
                    found.materialise(folder)
                    check(folder, story, tally, found)
    return tally


def last_index(story: Story, cut: Cut) -> bytes | None:
    """Return the index as it stands on a disk that keeps what was flushed."""
    before = story.recording.log[: cut.position]
    return next((each.data for each in reversed(before) if each.kind == "keep"), None)


def check(folder: Path, story: Story, tally: Tally, cut: Cut) -> None:
    """Start the box on what is left."""
    where = f"cut {cut.position} {cut.variant} {'with' if 'scopegate.db' in cut.tree else 'without'} index"
    clock = FakeClock()
    clock.reboot()
    spool = open_spool(folder, clock=clock, destinations=("pacs",))
    try:
        recover_captures(spool)
        adopt_seals(spool, ("pacs",))
        Purging(spool).take_up()
        left = traces(spool, folder, story)
        audited = [line["what"] for line in spool.audit.about(story.exam.id)].count("exam-erased")
        if not left:
            tally.gone += 1
            if not audited:
                tally.problems.append(f"{where}: gone, and the audit does not know")
        elif "erased" not in cut.facts and is_whole(spool, story):
            tally.as_it_was += 1
            if audited:
                tally.problems.append(f"{where}: the audit says that it is gone")
        else:
            tally.halves += 1
            tally.problems.append(f"{where}: {left}")
        tally.problems += [f"{where}: {found}" for found in inspect_exam(spool, story.other.id)]
        if [len(spool.captures.of_exam(story.other.id)), len(spool.objects.of_exam(story.other.id))] != [1, 1]:
            tally.problems.append(f"{where}: something of another patient went")
    finally:
        spool.close()


def traces(spool: Spool, folder: Path, story: Story) -> list[str]:
    """Return where anything of the exam or its patient is left, but for the audit's line."""
    found = []
    with spool.database.read() as connection:
        for table, column in (("exam", "id"), ("capture", "exam"), ("object", "exam"), ("delivery", "exam")):
            query = f"SELECT count(*) FROM {table} WHERE {column} = ?"
            found += [table] * connection.execute(query, (story.exam.id,)).fetchone()[0]
    found += [path.name for path in spool.layout.exams.iterdir() if path.name != story.other.id]
    files = [path for path in folder.rglob("*") if path.is_file()]
    words = [word.encode() for word in CANARY_WORDS]
    return found + [path.name for path in files if any(word in path.read_bytes() for word in words)]


def is_whole(spool: Spool, story: Story) -> bool:
    """Say whether an exam is listed with all of its pictures, and what waited waits."""
    exam = story.exam.id
    if list(spool.layout.exams.glob(f"*{ERASED}")) or list(inspect_exam(spool, exam)):
        return False
    listed = spool.captures.of_exam(exam)
    states = {d.state for d in spool.deliveries.list(exam=exam)}
    codes = {d.code for d in spool.deliveries.list(exam=exam, states_wanted=(DeliveryState.HELD,))}
    waiting = spool.deliveries.list(exam=exam, states_wanted=(DeliveryState.QUEUED, DeliveryState.HELD))
    return (
        len(listed) == 4
        and not any(each.problem_code for each in listed)
        and states <= {DeliveryState.COMMITTED, DeliveryState.QUEUED, DeliveryState.HELD}
        and codes <= {"after-rebuild"}
        and len(waiting) == story.queued
    )


def test_a_power_cut_while_an_exam_is_erased_leaves_it_as_it_was_or_nothing_of_it(root: Path) -> None:
    tally = survey(erased(root, as_the_product_does))
    print(
        f"\npower cut while erasing: {len(tally.disks)} different disks, {tally.as_it_was} times as it was, "
        f"{tally.gone} times gone, {tally.halves} times half"
    )
    assert tally.problems == []
    assert tally.as_it_was
    assert tally.gone
    assert len(tally.disks) > 50


def test_where_the_flush_of_the_mark_failed_it_is_flushed_before_anything_goes(root: Path) -> None:
    tally = survey(erased(root, as_the_product_does, MarkNotFlushed))
    assert tally.problems == []
    assert tally.as_it_was
    assert tally.gone


def test_erasing_without_a_mark_leaves_halves_so_the_test_can_see_them(root: Path) -> None:
    tally = survey(erased(root, files_first))
    print(f"\npower cut while erasing without a mark: {tally.halves} times half")
    assert tally.halves > 0
