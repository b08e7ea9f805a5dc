"""Thirty days without the archive, then everything at once: in order, each object once, within flat memory.

`--objects=50000 -s` is the long run; the counts are printed.
"""

import builtins
import gc
import logging
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.forward.sending.sender import Sender
from gateway.forward.sending.turns import today_ns
from gateway.model import Delivery, DeliveryState, Exam, SealedObject
from gateway.net.store import StoreResult, Wanted
from gateway.spool.opening import open_spool
from gateway.spool.queue.deliveries import Deliveries, Line
from gateway.spool.spool import Spool
from tests.forward.bench import open_exam
from tests.forward.channels import EVERYTHING, UNREACHABLE, pacs
from tests.memory import folder_in_memory

DAYS = 30
STILLS = 10  # an exam
LONGEST_EXAM = 50
FIRST = 10**30  # UIDs count from here in the order in which the objects are made
# Bytes, whatever waits. The sender takes 0.3 to 0.6 MB. Python's table of interned strings, into which pathlib puts
# the parts of every path, doubles once by 1.9 MB, and is emptied with them.
MOST_GROWTH = 3_000_000
GREEDY = 2500  # objects at once, of the control


@dataclass(kw_only=True)
class Watched:
    """An archive that keeps nothing but what a person would want to know."""

    away: bool = True
    today: int = 0  # number of the first object of the last day
    arrived: int = 0
    calls: int = 0
    again: int = 0  # objects that came twice
    out_of_order: int = 0
    lines: str = ""  # whose turn each association was: t(oday) or b(acklog)
    last: dict[str, int] = field(default_factory=dict)
    seen: bytearray = field(default_factory=bytearray)

    @property
    def usable(self) -> bool:
        return True

    @contextmanager
    def connect(self, wanted: Sequence[Wanted]) -> Iterator["Watched"]:
        del wanted
        if self.away:
            raise UNREACHABLE
        self.calls += 1
        self.lines += "?"
        yield self

    def accepted(self, sop_class_uid: str) -> tuple[str, ...]:
        del sop_class_uid
        return EVERYTHING

    def store(self, source: Path | bytes, *, sop_instance_uid: str, **_: object) -> StoreResult:
        del source
        number = int(sop_instance_uid.removeprefix("2.25.")) - FIRST
        line = "t" if number >= self.today else "b"
        self.lines = self.lines[:-1] + line
        self.out_of_order += number < self.last.get(line, -1)
        self.last[line] = number
        self.again += self.seen[number]
        self.seen[number] = 1
        self.arrived += 1
        return StoreResult(status="0000")


def seal(spool: Spool, exam: Exam, number: int) -> None:
    """Make a small object without a capture, whole as far as a sender looks."""
    uid, content = f"2.25.{FIRST + number}", b"DICM%d" % number
    spool.layout.object(exam.id, uid).write_bytes(content)
    sealed = SealedObject(
        sop_instance_uid=uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.7",
        transfer_syntax_uid=EVERYTHING[0],
        exam=exam.id,
        capture=uid,
        bytes=len(content),
        sha256=sha256(content).hexdigest(),
        lossy=False,
        frames=1,
        sealed=spool.clock.now(),
    )
    spool.objects.put_row(sealed, ["pacs"])


def outage(spool: Spool, clock: FakeClock, sender: Sender, archive: Watched, *, count: int, stills: int) -> int:
    """Let exams come evenly for thirty days while the archive is away; return how often it was tried."""
    archive.seen = bytearray(count)
    tries = 0
    for first in range(0, count, stills):
        clock.move(DAYS * 86_400 * stills / count)
        exam = open_exam(spool)
        for still in range(stills):
            seal(spool, exam, first + still)
        before = sender.pause.attempt if sender.pause else 0
        while sender.step():
            pass
        tries += sender.pause is not None and sender.pause.attempt != before
    return tries


def first_of_today(spool: Spool, clock: FakeClock) -> int:
    with spool.database.read() as connection:
        (uid,) = connection.execute(
            "SELECT min(sop_instance_uid) FROM delivery WHERE queued_ns >= ?", (today_ns(clock.now()),)
        ).fetchone()
    return int(uid.removeprefix("2.25.")) - FIRST


def drained(clock: FakeClock, sender: Sender) -> int:
    """Send until nothing is left; return by how many bytes the process's own memory grew at most."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    clock.move(900)
    while sender.step():
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak - before


def story(spool: Spool, clock: FakeClock, count: int, *, stills: int = STILLS) -> tuple[Watched, int, int]:
    archive = Watched()
    sender = Sender(spool=spool, destination=pacs(), connect=archive.connect)
    tries = outage(spool, clock, sender, archive, count=count, stills=stills)
    archive.today, archive.away = first_of_today(spool, clock), False
    return archive, tries, drained(clock, sender)


@pytest.fixture(autouse=True)
def log_that_nobody_keeps() -> Iterator[None]:
    """A box hands its lines on; pytest would keep each of them in memory."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def spool(clock: FakeClock) -> Iterator[Spool]:
    with folder_in_memory() as folder:
        opened = open_spool(folder / "data", clock=clock, destinations=("pacs",))
        yield opened
        opened.close()


@pytest.fixture
def count(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--objects"))


def test_after_thirty_days_everything_arrives_in_order_and_memory_stays_flat(
    spool: Spool, clock: FakeClock, count: int
) -> None:
    archive, tries, growth = story(spool, clock, count)
    of_today = count - archive.today
    print(
        f"\noutage: {DAYS} days, {count} objects in {count // STILLS} exams, {tries} tries in vain; then "
        f"{archive.arrived} arrived in {archive.calls} associations, {of_today} of today, twice {archive.again}, "
        f"out of order {archive.out_of_order}, memory grew by {growth / 1e6:.2f} MB at most"
    )
    assert tries > 100
    assert (archive.arrived, archive.again, archive.out_of_order) == (count, 0, 0)
    assert 0 < of_today < count // 10
    assert archive.lines.startswith("tttbt")
    assert growth < MOST_GROWTH
    assert set(spool.deliveries.counts()) == {("pacs", DeliveryState.SENT)}


class Greedy(Deliveries):
    """As it must not be: takes all that waits, the newest first."""

    def due(
        self,
        destination: str,
        *,
        cap_s: float,
        today_ns: int = 0,
        first: Line = Line.TODAY,
        but_not: str = "",
        limit: int = 50,
    ) -> builtins.list[Delivery]:
        del cap_s, today_ns, first, but_not, limit
        return self._select("destination = ? AND state = 'queued' ORDER BY id DESC", (destination,))


def test_a_queue_that_takes_everything_at_once_is_noticed(spool: Spool, clock: FakeClock) -> None:
    greedy = replace(spool, deliveries=Greedy(database=spool.database, clock=clock))
    archive, _, growth = story(greedy, clock, GREEDY, stills=LONGEST_EXAM)
    print(f"\ncontrol: out of order {archive.out_of_order}, memory grew by {growth / 1e6:.2f} MB")
    assert archive.arrived == GREEDY
    assert archive.out_of_order > 1000
    assert growth > MOST_GROWTH
