"""The queue: one row an object and destination, moved by compare-and-set. Knows no network."""

import builtins
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from enum import Enum, auto

from gateway.clock import Clock
from gateway.errors import NotFound, WrongState
from gateway.model import Delivery, DeliveryState
from gateway.spool import states
from gateway.spool.database import Database
from gateway.spool.queue.batches import PeerRows
from gateway.spool.states import Owner

_COLUMNS = """id, sop_instance_uid, exam, destination, state, proof, attempts, next_attempt_ns, reason, code,
    status, changed_ns, in_doubt, setbacks"""
AFTER_REBUILD = "after-rebuild"  # the code of deliveries whose fate a lost index took along
BY_PERSON = "held-by-person"
BEING_ERASED = "being-erased"  # nobody may send it any more
LOST_BY_ARCHIVE = "lost-by-archive"  # it vouched for it, and does not have it any more
JPEG_WANTED = "jpeg-wanted"  # an H.264 clip that was not taken, and of which nothing else is made yet
SENT_AS_JPEG = "sent-as-jpeg"  # an H.264 clip in whose place one of JPEG frames goes
KEY_STILLS_WANTED = "key-stills-wanted"  # a clip that was not taken, and whose key stills are not made yet
SENT_AS_KEY_STILLS = "sent-as-key-stills"  # a clip in whose place its key stills go
LET_GO = "purged"  # the box let the picture go after another archive vouched for it
WANTED = (JPEG_WANTED, KEY_STILLS_WANTED)  # this box makes something of the clip
INSTEAD = (SENT_AS_JPEG, SENT_AS_KEY_STILLS)  # it was made, and is on its way
FILE_LOST = ("file-missing", "file-unreadable", "spool-damaged")  # an object's file is not the one that was sealed
QUIET = (*WANTED, *INSTEAD, LET_GO)  # held, but nobody need do anything
NOT_AT_ONCE = (*QUIET, BY_PERSON, BEING_ERASED)  # no cause that ends for all: each was meant, or goes another way
_QUIET = ", ".join("?" * len(QUIET))
# A delivery's own fields say how it was seen; `new` is where it goes.
# The destination is compared as well: a person may have moved the queue meanwhile; and the object: SQLite gives the
# id of what was erased to another one. Only `proofs` gives a proof; it ends with the state that it proves. What is
# held for anything else than a refusal counts as refused no more.
_MOVE = """UPDATE delivery SET state = :new, proof = '', attempts = :attempts, next_attempt_ns = :then,
    code = :code, reason = :reason, status = :status, changed_ns = :now,
    in_doubt = :in_doubt, asked = :asked, setbacks = :setbacks,
    refused = :refused OR (refused AND :new <> 'held'),
    sent_to = CASE :new WHEN 'sending'
        THEN coalesce((SELECT generation FROM destination AS d WHERE d.name = delivery.destination), 0)
        ELSE sent_to END
    WHERE id = :id AND state = :state AND destination = :destination AND sop_instance_uid = :sop_instance_uid"""


class Line(Enum):
    """The three lines in which deliveries wait for one destination."""

    TODAY = auto()  # queued today, the oldest first
    BACKLOG = auto()  # queued before, the oldest first
    SET_BACK = auto()  # a transfer of it broke or was refused: by the time of its next attempt


