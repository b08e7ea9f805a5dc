"""The queue: one row an object and destination, moved by compare-and-set. Knows no network."""

import builtins
import sqlite3
from collections.abc import Sequence

from gateway.clock import Clock
from gateway.errors import NotFound, WrongState
from gateway.model import Delivery, DeliveryState
from gateway.spool import states
from gateway.spool.database import Database
from gateway.spool.states import Owner

_COLUMNS = """id, sop_instance_uid, exam, destination, state, proof, attempts, next_attempt_ns, reason, code,
    status, changed_ns, in_doubt"""
AFTER_REBUILD = "after-rebuild"  # the code of deliveries whose fate a lost index took along
BY_PERSON = "held-by-person"
_BATCH = 200  # rows a transaction


class Deliveries:
    """The table `delivery`. Files know nothing of it: after a rebuild a person or the archive decides."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    # --- looking ------------------------------------------------------------------------------------------

    def get(self, delivery: int) -> Delivery:
        """Return the delivery. Raises NotFound."""
        found = self._select("id = ?", (delivery,))
        if not found:
            raise NotFound("There is no such delivery.")
        return found[0]

    def list(
        self, *, states_wanted: Sequence[DeliveryState] = (), exam: str = "", uid: str = "", limit: int = 500
    ) -> builtins.list[Delivery]:
        """Return deliveries, oldest first."""
        wanted = tuple(states_wanted) or tuple(DeliveryState)
        where = f"state IN ({', '.join('?' * len(wanted))})"
        values: tuple[str | int, ...] = wanted
        for column, value in (("exam", exam), ("sop_instance_uid", uid)):
            if value:
                where += f" AND {column} = ?"
                values = (*values, value)
        return self._select(f"{where} ORDER BY id LIMIT ?", (*values, limit))

    def counts(self) -> dict[tuple[str, DeliveryState], int]:
        """Return how many deliveries each destination has in each state."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT destination, state, count(*) FROM delivery GROUP BY 1, 2")
            return {(row[0], DeliveryState(row[1])): row[2] for row in rows}

    def due(self, destination: str, *, cap_s: float, limit: int = 50) -> builtins.list[Delivery]:
        """Return the ready deliveries of one exam: that of the oldest ready one.

        A `next_attempt_ns` further away than `cap_s` was written by a clock that was wrong: it counts as ready.
        """
        now = self._clock.utc_ns()
        far = now + int(cap_s * 1e9)
        waiting = "destination = ? AND state = 'queued'"
        for bound, limit_ns in (("<=", now), (">", far)):  # two searches: one with OR would look at every row
            oldest = f"{waiting} AND next_attempt_ns {bound} ? ORDER BY next_attempt_ns, id LIMIT 1"
            if first := self._select(oldest, (destination, limit_ns)):
                break
        else:
            return []
        # The plus signs keep SQLite on the index of the exam. What was never tried goes before what failed.
        ready = (
            "exam = ? AND +destination = ? AND +state = 'queued' AND (next_attempt_ns <= ? OR next_attempt_ns > ?)"
        )
        order = "ORDER BY +next_attempt_ns, id LIMIT ?"
        return self._select(f"{ready} {order}", (first[0].exam, destination, now, far, limit))

    def next_attempt_ns(self, destination: str) -> int | None:
        """Return when the first waiting delivery is due, UTC ns; None when nothing waits."""
        with self._database.read() as connection:
            (first,) = connection.execute(
                "SELECT min(next_attempt_ns) FROM delivery WHERE destination = ? AND state = 'queued'",
                (destination,),
            ).fetchone()
        return None if first is None else int(first)

    # --- moving -------------------------------------------------------------------------------------------

    def move(
        self,
        delivery: Delivery,
        new: DeliveryState,
        owner: Owner,
        *,
        attempts: int | None = None,
        wait_s: float = 0,
        code: str = "",
        reason: str = "",
        status: str = "",
        in_doubt: bool | None = None,
        asked: bool = False,
    ) -> bool:
        """Move a delivery that is still as it was seen; False when somebody else moved it first.

        `in_doubt`: see Delivery; None = as before. `asked`: a person wants it now. Raises WrongState when `owner`
        may not make this move.
        """
        states.check(states.DELIVERY, delivery.state, new, owner)
        now = self._clock.utc_ns()
        values = (
            new,
            delivery.attempts if attempts is None else attempts,
            now + int(wait_s * 1e9),
            code,
            reason,
            status,
            now,
            delivery.in_doubt if in_doubt is None else in_doubt,
            asked,
        )
        with self._database.write() as connection:
            changed = connection.execute(
                "UPDATE delivery SET state = ?, attempts = ?, next_attempt_ns = ?, code = ?, reason = ?, "
                "status = ?, changed_ns = ?, in_doubt = ?, asked = ? WHERE id = ? AND state = ?",
                (*values, delivery.id, delivery.state),
            ).rowcount
        return changed == 1

    def postpone(
        self, deliveries: Sequence[Delivery], *, wait_s: float, code: str, reason: str, status: str = ""
    ) -> None:
        """Let what still waits wait with its destination, which was tried in vain; at most one exam's batch."""
        now = self._clock.utc_ns()
        with self._database.write() as connection:
            connection.executemany(
                "UPDATE delivery SET attempts = attempts + 1, next_attempt_ns = ?, code = ?, reason = ?, "
                "status = ?, changed_ns = ?, asked = 0 WHERE id = ? AND state = 'queued'",
                [(now + int(wait_s * 1e9), code, reason, status, now, d.id) for d in deliveries],
            )

    def explain(self, destination: str, *, code: str, reason: str) -> None:
        """Say with everything that waits for a destination why; its turn and its tries stay as they are."""
        self._update(
            "code = ?, reason = ?",
            "state = 'queued' AND destination = ? AND code <> ?",
            (destination, code),
            new=(code, reason),
        )

    def hold(self, delivery: int) -> Delivery:
        """Hold back a waiting delivery for a person. Raises WrongState."""
        return self._by_person(delivery, DeliveryState.HELD, BY_PERSON, "Held back by a person.")

    def release(self, delivery: int) -> Delivery:
        """Let a held delivery go again. Raises WrongState."""
        return self._by_person(delivery, DeliveryState.QUEUED)

    def release_all(self, code: str) -> int:
        """Let everything go that is held with this code; return how many."""
        return self._update(
            "state = 'queued', next_attempt_ns = 0, attempts = 0, code = '', reason = '', status = '', asked = 1",
            "state = 'held' AND code = ?",
            (code,),
        )

    def retry(self, *, delivery: int = 0, destination: str = "") -> int:
        """Let waiting deliveries be tried at once: one, a destination's, or all; return how many."""
        where = "state = 'queued'"
        values: tuple[str | int, ...] = ()
        if delivery:
            where, values = where + " AND id = ?", (*values, delivery)
        if destination:
            where, values = where + " AND destination = ?", (*values, destination)
        return self._update("next_attempt_ns = 0, asked = 1", where, values)

    def take_asked(self, destination: str) -> bool:
        """Say whether a person asked for a try at once since this was called last: one wish, one try."""
        where = "destination = ? AND asked = 1"
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT 1 FROM delivery WHERE {where} AND state = 'queued' LIMIT 1",  # noqa: S608 - fixed words
                (destination,),
            ).fetchone()
        return row is not None and self._update("asked = 0", where, (destination,)) > 0

    def forget_leases(self, destination: str = "") -> int:
        """Queue again what a sender was sending that is gone or lost track: all, or one destination's."""
        changes, where = "state = 'queued', next_attempt_ns = 0", "state = 'sending'"
        if destination:
            return self._update(changes, f"{where} AND destination = ?", (destination,))
        return self._update(changes, where, ())

    # --- inside -------------------------------------------------------------------------------------------

    def _by_person(self, delivery: int, new: DeliveryState, code: str = "", reason: str = "") -> Delivery:
        seen = self.get(delivery)
        asked = new is DeliveryState.QUEUED
        if not self.move(seen, new, Owner.PANEL, attempts=0, code=code, reason=reason, asked=asked):
            raise WrongState
        return self.get(delivery)

    def _update(self, changes: str, where: str, values: Sequence[str | int], *, new: Sequence[str] = ()) -> int:
        """Change every row for which `where` holds, in short transactions; return how many.

        `values` belong to the marks of `where`, `new` to those of `changes`.
        """
        with self._database.read() as connection:
            ids = [row[0] for row in connection.execute(f"SELECT id FROM delivery WHERE {where}", values)]  # noqa: S608 - fixed words
        total = 0
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            marks = ", ".join("?" * len(batch))
            with self._database.write() as connection:
                total += connection.execute(
                    f"UPDATE delivery SET {changes}, changed_ns = ? WHERE {where} AND id IN ({marks})",  # noqa: S608 - fixed words
                    (*new, self._clock.utc_ns(), *values, *batch),
                ).rowcount
        return total

    def _select(self, where: str, values: Sequence[str | int]) -> builtins.list[Delivery]:
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM delivery WHERE {where}", values).fetchall()  # noqa: S608 - fixed words
        return [_delivery(row) for row in rows]


def _delivery(row: sqlite3.Row) -> Delivery:
    values = dict(row)
    converted = {"state": DeliveryState(values["state"]), "in_doubt": bool(values["in_doubt"])}
    return Delivery(**{**values, **converted})
