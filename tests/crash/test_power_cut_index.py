"""The index under power cuts: while it is made anew, while it is migrated, and commit by commit of the queue.

SQLite writes its files itself. What a cut leaves of its log is modelled here: with synchronous=FULL the log is safe
up to the last commit that was answered; behind it anything may stand, torn at any byte or read as zeros.
"""

import random
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.model import Delivery, DeliveryState, Exam
from gateway.spool.opening import open_spool
from gateway.spool.queue.deliveries import AFTER_REBUILD
from gateway.spool.spool import Spool
from gateway.spool.states import Owner
from tests.crash.power_cut import FilesNeverFlushed, NamesNeverFlushed, Operation, Recording, ack, for_each_cut
from tests.crash.promises import CaptureKept, ExamKept, Found, SealKept, orders_of, started, survey
from tests.memory import folder_in_memory
from tests.unit.spool.values import ANNA, BORIS, item_subject, seal, store

Q, SENDING, SENT, COMMITTED, HELD = DeliveryState


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder / "data"


# --- made anew ---------------------------------------------------------------------------------------------------


class WithIndex(Recording):
    """Records as well what SQLite had written into the new index when it is flushed."""

    def _sync(self, fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        if path.name == "scopegate.db.new":
            self.note(Operation(kind="write", file=self._number(fd), data=path.read_bytes()))
        super()._sync(fd)


class WithIndexFilesNeverFlushed(WithIndex, FilesNeverFlushed):
    """The same without fsync of files."""


class WithIndexNamesNeverFlushed(WithIndex, NamesNeverFlushed):
    """The same without flushing folders."""


@dataclass(kw_only=True)
class Rebuild:
    """Two exams, safe on the disk, whose index is gone; and the recording of how it is made anew."""

    recording: Recording
    begin: int
    sealed: set[str] = field(default_factory=set)
    attempted: set[str] = field(default_factory=set)
    exams: Mapping[str, Mapping[int, tuple[Exam, bytes | None]]] = field(default_factory=dict)


def rebuild(root: Path, kind: type[Recording], lost: tuple[str, ...]) -> Rebuild:
    """Lose these files of the index and let a start make it anew."""
    facts: list[object] = []
    exams, sealed, attempted = {}, set(), set()
    spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
    for patient in (ANNA, BORIS):
        exam, _ = spool.exams.open(item_subject(patient), close_open=True)
        captures = [store(spool, exam, number) for number in (1, 2, 3)]
        attempted |= {one.sop_instance_uid for one in captures}
        facts += [CaptureKept(path="still", capture=one) for one in captures[1:]]
        made = seal(spool, captures[0])
        sealed.add(made.sop_instance_uid)
        facts.append(SealKept(path="seal", sealed=made))
    for exam in spool.exams.list():
        orders = orders_of(spool, exam)
        exams[exam.id] = {exam.revision: (exam, orders)}
        facts.append(ExamKept(path="exam opened", exam=exam, orders=orders))
    stale = {name: (root / name).read_bytes() for name in ("scopegate.db-wal", "scopegate.db-shm")}
    spool.close()
    for name, content in stale.items():  # as a kill leaves them
        (root / name).write_bytes(content)
    for name in lost:
        (root / name).unlink(missing_ok=True)
    recording = kind(root)
    for fact in facts:
        ack(recording, fact)
    begin = len(recording.log)
    open_spool(root, clock=FakeClock(), files=recording, destinations=("pacs",)).close()
    return Rebuild(recording=recording, begin=begin, sealed=sealed, attempted=attempted, exams=exams)


LOST = {"the index": ("scopegate.db",), "the index and its log": ("scopegate.db", "scopegate.db-wal")}


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("kind", [WithIndex, WithIndexFilesNeverFlushed, WithIndexNamesNeverFlushed])
def test_a_cut_while_the_index_is_made_anew_costs_nothing_whatever_was_flushed(
    root: Path, lost: str, kind: type[Recording]
) -> None:
    """The files are the truth: half an index is found out and made again. So no control loses here."""
    story = rebuild(root, kind, LOST[lost])
    tally = survey(story, without=(), begin=story.begin)
    print(f"\npower cut while {lost} is made anew, {kind.__name__}: {tally.cuts} cuts, {len(tally.disks)} disks")
    assert tally.problems == []
    assert tally.cuts > 10


def test_after_a_cut_in_a_rebuild_nothing_is_sent_before_somebody_asked(root: Path) -> None:
    story = rebuild(root, WithIndex, LOST["the index"])
    looked = 0
    for cut in for_each_cut(story.recording):
        if cut.position >= story.begin:
            found = started(cut)
            assert isinstance(found, Found)
            assert found.deliveries == dict.fromkeys(story.sealed, (HELD, AFTER_REBUILD))
            looked += 1
    assert looked > 10


# --- commit by commit --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """What the log was when a change had been answered, and what the queue was then."""

    log: bytes
    queue: tuple[tuple[str, DeliveryState, bool, int], ...]  # UID, state, in doubt, attempts


class Queue:
    """A day of the queue, each step answered."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
        exam, _ = self.spool.exams.open(item_subject(ANNA))
        for number in range(1, 5):
            seal(self.spool, store(self.spool, exam, number))
        with self.spool.database.read() as connection:
            assert tuple(connection.execute("PRAGMA synchronous").fetchone()) == (2,), "FULL, or the model is wrong"
        self.commits = [self.now()]

    def now(self) -> Commit:
        return Commit(log=(self.root / "scopegate.db-wal").read_bytes(), queue=as_seen(self.spool))

    def step(self, delivery: int, new: DeliveryState, **values: object) -> None:
        found = self.spool.deliveries.get(delivery)
        assert self.spool.deliveries.move(found, new, Owner.FORWARD, **values)  # type: ignore[arg-type]
        self.commits.append(self.now())

    def tell(self) -> None:
        """Send, be refused, break off, be held and let go by a person, be asked for."""
        for delivery in (1, 2, 3):
            self.step(delivery, SENDING, attempts=1, in_doubt=True)
            self.step(delivery, (SENT, HELD, Q)[delivery - 1], in_doubt=delivery != 2, code="x", wait_s=15)
        for act in (self.spool.deliveries.hold, self.spool.deliveries.release):
            act(4)
            self.commits.append(self.now())
        self.spool.deliveries.release_all("x")
        self.commits.append(self.now())
        self.step(4, SENDING, attempts=1, in_doubt=True)
        self.step(4, SENT, status="0000")
        self.spool.close()


def as_seen(spool: Spool) -> tuple[tuple[str, DeliveryState, bool, int], ...]:
    def of(one: Delivery) -> tuple[str, DeliveryState, bool, int]:
        return one.sop_instance_uid, one.state, one.in_doubt, one.attempts

    return tuple(sorted(of(one) for one in spool.deliveries.list()))


def found_with(root: Path, index: bytes, log: bytes) -> tuple[tuple[str, DeliveryState, bool, int], ...]:
    """Start on this index and log, with the files as they are, and return the queue."""
    for name in ("scopegate.db-shm", "scopegate.db-wal"):
        (root / name).unlink(missing_ok=True)
    (root / "scopegate.db").write_bytes(index)
    (root / "scopegate.db-wal").write_bytes(log)
    spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
    try:
        return as_seen(spool)
    finally:
        spool.close()


def torn(safe: bytes, whole: bytes, dice: random.Random) -> Iterator[bytes]:
    """Yield what a cut may leave of a log whose first part is safe: the rest lost, cut anywhere, or as zeros."""
    yield safe
    for _ in range(4):
        cut = dice.randint(len(safe), len(whole))
        yield whole[:cut]
        yield whole[:cut] + bytes(len(whole) - cut)


def test_a_cut_between_two_changes_of_the_queue_leaves_the_one_or_the_other(root: Path) -> None:
    dice = random.Random(1)
    day = Queue(root)
    index = (root / "scopegate.db").read_bytes()
    day.tell()
    looked = unflushed = 0
    for before, after in zip(day.commits, day.commits[1:], strict=False):
        assert before.queue != after.queue
        for log in torn(before.log, after.log, dice):
            looked += 1
            assert found_with(root, index, log) in (before.queue, after.queue)
        assert found_with(root, index, after.log) == after.queue
        # The control: a commit that was answered and not flushed is lost.
        unflushed += found_with(root, index, before.log) != after.queue
    print(f"\npower cut in the queue: {looked} cuts of {len(day.commits) - 1} changes, lost = 0; "
          f"the same without flushing the log: lost = {unflushed}")  # fmt: skip
    assert unflushed == len(day.commits) - 1


def test_a_cut_while_the_index_of_an_older_release_is_migrated_leaves_it_whole(root: Path) -> None:
    dice = random.Random(2)
    day = Queue(root)
    queue = as_seen(day.spool)
    day.spool.close()
    older = as_of_release_1(root / "scopegate.db")
    # The migration as one transaction in the log, as `Database.migrate` does it.
    (root / "scopegate.db").write_bytes(older)
    spool = open_spool(root, clock=FakeClock(), destinations=("pacs",))
    log = (root / "scopegate.db-wal").read_bytes()
    spool.close()
    assert log
    for each in (b"", *(one for _ in range(5) for one in torn(b"", log, dice)), log):
        assert found_with(root, older, each) == queue


def as_of_release_1(path: Path) -> bytes:
    """Return this index with the schema of release 0.1: the columns that it had, and its version."""
    script = resources.files("gateway.spool").joinpath("schema_1.sql").read_text("utf-8")
    old = path.with_name("old.db")
    with sqlite3.connect(old) as connection:
        connection.executescript(script)
        connection.execute("PRAGMA user_version = 1")
        connection.execute("ATTACH ? AS new", (str(path),))
        tables = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            names = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM new.{table}")
    connection.close()
    content = old.read_bytes()
    old.unlink()
    return content
