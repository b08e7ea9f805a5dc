"""Whole queues by a person's hand: moved to another destination, filled, sent or asked about again, given up.

In short transactions, so that the processes go on; what is cut off in the middle is done by asking again. Never
touches an object.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.clock import Clock
from gateway.model import KEY_OBJECTS, Capture, DeliveryState, MessageState, SealedObject
from gateway.spool import records, states
from gateway.spool.database import Database
from gateway.spool.queue.batches import BATCH, PeerRows
from gateway.spool.queue.deliveries import AFTER_REBUILD, BY_PERSON
from gateway.spool.queue.proofs import ROUNDS
from gateway.spool.states import Owner

# A report about what was sent before, from the same archive or from another one, says nothing about what goes now;
# nor do its answers in vain count.
_ANEW = (
    f"proof = '', proof_round = (proof_round / {ROUNDS} + 1) * {ROUNDS}, proof_due_ns = 0, attempts = 0, "
    "next_attempt_ns = 0, status = '', asked = 0, setbacks = 0, refused = 0"
)

_BEARER = "coalesce((SELECT generation FROM destination AS d WHERE d.name = delivery.destination), 0)"
_GOT_IT = f"(sent_to = {_BEARER})"
_HERE = (  # what the box let go can be sent by nobody, and who has it stays known
    "NOT EXISTS (SELECT 1 FROM object AS o JOIN capture AS c ON c.sop_instance_uid = "
    "coalesce(nullif(json_extract(o.document, '$.derived_from'), ''), o.sop_instance_uid) "
    "WHERE o.sop_instance_uid = {}.sop_instance_uid AND c.purged <> '')"
)
_OPENED_SINCE = " AND exam IN (SELECT id FROM exam WHERE opened_at >= ?)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What became of a queue: `merged` stood in the other one already."""

    moved: int
    merged: int


