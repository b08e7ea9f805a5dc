"""Storage commitment requests: each under a Transaction UID that is durable before anybody is asked.

A report counts for what was asked under its Transaction UID, of the destination that was asked, while the object is
sent and nothing else was heard of it since; anything else changes nothing.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from gateway.clock import Clock
from gateway.model import CommitmentReport, CommitmentState
from gateway.spool import states
from gateway.spool.database import Database
from gateway.spool.queue import proofs
from gateway.spool.queue.proofs import Unproven, Verdict
from gateway.spool.states import Owner

_UNSURE_S = 600.0  # who was killed before the peer answered asks again after so long
_KEPT_S = 30 * 86_400.0  # how late a report may be


class Heard(Enum):
    """What became of a report."""

    APPLIED = auto()
    REPEATED = auto()  # it was applied before
    UNKNOWN = auto()  # no such request is outstanding
    STRANGER = auto()  # another peer than was asked
    FOREIGN = auto()  # it names objects that were not asked about


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a report says of one object: stored, failed with its FailureReason, or (reason None) nothing."""

    stored: bool = False
    reason: int | None = None


VerdictOf = Callable[[Unproven, Said], Verdict]


class Commitments:
    """The tables `commitment` and `commitment_item`."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def ask(self, destination: str, asked: Sequence[Unproven]) -> str:
        """Enter a request about at most `proofs.MOST` objects and return its new Transaction UID."""
        uid, now = self._clock.uid(), self._clock.utc_ns()
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO commitment (transaction_uid, destination, state, asked_ns) VALUES (?, ?, ?, ?)",
                (uid, destination, CommitmentState.ASKED, now),
            )
            connection.executemany(
                "INSERT INTO commitment_item (transaction_uid, sop_instance_uid, delivery, round) "
                "VALUES (?, ?, ?, ?)",
                [(uid, each.sop_instance_uid, each.delivery, each.round) for each in asked],
            )
            _due_again(connection, uid, now + int(_UNSURE_S * 1e9))
        return uid

    def accepted(self, uid: str, *, wait_s: float) -> None:
        """Note that the peer will report; what it does not report within `wait_s` is asked about again."""
        with self._database.write() as connection:
            if _move(connection, uid, CommitmentState.ASKED, CommitmentState.ACCEPTED):
                _due_again(connection, uid, self._clock.utc_ns() + int(wait_s * 1e9))

    def not_accepted(self, uid: str, *, refused: bool) -> None:
        """Note that the peer refused, or did not answer: then its report would still count. Asked again at once."""
        with self._database.write() as connection:
            if refused:
                _move(connection, uid, CommitmentState.ASKED, CommitmentState.REFUSED)
            _due_again(connection, uid, 0)

    def reported(self, uid: str) -> bool:
        """Say whether the report about a request came."""
        with self._database.read() as connection:
            row = connection.execute("SELECT state FROM commitment WHERE transaction_uid = ?", (uid,)).fetchone()
        return row is not None and row["state"] == CommitmentState.REPORTED

    def silent_since_ns(self, destination: str, *, wait_s: float) -> int | None:
        """Return when the first request was made that was due an answer and got none, since there was one last."""
        overdue = self._clock.utc_ns() - int(wait_s * 1e9)
        with self._database.read() as connection:
            last = connection.execute(
                "SELECT asked_ns FROM commitment WHERE destination = ? AND state = 'reported' "
                "ORDER BY asked_ns DESC LIMIT 1",
                (destination,),
            ).fetchone()
            first = connection.execute(
                "SELECT asked_ns FROM commitment WHERE destination = ? AND state = 'accepted' "
                "AND asked_ns > ? AND asked_ns <= ? ORDER BY asked_ns LIMIT 1",
                (destination, last["asked_ns"] if last else 0, overdue),
            ).fetchone()
        return None if first is None else int(first["asked_ns"])

    def report(self, report: CommitmentReport, *, of: Collection[str], verdict: VerdictOf) -> Heard:
        """Apply a report in one transaction, wholly or not at all; `of`: destinations its sender speaks for."""
        with self._database.read() as connection:  # forged ones, however many, make no writer wait
            known = "SELECT 1 FROM commitment WHERE transaction_uid = ?"
            if connection.execute(known, (report.transaction_uid,)).fetchone() is None:
                return Heard.UNKNOWN
        with self._database.write() as connection:
            row = connection.execute(
                "SELECT destination, state FROM commitment WHERE transaction_uid = ?", (report.transaction_uid,)
            ).fetchone()
            if row is None or row["state"] == CommitmentState.REFUSED:
                return Heard.UNKNOWN
            if row["destination"] not in of:
                return Heard.STRANGER
            asked = _items(connection, report.transaction_uid)
            if not {*report.stored, *report.failed} <= asked.keys():
                return Heard.FOREIGN
            if not _move(
                connection, report.transaction_uid, CommitmentState(row["state"]), CommitmentState.REPORTED
            ):
                return Heard.REPEATED
            stored = frozenset(report.stored)
            for uid, each in asked.items():
                if each is None:
                    continue
                said = Said(stored=uid in stored, reason=report.failed.get(uid))
                proofs.apply(connection, each, verdict(each, said), now_ns=self._clock.utc_ns())
        return Heard.APPLIED

    def forget_old(self, destination: str) -> bool:
        """Remove one request that is too old for a report; say whether there was one."""
        with self._database.read() as connection:  # mostly there is none: do not make writers wait for that
            old = connection.execute(
                "SELECT transaction_uid FROM commitment WHERE destination = ? AND asked_ns < ? LIMIT 1",
                (destination, self._clock.utc_ns() - int(_KEPT_S * 1e9)),
            ).fetchone()
        if old is not None:
            with self._database.write() as connection:
                connection.execute("DELETE FROM commitment WHERE transaction_uid = ?", (old["transaction_uid"],))
        return old is not None


def _move(connection: sqlite3.Connection, uid: str, old: CommitmentState, new: CommitmentState) -> bool:
    """Move a request on; False when it is not in that state, or there already."""
    if old is new:
        return False
    states.check(states.COMMITMENT, old, new, Owner.FORWARD)
    changed = connection.execute(
        "UPDATE commitment SET state = ? WHERE transaction_uid = ? AND state = ?", (new, uid, old)
    )
    return changed.rowcount == 1


def _due_again(connection: sqlite3.Connection, uid: str, then_ns: int) -> None:
    connection.execute(
        "UPDATE delivery SET proof_due_ns = ? FROM commitment_item AS i WHERE transaction_uid = ? "
        "AND delivery.id = i.delivery AND delivery.sop_instance_uid = i.sop_instance_uid "  # ids are given anew
        "AND state = 'sent' AND proof_round = round",
        (then_ns, uid),
    )


def _items(connection: sqlite3.Connection, uid: str) -> dict[str, Unproven | None]:
    """Return what a request asked about; None = its delivery was moved or given up, and no report counts."""
    rows = connection.execute(
        "SELECT i.sop_instance_uid, i.delivery, i.round, d.exam, d.destination FROM commitment_item i "
        "JOIN commitment c USING (transaction_uid) LEFT JOIN delivery d ON d.id = i.delivery "
        "AND d.sop_instance_uid = i.sop_instance_uid AND d.destination = c.destination "  # SQLite gives ids anew
        "WHERE i.transaction_uid = ?",
        (uid,),
    )
    return {
        row["sop_instance_uid"]: row["destination"]
        and Unproven(
            delivery=row["delivery"],
            sop_instance_uid=row["sop_instance_uid"],
            exam=row["exam"],
            destination=row["destination"],
            round=row["round"],
        )
        for row in rows
    }
