"""Sent objects whose destination must still prove that it has them: when it is asked, what an answer makes of them.

Knows no network and no service: storage commitment and queries both end here. A delivery's `proof_round` rises with
every answer about it, so that an answer to an older question, however late it comes, changes nothing.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.errors import WrongState
from gateway.model import DeliveryState, SealedObject
from gateway.spool import states
from gateway.spool.database import Database
from gateway.spool.queue.deliveries import AFTER_REBUILD
from gateway.spool.states import Owner

# What an answer changes, by the state that it leads to. What was stored there once may be answered with "duplicate"
# when it goes again: in_doubt. What is committed keeps the warning with which it was stored.
_LEAVES = "next_attempt_ns = 0, code = :code, reason = :reason, in_doubt = 1, asked = 0, changed_ns = :now"
_CHANGES = {
    DeliveryState.SENT: "proof_due_ns = :then",
    DeliveryState.COMMITTED: "proof_due_ns = 0, proof = :proof, changed_ns = :now",
    DeliveryState.QUEUED: f"proof_due_ns = :then, {_LEAVES}",
    DeliveryState.HELD: f"proof_due_ns = 0, {_LEAVES}",
}
_COLUMNS = "id, sop_instance_uid, exam, destination, proof_round"
# Only the archive that got it is asked: another one that took its name since has nothing of it.
_BEARER = "sent_to = coalesce((SELECT generation FROM destination WHERE name = ?1), 0)"
_FIRST = (
    f"SELECT exam FROM delivery WHERE destination = ?1 AND {_BEARER} AND state = 'sent' AND proof_due_ns {{}} ?2 "  # noqa: S608 - fixed words
    "AND (changed_ns <= ?3 OR changed_ns > ?4) ORDER BY proof_due_ns, id LIMIT 1"
)
_OF_EXAM = (  # the plus signs keep SQLite on the index of the exam
    f"SELECT {_COLUMNS} FROM delivery WHERE exam = ?2 AND +destination = ?1 AND +{_BEARER} "  # noqa: S608 - fixed words
    "AND +state = 'sent' AND (proof_due_ns <= ?3 OR proof_due_ns > ?4) "
    "AND (changed_ns <= ?5 OR changed_ns > ?6) ORDER BY id LIMIT ?7"
)
ROUNDS = 12  # answers in vain until a person is asked; by a person's hand it is counted anew
MOST = 99  # deliveries at a time: with two rows each and one more, below the 200 rows of a transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Unproven:
    """One sent object of one destination, in the round in which it is asked about."""

    delivery: int
    sop_instance_uid: str
    exam: str
    destination: str
    round: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What an answer makes of a delivery that is `sent`: committed with its proof, sent still, queued or held.

    wait_s: until it is asked about again; what is queued goes before that, as soon as it can.
    """

    state: DeliveryState
    proof: str = ""
    wait_s: float = 0
    code: str = ""
    reason: str = ""


