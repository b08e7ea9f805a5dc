"""What the two queues have in common: rows that wait for one peer each, changed many at a time."""

from collections.abc import Sequence

from gateway.clock import Clock
from gateway.spool.database import Database

BATCH = 200  # rows a transaction: other writers need not wait long


class PeerRows:
    """A table with the columns id, state, next_attempt_ns, asked and changed_ns; `peer`: the column of its peer."""

    def __init__(self, table: str, *, peer: str, database: Database, clock: Clock) -> None:
        self._table = table
        self._peer = peer
        self._database = database
        self._clock = clock

    def update(self, changes: str, where: str, values: Sequence[str | int], *, new: Sequence[str] = ()) -> int:
        """Change every row for which `where` holds, in short transactions; return how many.

        `values` belong to the marks of `where`, `new` to those of `changes`. Raises SpoolError.
        """
        with self._database.read() as connection:
            ids = [row[0] for row in connection.execute(f"SELECT id FROM {self._table} WHERE {where}", values)]  # noqa: S608 - fixed words
        total = 0
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            marks = ", ".join("?" * len(batch))
            with self._database.write() as connection:
                total += connection.execute(
                    f"UPDATE {self._table} SET {changes}, changed_ns = ? WHERE {where} AND id IN ({marks})",  # noqa: S608 - fixed words
                    (*new, self._clock.utc_ns(), *values, *batch),
                ).rowcount
        return total

    def unsettled(self) -> dict[str, int]:
        """Return how many rows of each peer did not leave; none of those with none."""
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {self._peer}, count(*) FROM {self._table} "  # noqa: S608 - fixed words
                "WHERE state IN ('queued', 'sending', 'held') GROUP BY 1"
            )
            return {row[0]: row[1] for row in rows}

    def held_by_code(self, peer: str, *, without: Sequence[str] = ()) -> dict[str, int]:
        """Return how many of a peer's rows are held with each code, the most frequent first."""
        not_these = ("", *without)
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT code, count(*) FROM {self._table} WHERE state = 'held' AND {self._peer} = ? "  # noqa: S608 - fixed words
                f"AND code NOT IN ({', '.join('?' * len(not_these))}) GROUP BY code "
                "ORDER BY count(*) DESC, code",
                (peer, *not_these),
            )
            return {row[0]: row[1] for row in rows}

    def take_asked(self, peer: str) -> bool:
        """Say whether a person asked for a try at once since this was called last: one wish, one try."""
        where = f"{self._peer} = ? AND asked = 1"
        with self._database.read() as connection:
            row = connection.execute(
                f"SELECT 1 FROM {self._table} WHERE {where} AND state = 'queued' LIMIT 1",  # noqa: S608 - fixed words
                (peer,),
            ).fetchone()
        return row is not None and self.update("asked = 0", where, (peer,)) > 0

    def forget_leases(self, peer: str = "") -> int:
        """Queue again what a sender was sending that is gone or lost track: all, or one peer's; return how many."""
        changes, where = "state = 'queued', next_attempt_ns = 0", "state = 'sending'"
        if peer:
            return self.update(changes, f"{where} AND {self._peer} = ?", (peer,))
        return self.update(changes, where, ())
