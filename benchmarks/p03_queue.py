"""P3: the processor time of a queue operation with a million rows, against a thousand."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.harness import Bar, Pair
from gateway.clock import Clock
from gateway.model import DeliveryState
from gateway.spool.opening import open_spool
from gateway.spool.queue.deliveries import Line
from gateway.spool.spool import Spool
from gateway.spool.states import Owner

_FEW, _MANY = 1_000, 1_000_000
_STILLS = 20  # an exam
_TURN = 5  # deliveries taken and sent in one measured turn
_CAP_S = 720.0
_OF_TODAY = 500  # rows; the others are a backlog
_TODAY_NS = 10**18
_LINES = tuple(Line)
_US = 1e6


@contextmanager
def _pair(folder: Path, *, waiting: int) -> Iterator[Pair]:
    """`waiting`: how many rows wait, the others were sent; 0 = all wait."""
    clock = Clock()
    spools = []
    for count in (_MANY, _FEW):
        spool = open_spool(folder / str(count), clock=clock)
        _fill(spool, count, waiting or count)
        spools.append(spool)
    many, few = spools
    try:
        yield Pair(ours=partial(_turn, many), theirs=partial(_turn, few), facts={"steps": "due, claim, get, sent"})
    finally:
        for spool in spools:
            spool.close()


def _fill(spool: Spool, count: int, waiting: int) -> None:
    """Make the rows in one transaction: nobody needs them to be durable."""
    with sqlite3.connect(spool.layout.database) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executemany(
            "INSERT INTO delivery (id, sop_instance_uid, exam, destination, state, queued_ns, changed_ns) "
            "VALUES (?, ?, ?, 'pacs', ?, ?, 1)",
            (
                (
                    row,
                    f"2.25.{10**36 + row}",
                    f"{row // _STILLS:010x}",
                    "sent" if row < count - waiting else "queued",
                    _TODAY_NS if row >= count - _OF_TODAY else row,
                )
                for row in range(count)
            ),
        )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _turn(spool: Spool) -> float:
    """Take deliveries as the sender does and put them back; return the processor time of one operation in µs."""
    taken = []
    start = time.thread_time()
    for number in range(_TURN):
        line = _LINES[number % len(_LINES)]
        first = spool.deliveries.due("pacs", cap_s=_CAP_S, today_ns=_TODAY_NS, first=line)[0]
        assert spool.deliveries.move(first, DeliveryState.SENDING, Owner.FORWARD, attempts=1)
        claimed = spool.deliveries.get(first.id)
        assert spool.deliveries.move(claimed, DeliveryState.SENT, Owner.FORWARD, status="0000")
        taken.append(first.id)
    spent = time.thread_time() - start
    with spool.database.write() as connection:
        connection.executemany(
            "UPDATE delivery SET state = 'queued', next_attempt_ns = 0 WHERE id = ?", [(i,) for i in taken]
        )
    return spent / (4 * _TURN) * _US


def _bar(name: str, what: str, pair: Callable[[Path], object]) -> Bar:
    return Bar(
        name=name,
        what=f"queue processor time an operation, 1 M rows / 1 k rows, {what}",
        ours="µs at 1 M rows",
        theirs="µs at 1 k rows",
        pair=pair,  # type: ignore[arg-type]  # partial hides the context manager
        at_most=1.3,
        stretch=1.1,
        turns=3,
    )


BARS = (
    _bar("P3", "all of them waiting", partial(_pair, waiting=0)),
    _bar("P3b", "all but 1000 sent", partial(_pair, waiting=_FEW)),
)