class Proofs:
    """The columns `proof_*` of the table `delivery`."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def due(self, destination: str, *, cap_s: float, settle_s: float = 0, limit: int = MOST) -> list[Unproven]:
        """Return sent objects of one exam that may be asked about now: that of the one that waited longest.

        cap_s: no wait is longer; one that is was written by a clock that was wrong. settle_s: what arrived less
        than so long ago is left alone, so that an exam is asked about as a whole.
        """
        now = self._clock.utc_ns()
        far, settled = now + int(cap_s * 1e9), now - int(settle_s * 1e9)
        with self._database.read() as connection:
            # Two searches: one with OR would look at every row.
            for search, limit_ns in ((_FIRST.format("<="), now), (_FIRST.format(">"), far)):
                first = connection.execute(search, (destination, limit_ns, settled, now)).fetchone()
                if first is not None:
                    break
            else:
                return []
            rows = connection.execute(_OF_EXAM, (destination, first["exam"], now, far, settled, now, limit))
            return [_unproven(row) for row in rows]

    def settle(self, asked: Sequence[Unproven], verdict: Callable[[Unproven], Verdict]) -> None:
        """Apply an answer to what was asked about, at most `MOST` at a time."""
        with self._database.write() as connection:
            for each in asked:
                apply(connection, each, verdict(each), now_ns=self._clock.utc_ns())

    def lost_track(self, destination: str, *, limit: int = MOST) -> list[Unproven]:
        """Return objects of one exam of which a rebuilt index does not know whether they were sent."""
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM delivery WHERE destination = ?1 "  # noqa: S608 - fixed words
                "AND state = 'held' AND code = ?2 AND exam = (SELECT exam FROM delivery WHERE destination = ?1 "
                "AND state = 'held' AND code = ?2 LIMIT 1) LIMIT ?3",
                (destination, AFTER_REBUILD, limit),
            ).fetchall()
        return [_unproven(row) for row in rows]

    def found_again(self, asked: Sequence[Unproven], there: Callable[[Unproven], bool]) -> None:
        """Settle what a rebuild held: sent when the destination has it, else let go, as a person would."""
        states.check(states.DELIVERY, DeliveryState.HELD, DeliveryState.SENT, Owner.FORWARD)
        now = self._clock.utc_ns()
        with self._database.write() as connection:
            connection.executemany(
                "UPDATE delivery SET state = ?, code = '', reason = '', next_attempt_ns = 0, in_doubt = 1, "
                "changed_ns = ?, sent_to = coalesce((SELECT generation FROM destination AS d "
                "WHERE d.name = delivery.destination), 0) WHERE id = ? AND sop_instance_uid = ? AND state = 'held' "
                "AND code = ?",
                [
                    (
                        DeliveryState.SENT if there(each) else DeliveryState.QUEUED,
                        now,
                        each.delivery,
                        each.sop_instance_uid,
                        AFTER_REBUILD,
                    )
                    for each in asked
                ],
            )

    def enter(self, sealed: SealedObject, destination: str, proof: str) -> None:
        """Enter, into a new index, that this destination vouched for an object whose file was let go since."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO delivery (sop_instance_uid, exam, destination, state, proof, changed_ns) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    sealed.sop_instance_uid,
                    sealed.exam,
                    destination,
                    DeliveryState.COMMITTED,
                    proof,
                    self._clock.utc_ns(),
                ),
            )


def apply(connection: sqlite3.Connection, asked: Unproven, verdict: Verdict, *, now_ns: int) -> bool:
    """Apply a verdict within a transaction; False when the delivery moved on since it was asked about."""
    if verdict.state is not DeliveryState.SENT:
        states.check(states.DELIVERY, DeliveryState.SENT, verdict.state, Owner.FORWARD)
    if (verdict.state is DeliveryState.COMMITTED) is not bool(verdict.proof):
        raise WrongState("Nothing is called safe without proof.")
    values = {
        "state": verdict.state,
        "proof": verdict.proof,
        "code": verdict.code,
        "reason": verdict.reason,
        "now": now_ns,
        "then": now_ns + int(verdict.wait_s * 1e9),
        "id": asked.delivery,
        "uid": asked.sop_instance_uid,  # SQLite gives the id of what was erased to another one
        "round": asked.round,
    }
    changed = connection.execute(
        f"UPDATE delivery SET state = :state, proof_round = proof_round + 1, {_CHANGES[verdict.state]} "  # noqa: S608 - fixed words
        "WHERE id = :id AND sop_instance_uid = :uid AND state = 'sent' AND proof_round = :round",
        values,
    )
    return changed.rowcount == 1


def _unproven(row: sqlite3.Row) -> Unproven:
    return Unproven(
        delivery=row["id"],
        sop_instance_uid=row["sop_instance_uid"],
        exam=row["exam"],
        destination=row["destination"],
        round=row["proof_round"],
    )