class Deliveries:
    """The table `delivery`. Files know nothing of it: after a rebuild a person or the archive decides."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._rows = PeerRows("delivery", peer="destination", database=database, clock=clock)

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

    def unsettled(self, *, limit: int = 500) -> builtins.list[Delivery]:
        """Return what did not leave, oldest first; what needs nobody comes last: in time it would fill the list."""
        where, needless = "state IN ('queued', 'sending', 'held')", f"state = 'held' AND code IN ({_QUIET})"
        return self._select(f"{where} ORDER BY {needless}, id LIMIT ?", (*QUIET, limit))

    def counts(self) -> dict[tuple[str, DeliveryState], int]:
        """Return how many deliveries each destination has in each state."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT destination, state, count(*) FROM delivery GROUP BY 1, 2")
            return {(row[0], DeliveryState(row[1])): row[2] for row in rows}

    def held(self, code: str, *, limit: int) -> builtins.list[Delivery]:
        """Return deliveries that are held with this code, oldest first."""
        return self._select("state = 'held' AND code = ? ORDER BY id LIMIT ?", (code, limit))

    def stopped(self) -> dict[str, int]:
        """Return how many deliveries of each destination are held and need a person."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT destination, count(*) FROM delivery WHERE state = 'held' "  # noqa: S608 - marks only
                f"AND code IN ({_QUIET}) GROUP BY 1",
                QUIET,
            )
            quiet = {row[0]: int(row[1]) for row in rows}
        held = {name: count for (name, state), count in self.counts().items() if state is DeliveryState.HELD}
        left = {name: count - quiet.get(name, 0) for name, count in held.items()}
        return {name: count for name, count in left.items() if count > 0}

    def first_stopped(self, destination: str) -> Delivery | None:
        """Return the oldest delivery of a destination that is held and needs a person, what one held back last."""
        found = self._select(
            f"state = 'held' AND destination = ? AND code NOT IN ({_QUIET}) ORDER BY code = ?, id LIMIT 1",
            (destination, *QUIET, BY_PERSON),
        )
        return found[0] if found else None

    def first_tried(self, destination: str) -> Delivery | None:
        """Return what was tried in vain and waits for its next try, the next one of a destination first."""
        found = self._select(
            "state = 'queued' AND destination = ? AND next_attempt_ns > ? AND code <> '' "
            "ORDER BY next_attempt_ns LIMIT 1",
            (destination, self._clock.utc_ns()),
        )
        return found[0] if found else None

    def newest(self) -> int:
        """Return the id of the delivery that was queued last; 0 when there is none."""
        with self._database.read() as connection:
            (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM delivery").fetchone()
        return int(newest)

    def newer(self, delivery: int, *, limit: int) -> builtins.list[Delivery]:
        """Return what was queued after that one."""
        return self._select("id > ? ORDER BY id LIMIT ?", (delivery, limit))

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
        """Return the ready deliveries of one exam: the oldest of the line `first`, else of another one.

        `today_ns`: when today began, UTC ns; `but_not`: an exam that had its turn just now, unless it is alone.
        A `next_attempt_ns` further away than `cap_s` was written by a clock that was wrong: it counts as ready.
        """
        now = self._clock.utc_ns()
        ready = (now, now + int(cap_s * 1e9))
        lines = (first, *(line for line in Line if line is not first))
        for passed_over in dict.fromkeys((but_not, "")):
            for line in lines:
                if exam := self._next_exam(destination, line, ready, today_ns, passed_over):
                    return self._of_exam(exam, destination, ready, limit, set_back=line is Line.SET_BACK)
        return []

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
        set_back: bool = False,
        refused: bool = False,
    ) -> bool:
        """Move a delivery that is still as it was seen; False when somebody else moved it first.

        `in_doubt`: see Delivery; None = as before. `asked`: a person wants it now. `set_back`: others go first now.
        `refused`: for itself; see Destinations.refused. Raises WrongState when `owner` may not make this move.
        """
        states.check(states.DELIVERY, delivery.state, new, owner)
        now = self._clock.utc_ns()
        values = {
            "new": new,
            "attempts": delivery.attempts if attempts is None else attempts,
            "then": now + int(wait_s * 1e9),
            "code": code,
            "reason": reason,
            "status": status,
            "now": now,
            "in_doubt": delivery.in_doubt if in_doubt is None else in_doubt,
            "asked": asked,
            "setbacks": 0 if asked else delivery.setbacks + set_back,
            "refused": refused,
        }
        with self._database.write() as connection:
            changed = connection.execute(_MOVE, {**asdict(delivery), **values}).rowcount
        return changed == 1

    def postpone(
        self,
        deliveries: Sequence[Delivery],
        *,
        wait_s: float,
        code: str,
        reason: str,
        status: str = "",
        set_back: bool = False,
    ) -> None:
        """Let what still waits wait with its destination, which was tried in vain; at most one exam's batch.

        `set_back`: they may be why, so others go before them from now on.
        """
        now = self._clock.utc_ns()
        values = (now + int(wait_s * 1e9), code, reason, status, now, set_back)
        with self._database.write() as connection:
            connection.executemany(
                "UPDATE delivery SET attempts = attempts + 1, next_attempt_ns = ?, code = ?, reason = ?, "
                "status = ?, changed_ns = ?, asked = 0, setbacks = setbacks + ? "
                "WHERE id = ? AND state = 'queued' AND destination = ? AND sop_instance_uid = ?",
                [(*values, d.id, d.destination, d.sop_instance_uid) for d in deliveries],
            )

    def explain_waiting(self, destination: str, *, code: str, reason: str) -> None:
        """Say with everything that waits for a destination why; its turn and its tries stay as they are."""
        self._rows.update(
            "code = ?, reason = ?",
            "state = 'queued' AND destination = ? AND code <> ?",
            (destination, code),
            new=(code, reason),
        )

    def explain(self, delivery: Delivery, *, code: str, reason: str) -> bool:
        """Say otherwise why a delivery is held; False when it is not held as it was seen any more."""
        return self.send_instead(delivery, code=code, reason=reason)

    def send_instead(self, delivery: Delivery, *uids: str, code: str, reason: str) -> bool:
        """Queue other objects for the destination of a held delivery, and say so with that one; both or neither.

        False when it is not held as it was seen any more: a person may have moved or dropped it meanwhile.
        `uids`: of the other objects, whose rows exist.
        """
        now = self._clock.utc_ns()
        seen = (delivery.id, delivery.code, delivery.sop_instance_uid, delivery.destination)
        with self._database.write() as connection:
            changed = connection.execute(
                "UPDATE delivery SET code = ?, reason = ?, changed_ns = ? "
                "WHERE id = ? AND state = 'held' AND code = ? AND sop_instance_uid = ? AND destination = ?",
                (code, reason, now, *seen),
            ).rowcount
            if changed:
                _queue_beside(connection, delivery, uids, now)
        return changed == 1

    def send_before(self, delivery: Delivery, *uids: str) -> bool:
        """Queue other objects for the destination of a delivery; False when that does not wait for it any more."""
        seen = (delivery.id, delivery.sop_instance_uid, delivery.destination)
        with self._database.write() as connection:
            waits = connection.execute(
                "SELECT 1 FROM delivery "
                "WHERE id = ? AND state = 'queued' AND sop_instance_uid = ? AND destination = ?",
                seen,
            ).fetchone()
            if waits:
                _queue_beside(connection, delivery, uids, self._clock.utc_ns())
        return waits is not None

    def hold(self, delivery: int, *, uid: str = "") -> Delivery:
        """Hold back a waiting delivery for a person. Raises NotFound, WrongState.

        uid: of the object that is meant. Numbers are given anew when an exam is erased or the index rebuilt.
        """
        return self._by_person(delivery, uid, DeliveryState.HELD, BY_PERSON, "Held back by a person.")

    def release(self, delivery: int, *, uid: str = "") -> Delivery:
        """Let a held delivery go again; `uid` as in `hold`. Raises NotFound, WrongState."""
        return self._by_person(delivery, uid, DeliveryState.QUEUED)

    def release_all(self, code: str, *, destination: str = "") -> int:
        """Let everything go that is held with this code, or what of it is a destination's; return how many."""
        where = "state = 'held' AND code = ?" + (" AND destination = ?" if destination else "")
        values = (code, destination) if destination else (code,)
        return self._rows.update(
            "state = 'queued', next_attempt_ns = 0, attempts = 0, code = '', reason = '', status = '', asked = 1, "
            "setbacks = 0",
            where,
            values,
        )

    def held_by_code(self, destination: str) -> dict[str, int]:
        """Return how many of a destination one word can let go, by code, the most frequent first."""
        return self._rows.held_by_code(destination, without=NOT_AT_ONCE)

    def retry(self, *, delivery: int = 0, destination: str = "") -> int:
        """Let waiting deliveries be tried at once: one, a destination's, or all; return how many."""
        where = "state = 'queued'"
        values: tuple[str | int, ...] = ()
        if delivery:
            where, values = where + " AND id = ?", (*values, delivery)
        if destination:
            where, values = where + " AND destination = ?", (*values, destination)
        return self._rows.update("next_attempt_ns = 0, asked = 1", where, values)

    def forget_waits(self, destination: str) -> int:
        """Let what waits for its next try be tried at once: settings may have changed, here or there."""
        now = self._clock.utc_ns()
        return self._rows.update(
            "next_attempt_ns = 0",
            "state = 'queued' AND destination = ? AND next_attempt_ns > ?",
            (destination, now),
        )

    def take_asked(self, destination: str) -> bool:
        """Say whether a person asked for a try at once since this was called last: one wish, one try."""
        return self._rows.take_asked(destination)

    def forget_leases(self, destination: str = "") -> int:
        """Queue again what a sender was sending that is gone or lost track: all, or one destination's."""
        return self._rows.forget_leases(destination)

    def forget_tries(self, destination: str) -> int:
        """Forget what an archive answered, and might have, that is not the destination any more."""
        return self._rows.update(
            "in_doubt = 0, next_attempt_ns = 0, setbacks = 0, status = '', refused = 0",
            "destination = ? AND state IN ('queued', 'held') AND "
            "(in_doubt = 1 OR next_attempt_ns > 0 OR setbacks > 0 OR status <> '' OR refused = 1)",
            (destination,),
        )

    # --- inside -------------------------------------------------------------------------------------------

    def _next_exam(
        self, destination: str, line: Line, ready: tuple[int, int], today_ns: int, passed_over: str
    ) -> str | None:
        """Return the exam at the head of a line. What is not ready yet is few: what failed in the last minutes."""
        waits = "destination = ? AND state = 'queued' AND exam <> ?"
        is_ready = "(+next_attempt_ns <= ? OR +next_attempt_ns > ?)"
        searches = {
            Line.TODAY: ("delivery_turn", f"setbacks = 0 AND queued_ns >= ? AND {is_ready}", "queued_ns, id"),
            Line.BACKLOG: ("delivery_turn", f"setbacks = 0 AND queued_ns < ? AND {is_ready}", "queued_ns, id"),
            Line.SET_BACK: ("delivery_set_back", f"setbacks > 0 AND {is_ready}", "next_attempt_ns, id"),
        }
        index, which, order = searches[line]
        values = (destination, passed_over, *(() if line is Line.SET_BACK else (today_ns,)), *ready)
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT exam FROM delivery INDEXED BY {index} WHERE {waits} AND {which} ORDER BY {order} LIMIT 1",  # noqa: S608 - fixed words
                values,
            ).fetchone()
        return None if row is None else str(row["exam"])

    def _of_exam(
        self, exam: str, destination: str, ready: tuple[int, int], limit: int, *, set_back: bool
    ) -> builtins.list[Delivery]:
        # The plus signs keep SQLite on the index of the exam.
        where = (
            "exam = ? AND +destination = ? AND +state = 'queued' AND (next_attempt_ns <= ? OR next_attempt_ns > ?)"
        )
        line, order = ("> 0", "+next_attempt_ns, id") if set_back else ("= 0", "id")
        return self._select(
            f"{where} AND +setbacks {line} ORDER BY {order} LIMIT ?", (exam, destination, *ready, limit)
        )

    def _by_person(self, delivery: int, uid: str, new: DeliveryState, code: str = "", reason: str = "") -> Delivery:
        seen = self.get(delivery)
        if uid and seen.sop_instance_uid != uid:
            raise NotFound("There is no such delivery.")
        asked = new is DeliveryState.QUEUED
        if not self.move(seen, new, Owner.PANEL, attempts=0, code=code, reason=reason, asked=asked):
            raise WrongState
        return self.get(delivery)

    def _select(self, where: str, values: Sequence[str | int]) -> builtins.list[Delivery]:
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM delivery WHERE {where}", values).fetchall()  # noqa: S608 - fixed words
        return [_delivery(row) for row in rows]


def _queue_beside(connection: sqlite3.Connection, delivery: Delivery, uids: Sequence[str], now_ns: int) -> None:
    """Queue objects for the destination of a delivery; where that may have gone before, they may have as well."""
    connection.executemany(
        "INSERT INTO delivery (sop_instance_uid, exam, destination, state, in_doubt, changed_ns, queued_ns) "
        "VALUES (?, ?, ?, 'queued', ?, ?, ?) ON CONFLICT DO NOTHING",
        [(uid, delivery.exam, delivery.destination, delivery.in_doubt, now_ns, now_ns) for uid in uids],
    )


def _delivery(row: sqlite3.Row) -> Delivery:
    values = dict(row)
    converted = {"state": DeliveryState(values["state"]), "in_doubt": bool(values["in_doubt"])}
    return Delivery(**{**values, **converted})
