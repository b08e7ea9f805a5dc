"""Messages about performed procedure steps: their files, and the queue of each server. Knows no network.

What a message says is a file that never changes once it is queued. In which order messages go is decided here: a
set never goes before its create was taken.
"""

import builtins
import sqlite3
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import NotFound, WrongState
from gateway.model import Exam, MessageKind, MessageState, StepMessage
from gateway.spool import states
from gateway.spool.database import Database
from gateway.spool.files import Files, still_there
from gateway.spool.paths import Layout
from gateway.spool.queue.batches import PeerRows
from gateway.spool.states import Owner

_COLUMNS = """id, exam, step, server, kind, state, attempts, next_attempt_ns, reason, code, status, in_doubt,
    changed_ns"""
# A set waits for its create; a create that was taken back for another try holds its set again.
_MAY_GO = """(kind = 'create' OR EXISTS (SELECT 1 FROM step_message AS before WHERE before.step = step_message.step
    AND before.server = step_message.server AND before.kind = 'create' AND before.state = 'sent'))"""


class Steps:
    """The table `step_message`, and the files that its messages are made of."""

    def __init__(self, *, layout: Layout, files: Files, database: Database, clock: Clock) -> None:
        self._layout = layout
        self._files = files
        self._database = database
        self._clock = clock
        self._rows = PeerRows("step_message", peer="server", database=database, clock=clock)

    # --- files --------------------------------------------------------------------------------------------

    def path(self, exam: str, step: str, kind: MessageKind) -> Path:
        return self._layout.step(exam, step, kind)

    def write(self, exam: str, step: str, kind: MessageKind, content: bytes) -> None:
        """Write what a message says, a PS3.10 file, durably; before it is queued."""
        with still_there():
            self._files.write(self.path(exam, step, kind), [content])

    # --- looking ------------------------------------------------------------------------------------------

    def get(self, message: int) -> StepMessage:
        """Return the message. Raises NotFound."""
        found = self._select("id = ?", (message,))
        if not found:
            raise NotFound("There is no such message.")
        return found[0]

    def of_exam(self, exam: str) -> builtins.list[StepMessage]:
        """Return an exam's messages in the order in which they were queued."""
        return self._select("exam = ? ORDER BY id", (exam,))

    def of_step(self, step: str, kind: MessageKind) -> builtins.list[StepMessage]:
        return self._select("step = ? AND kind = ? ORDER BY id", (step, kind))

    def list(self, *, states_wanted: Sequence[MessageState] = (), limit: int = 500) -> builtins.list[StepMessage]:
        """Return messages, oldest first."""
        wanted = tuple(states_wanted) or tuple(MessageState)
        marks = ", ".join("?" * len(wanted))
        return self._select(f"state IN ({marks}) ORDER BY id LIMIT ?", (*wanted, limit))

    def told(self) -> set[str]:
        """Return the servers that ever took a message."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT DISTINCT server FROM step_message WHERE state = 'sent'")
            return {row[0] for row in rows}

    def counts(self) -> dict[tuple[str, MessageState], int]:
        """Return how many unsettled messages each server has in each state."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT server, state, count(*) FROM step_message "
                "WHERE state IN ('queued', 'sending', 'held') GROUP BY 1, 2"
            )
            return {(row[0], MessageState(row[1])): row[2] for row in rows}

    def waiting(self) -> dict[str, int]:
        """Return how many unsettled messages each server has, also one that is not configured any more."""
        return self._rows.unsettled()

    def orphans(self, configured: Container[str]) -> dict[str, int]:
        """Return what waits for nobody: how many unsettled messages each server has that is not configured."""
        return {name: count for name, count in self.waiting().items() if name not in configured}

    def under_way(self) -> builtins.list[str]:
        """Return the exams with a step of which something is still to be said."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT DISTINCT exam FROM step_message WHERE kind = 'create' AND ended = 0")
            return [row[0] for row in rows]

    def due(self, server: str, *, cap_s: float) -> StepMessage | None:
        """Return the message that goes next, if one is ready.

        A `next_attempt_ns` further away than `cap_s` was written by a clock that was wrong: it counts as ready.
        """
        now = self._clock.utc_ns()
        waiting = f"server = ? AND state = 'queued' AND {_MAY_GO}"
        for bound, limit_ns in (("<=", now), (">", now + int(cap_s * 1e9))):
            ready = f"{waiting} AND next_attempt_ns {bound} ? ORDER BY next_attempt_ns, id LIMIT 1"
            if found := self._select(ready, (server, limit_ns)):
                return found[0]
        return None

    # --- queueing -----------------------------------------------------------------------------------------

    def queue(
        self,
        exam: Exam,
        step: str,
        kind: MessageKind,
        servers: Sequence[str],
        *,
        state: MessageState = MessageState.QUEUED,
        code: str = "",
        reason: str = "",
        in_doubt: bool = False,
    ) -> None:
        """Write the rows of a message whose file is durable; those that exist stay as they are.

        With its set queued, nothing more is to be said of a step.
        """
        now = self._clock.utc_ns()
        with self._database.write() as connection:
            connection.executemany(
                "INSERT INTO step_message (exam, step, server, kind, state, code, reason, in_doubt, changed_ns) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(exam.id, step, server, kind, state, code, reason, in_doubt, now) for server in servers],
            )
            if kind is MessageKind.SET:
                connection.executemany(
                    "UPDATE step_message SET ended = 1 WHERE step = ? AND server = ? AND kind = 'create'",
                    [(step, server) for server in servers],
                )

    def withdraw(self, message: StepMessage) -> bool:
        """Take back a create that never left; False when it was claimed meanwhile."""
        states.check(states.STEP_MESSAGE, message.state, MessageState.WITHDRAWN, Owner.FORWARD)
        with self._database.write() as connection:
            changed = connection.execute(
                "UPDATE step_message SET state = 'withdrawn', ended = 1, changed_ns = ? "
                "WHERE id = ? AND state = 'queued' AND in_doubt = 0",
                (self._clock.utc_ns(), message.id),
            ).rowcount
        return changed == 1

    # --- moving -------------------------------------------------------------------------------------------

    def claim(self, message: StepMessage) -> StepMessage | None:
        """Move a message to `sending`, in doubt from here on; None when it is no longer as it was seen."""
        attempts = message.attempts + 1
        moved = self.move(message, MessageState.SENDING, Owner.FORWARD, attempts=attempts, in_doubt=True)
        return replace(message, state=MessageState.SENDING, attempts=attempts, in_doubt=True) if moved else None

    def move(
        self,
        message: StepMessage,
        new: MessageState,
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
        """Move a message that is still as it was seen; False when somebody else moved it first.

        `in_doubt`: None = as before. Raises WrongState when `owner` may not make this move.
        """
        states.check(states.STEP_MESSAGE, message.state, new, owner)
        now = self._clock.utc_ns()
        values = (
            new,
            message.attempts if attempts is None else attempts,
            now + int(wait_s * 1e9),
            code,
            reason,
            status,
            now,
            message.in_doubt if in_doubt is None else in_doubt,
            asked,
        )
        with self._database.write() as connection:
            changed = connection.execute(
                "UPDATE step_message SET state = ?, attempts = ?, next_attempt_ns = ?, code = ?, reason = ?, "
                "status = ?, changed_ns = ?, in_doubt = ?, asked = ? WHERE id = ? AND state = ?",
                (*values, message.id, message.state),
            ).rowcount
        return changed == 1

    def create_again(self, message: StepMessage, *, code: str, reason: str, status: str) -> None:
        """Let a step be created once more before this set of it: the server does not know it. One transaction."""
        states.check(states.STEP_MESSAGE, MessageState.SENT, MessageState.QUEUED, Owner.FORWARD)
        states.check(states.STEP_MESSAGE, message.state, MessageState.QUEUED, Owner.FORWARD)
        now = self._clock.utc_ns()
        with self._database.write() as connection:
            connection.execute(
                "UPDATE step_message SET state = 'queued', next_attempt_ns = 0, in_doubt = 1, changed_ns = ? "
                "WHERE step = ? AND server = ? AND kind = 'create' AND state = 'sent'",
                (now, message.step, message.server),
            )
            connection.execute(
                "UPDATE step_message SET state = 'queued', next_attempt_ns = 0, in_doubt = 0, code = ?, "
                "reason = ?, status = ?, changed_ns = ? WHERE id = ? AND state = ?",
                (code, reason, status, now, message.id, message.state),
            )

    def release(self, message: int) -> StepMessage:
        """Let a held message go again. Raises WrongState."""
        seen = self.get(message)
        if not self.move(seen, MessageState.QUEUED, Owner.PANEL, attempts=0, asked=True):
            raise WrongState
        return self.get(message)

    def release_all(self, code: str, *, server: str = "") -> int:
        """Let everything go that is held with this code, or what of it is a server's; return how many."""
        where = "state = 'held' AND code = ?" + (" AND server = ?" if server else "")
        return self._rows.update(
            "state = 'queued', next_attempt_ns = 0, attempts = 0, code = '', reason = '', status = '', asked = 1",
            where,
            (code, server) if server else (code,),
        )

    def held_by_code(self, server: str) -> dict[str, int]:
        """Return how many messages of a server are held, by code, the most frequent first."""
        return self._rows.held_by_code(server)

    def retry(self, server: str = "") -> int:
        """Let what waits be tried at once, of one server or of all; return how many."""
        if server:
            return self._rows.update("next_attempt_ns = 0, asked = 1", "state = 'queued' AND server = ?", (server,))
        return self._rows.update("next_attempt_ns = 0, asked = 1", "state = 'queued'", ())

    def take_asked(self, server: str) -> bool:
        """Say whether a person asked for a try at once since this was called last: one wish, one try."""
        return self._rows.take_asked(server)

    def forget_leases(self, server: str = "") -> int:
        """Queue again what a sender was sending that is gone or lost track: all, or one server's."""
        return self._rows.forget_leases(server)

    # --- inside -------------------------------------------------------------------------------------------

    def _select(self, where: str, values: Sequence[str | int]) -> builtins.list[StepMessage]:
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM step_message WHERE {where}", values).fetchall()  # noqa: S608 - fixed words
        return [_message(row) for row in rows]


def _message(row: sqlite3.Row) -> StepMessage:
    values = dict(row)
    converted = {
        "kind": MessageKind(values["kind"]),
        "state": MessageState(values["state"]),
        "in_doubt": bool(values["in_doubt"]),
    }
    return StepMessage(**{**values, **converted})