class Rerouting:
    """What a person does to many deliveries at once. Two calls at the same time do no harm."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def move(self, old: str, new: str) -> Moved:
        """Let what waits or is held for `old` wait for `new`; what a person held back stays held.

        Of what is being sent at this moment nothing is moved.
        """
        moved = merged = 0
        waits = "destination = ? AND state IN ('queued', 'held')"
        held = f"state = 'held' AND code = '{BY_PERSON}'"
        for batch in self._batches(waits, (old,)):
            with self._database.write() as connection:
                moved += self._change(
                    connection,
                    f"OR IGNORE delivery SET destination = ?, {_ANEW}, in_doubt = 0, "
                    f"state = CASE WHEN {held} THEN state ELSE 'queued' END, "
                    f"reason = CASE WHEN {held} THEN reason ELSE '' END, "
                    f"code = CASE WHEN {held} THEN code ELSE '' END",
                    waits,
                    (new, old),
                    batch,
                )
                self._anew_where_another_had_it(
                    connection, new, f"{waits} AND id IN ({_marks(batch)})", (old, *batch)
                )
                merged += connection.execute(
                    f"DELETE FROM delivery WHERE {waits} AND id IN ({_marks(batch)})",  # noqa: S608 - fixed words
                    (old, *batch),
                ).rowcount
        return Moved(moved=moved, merged=merged)

    def _anew_where_another_had_it(
        self, connection: sqlite3.Connection, new: str, which: str, parameters: Sequence[object]
    ) -> None:
        """Queue again what stands in a queue already as sent, but to an earlier bearer of its name."""
        connection.execute(
            f"UPDATE delivery SET {_ANEW}, in_doubt = 0, state = 'queued', code = '', reason = '' "  # noqa: S608 - fixed words
            f"WHERE destination = ? AND state IN ('sent', 'committed') AND NOT {_GOT_IT} "
            f"AND {_HERE.format('delivery')} "
            f"AND sop_instance_uid IN (SELECT sop_instance_uid FROM delivery WHERE {which})",
            (new, *parameters),
        )

    def resend(self, destination: str, *, since: datetime | None = None, exam: str = "") -> int:
        """Queue again what was sent, of exams opened since then or of one exam; return how many.

        "Duplicate" from who got it before is a success; from a new archive under the same name it proves nothing.
        """
        for old in (DeliveryState.SENT, DeliveryState.COMMITTED):
            states.check(states.BY_PERSON, old, DeliveryState.QUEUED, Owner.PANEL)
        was_sent = f"destination = ? AND state IN ('sent', 'committed') AND {_HERE.format('delivery')}"
        of_exams = was_sent + _OPENED_SINCE + " AND ? IN ('', exam)"
        count = 0
        for batch in self._batches(of_exams, (destination, _utc(since), exam)):
            with self._database.write() as connection:
                count += self._change(
                    connection,
                    f"delivery SET {_ANEW}, state = 'queued', code = '', reason = '', in_doubt = {_GOT_IT}",
                    was_sent,
                    (destination,),
                    batch,
                )
        return count

    def same(self, destination: str) -> int:
        """Take what was sent to earlier bearers of a name as sent to the present one; return how many deliveries.

        Nothing is believed for that: what counted as proof is void, and the archive is asked again where it stands
        now. What the box let go cannot be sent any more, and keeps its proof. What waits or is held after a try may
        have arrived, by this one or under the archive's old address or name: from now on that is in doubt.
        """
        states.check(states.BY_PERSON, DeliveryState.COMMITTED, DeliveryState.SENT, Owner.PANEL)
        elsewhere = f"destination = ? AND state IN ('sent', 'committed') AND NOT {_GOT_IT}"
        here = _HERE.format("delivery")
        count = 0
        for batch in self._batches(elsewhere, (destination,)):
            with self._database.write() as connection:
                count += self._change(
                    connection,
                    f"delivery SET {_ANEW}, state = 'sent', in_doubt = 1, sent_to = {_BEARER}",
                    f"{elsewhere} AND {here}",
                    (destination,),
                    batch,
                )
                count += self._change(
                    connection, f"delivery SET sent_to = {_BEARER}", elsewhere, (destination,), batch
                )
        may_be_there = f"(attempts > 0 OR code = '{AFTER_REBUILD}')"
        tried = f"destination = ? AND state IN ('queued', 'held') AND in_doubt = 0 AND {may_be_there}"
        for batch in self._batches(tried, (destination,)):
            with self._database.write() as connection:
                self._change(connection, "delivery SET in_doubt = 1", tried, (destination,), batch)
        return count

    def drop(self, destination: str) -> int:
        """Forget what did not leave for a destination; return how many deliveries. What was sent stays known."""
        unsettled = "destination = ? AND state IN ('queued', 'sending', 'held')"
        count = 0
        for batch in self._batches(unsettled, (destination,)):
            with self._database.write() as connection:
                count += connection.execute(
                    f"DELETE FROM delivery WHERE {unsettled} AND id IN ({_marks(batch)})",  # noqa: S608 - fixed words
                    (destination, *batch),
                ).rowcount
        return count

    def drop_messages(self, server: str) -> int:
        """Give up what waits or is held for a procedure step server; return how many messages.

        Their rows stay: they say that nothing more is to be said to this server.
        """
        for old in (MessageState.QUEUED, MessageState.HELD):
            states.check(states.GIVEN_UP, old, MessageState.WITHDRAWN, Owner.PANEL)
        messages = PeerRows("step_message", peer="server", database=self._database, clock=self._clock)
        return messages.update(
            "state = 'withdrawn', ended = 1, code = '', reason = '', status = ''",
            "state IN ('queued', 'held') AND server = ?",
            (server,),
        )

    def add(self, destination: str, *, since: datetime | None, wants: Callable[[Capture], bool]) -> int:
        """Queue the sealed objects of exams opened since then, or of all, that the destination does not have.

        Return how many.

        They stand in the backlog at the time of their sealing.
        """
        count = last = 0
        goes: set[str] = set()  # a list of key images comes after what it names
        while rows := self._objects(since, last):
            last = rows[-1]["number"]
            fitting = []
            for row in rows:
                seal = records.load(SealedObject, row["seal"])
                if _is_whole_list(seal):
                    fits = goes.issuperset(json.loads(row["named"] or "[]"))
                else:
                    fits = bool(row["capture"]) and wants(records.load(Capture, row["capture"]))
                if fits:
                    fitting.append(seal)
                    goes.add(seal.sop_instance_uid)
            now = self._clock.utc_ns()
            with self._database.write() as connection:
                count += connection.executemany(
                    "INSERT INTO delivery (sop_instance_uid, exam, destination, state, changed_ns, queued_ns) "
                    "VALUES (?, ?, ?, 'queued', ?, ?) ON CONFLICT DO NOTHING",
                    [
                        (each.sop_instance_uid, each.exam, destination, now, int(each.sealed.utc.timestamp() * 1e9))
                        for each in fitting
                    ],
                ).rowcount
        return count

    # --- inside -------------------------------------------------------------------------------------------

    def _batches(self, where: str, values: Sequence[str]) -> Iterator[list[int]]:
        """Yield ids in batches of one transaction, each looked up when the one before is done."""
        last = 0
        while True:
            with self._database.read() as connection:
                rows = connection.execute(
                    f"SELECT id FROM delivery WHERE {where} AND id > ? ORDER BY id LIMIT ?",  # noqa: S608 - fixed words
                    (*values, last, BATCH),
                )
                ids = [int(row["id"]) for row in rows]
            if not ids:
                return
            yield ids
            last = ids[-1]

    def _change(
        self, connection: sqlite3.Connection, what: str, where: str, values: Sequence[str], ids: Sequence[int]
    ) -> int:
        statement = f"UPDATE {what}, changed_ns = ? WHERE {where} AND id IN ({_marks(ids)})"
        *changed, of = values
        return connection.execute(statement, (*changed, self._clock.utc_ns(), of, *ids)).rowcount

    def _objects(self, since: datetime | None, last: int) -> list[sqlite3.Row]:
        with self._database.read() as connection:
            return connection.execute(
                "SELECT object.rowid AS number, object.document AS seal, capture.document AS capture, "  # noqa: S608 - fixed words
                "(SELECT json_extract(each.value, '$.pictures') FROM "
                "json_each(exam.document, '$.key_documents') AS each "
                "WHERE json_extract(each.value, '$.sop_instance_uid') = object.sop_instance_uid) AS named "
                "FROM object "
                "JOIN exam ON exam.id = object.exam "
                "LEFT JOIN capture ON capture.sop_instance_uid = object.sop_instance_uid "
                f"WHERE exam.opened_at >= ? AND object.rowid > ? AND {_HERE.format('object')} "
                "ORDER BY object.rowid LIMIT ?",
                (_utc(since), last, BATCH),
            ).fetchall()


def _is_whole_list(sealed: SealedObject) -> bool:
    """Say whether this is a list of key images that names the captures' own objects."""
    return sealed.sop_class_uid == KEY_OBJECTS and not sealed.derived_from


def _utc(since: datetime | None) -> str:
    return since.isoformat() if since else ""  # as the exam's row has it


def _marks(ids: Sequence[int]) -> str:
    return ", ".join("?" * len(ids))
