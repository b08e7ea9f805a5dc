"""The cached worklist: the last good answer of each server and its age. Usable with every server down."""

import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.clock import Clock
from gateway.errors import NotFound, WorklistError
from gateway.model import WorklistItem
from gateway.spool import records
from gateway.spool.database import Database

_BATCH = 100  # rows a transaction
_FOUND = 10**12  # generations above belong to entries that were looked for; they are no part of the list
_FOUND_KEPT = 30  # refreshes, so about minutes, that these stay
_ENTER = (
    "INSERT INTO worklist_item (server, id, generation, document, answer) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (server, id) DO UPDATE SET generation = excluded.generation, "
    "document = excluded.document, answer = excluded.answer"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerState:
    """How a worklist server is doing. Times are UTC in ns, 0 = never."""

    server: str
    answered_ns: int = 0
    asked_ns: int = 0
    code: str = ""
    problem: str = ""


class Worklist:
    """The tables `worklist_item` and `worklist_server`: a cache, so nothing here has a file."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def items(self, *, found: bool = True) -> builtins.list[WorklistItem]:
        """Return the cached items without their answers, by scheduled time; without those `found` by a search."""
        most = 2 * _FOUND if found else _FOUND
        with self._database.read() as connection:
            rows = connection.execute("SELECT document FROM worklist_item WHERE generation < ?", (most,)).fetchall()
        loaded = [records.load(WorklistItem, row["document"]) for row in rows]
        return sorted(loaded, key=lambda item: (item.procedure.scheduled_at, item.patient.name, item.id))

    def get(self, item: str) -> WorklistItem:
        """Return one item with its answer. Raises NotFound when it left the list."""
        with self._database.read() as connection:
            row = connection.execute("SELECT document, answer FROM worklist_item WHERE id = ?", (item,)).fetchone()
        if row is None:
            raise NotFound("This entry is no longer on the worklist.", action="Refresh the list and choose again.")
        return replace(records.load(WorklistItem, row["document"]), answer=row["answer"])

    def servers(self) -> builtins.list[ServerState]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT server, answered_ns, asked_ns, code, problem FROM worklist_server")
            return [ServerState(**dict(row)) for row in rows]

    def replace(self, server: str, items: Sequence[WorklistItem]) -> None:
        """Put a server's new answer in place of its last one."""
        now = self._clock.utc_ns()
        with self._database.write() as connection:
            connection.execute("INSERT INTO worklist_server (server) VALUES (?) ON CONFLICT DO NOTHING", (server,))
            (generation,) = connection.execute(
                "UPDATE worklist_server SET generation = generation + 1 WHERE server = ? RETURNING generation",
                (server,),
            ).fetchone()
        for start in range(0, len(items), _BATCH):
            rows = [
                (server, item.id, generation, records.dump(item).decode(), item.answer)
                for item in items[start : start + _BATCH]
            ]
            with self._database.write() as connection:
                connection.executemany(_ENTER, rows)
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM worklist_item WHERE server = ? AND (generation < ? OR generation BETWEEN ? AND ?)",
                (server, generation, _FOUND, _FOUND + generation - _FOUND_KEPT),
            )
            connection.execute(
                "UPDATE worklist_server SET answered_ns = ?, asked_ns = ?, code = '', problem = '' "
                "WHERE server = ?",
                (now, now, server),
            )

    def add(self, server: str, items: Sequence[WorklistItem]) -> None:
        """Enter what was looked for at a server beside its list, for about half an hour.

        What is on the list stays there.
        """
        with self._database.write() as connection:
            connection.execute("INSERT INTO worklist_server (server) VALUES (?) ON CONFLICT DO NOTHING", (server,))
            (generation,) = connection.execute(
                "SELECT generation FROM worklist_server WHERE server = ?", (server,)
            ).fetchone()
            rows = [
                (server, item.id, _FOUND + generation, records.dump(item).decode(), item.answer) for item in items
            ]
            listed = connection.execute(
                "SELECT id FROM worklist_item WHERE server = ? AND generation < ?", (server, _FOUND)
            )
            known = {row["id"] for row in listed}
            connection.executemany(_ENTER, [row for row in rows if row[1] not in known])

    def failed(self, server: str, error: WorklistError) -> None:
        """Note that a server gave no usable answer; its last good one stays."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO worklist_server (server, asked_ns, code, problem) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (server) DO UPDATE SET asked_ns = excluded.asked_ns, code = excluded.code, "
                "problem = excluded.problem",
                (server, self._clock.utc_ns(), error.code, error.what),
            )

    def forget(self, is_meant: Callable[[WorklistItem], bool]) -> None:
        """Remove entries; a server that still has them brings them again with its next answer."""
        meant = [(item.server, item.id) for item in self.items() if is_meant(item)]
        with self._database.write() as connection:
            connection.executemany("DELETE FROM worklist_item WHERE server = ? AND id = ?", meant)

    def keep_only(self, servers: Sequence[str]) -> None:
        """Forget servers that are no longer configured."""
        marks = ", ".join("?" * len(servers))
        with self._database.write() as connection:
            for table in ("worklist_item", "worklist_server"):
                connection.execute(f"DELETE FROM {table} WHERE server NOT IN ({marks})", tuple(servers))  # noqa: S608 - fixed names
