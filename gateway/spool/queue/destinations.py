"""What the index remembers of each destination: which peer bears its name, with which settings.

A rebuild loses it, and may: it is learned again, and every delivery waits for a person then anyway.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from gateway.errors import NotFound
from gateway.spool.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A destination as it was configured when the forward process started last."""

    name: str
    peer: str  # its address, for people
    settings: str  # a digest of all of its settings
    generation: int = 0  # how often another peer took the name


class Taken(IntEnum):
    """Whether a form is taken, and who said so."""

    NO_CONTEXT = -1  # until one is accepted
    NO = 0  # an answer to an object
    YES = 1


class Destinations:
    """The table `destination`."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> Known:
        """Return what is remembered. Raises NotFound for one that was never started with."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT name, peer, settings, generation FROM destination WHERE name = ?", (name,)
            ).fetchone()
        if row is None:
            raise NotFound("There is no such destination.")
        return Known(**dict(row))

    def put(self, name: str, *, peer: str, settings: str) -> Known:
        """Remember how a destination is configured now; another peer begins a new generation."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO destination (name, peer, settings) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "generation = generation + (peer <> excluded.peer), peer = excluded.peer, "
                "settings = excluded.settings",
                (name, peer, settings),
            )
        return self.get(name)

    def takes(self, name: str, sop_class_uid: str, transfer_syntax_uid: str) -> bool | None:
        """Say whether a destination took this form last time; None = not known since its settings changed."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT taken FROM accepted "
                "WHERE destination = ? AND sop_class_uid = ? AND transfer_syntax_uid = ?",
                (name, sop_class_uid, transfer_syntax_uid),
            ).fetchone()
        return None if row is None else row["taken"] == Taken.YES

    def forms(self, name: str) -> dict[tuple[str, str], Taken]:
        """Return what is known of each (SOP class, transfer syntax)."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT sop_class_uid, transfer_syntax_uid, taken FROM accepted WHERE destination = ?", (name,)
            ).fetchall()
        return {(row["sop_class_uid"], row["transfer_syntax_uid"]): Taken(row["taken"]) for row in rows}

    def learn(self, name: str, forms: Mapping[tuple[str, str], Taken]) -> None:
        """Note what contexts and answers showed: whether each (SOP class, transfer syntax) is taken."""
        with self._database.write() as connection:
            connection.executemany(
                "INSERT INTO accepted VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET taken = excluded.taken",
                [(name, *form, taken) for form, taken in forms.items()],
            )

    def forget(self, name: str, forms: Iterable[tuple[str, str]]) -> None:
        """Forget what was known of some forms."""
        with self._database.write() as connection:
            connection.executemany(
                "DELETE FROM accepted WHERE destination = ? AND sop_class_uid = ? AND transfer_syntax_uid = ?",
                [(name, *form) for form in forms],
            )

    def forget_forms(self, name: str) -> None:
        """Forget what a destination took, because its settings changed."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM accepted WHERE destination = ?", (name,))

    def refused(self, name: str) -> dict[int, bool]:
        """Return what a destination refused since it took anything: delivery -> whether it is held for that."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id, state = 'held' AS held FROM delivery WHERE destination = ? AND refused = 1 ORDER BY id",
                (name,),
            )
            return {int(row["id"]): bool(row["held"]) for row in rows}

    def took(self, name: str) -> None:
        """Note that a destination took something: what it refused before is no row of refusals any more."""
        with self._database.write() as connection:
            connection.execute("UPDATE delivery SET refused = 0 WHERE destination = ? AND refused = 1", (name,))

    def orphans(self, configured: Container[str]) -> dict[str, int]:
        """Return what waits for nobody: how many deliveries did not leave for each name that is not configured."""
        counts = {name: self.unsettled(name) for name in self.with_queue() if name not in configured}
        return {name: count for name, count in counts.items() if count}

    def with_queue(self) -> tuple[str, ...]:
        """Return the names for which anything is, or ever was, in the queue."""
        found: list[str] = []
        with self._database.read() as connection:
            while True:  # one look into an index a name, however many rows there are
                (name,) = connection.execute(
                    "SELECT min(destination) FROM delivery WHERE destination > ?", (found[-1] if found else "",)
                ).fetchone()
                if name is None:
                    return tuple(found)
                found.append(name)

    def unsettled(self, name: str) -> int:
        """Return how many deliveries of a destination did not leave."""
        with self._database.read() as connection:
            (count,) = connection.execute(
                "SELECT count(*) FROM delivery WHERE destination = ? AND state IN ('queued', 'sending', 'held')",
                (name,),
            ).fetchone()
        return int(count)

    def got(self, delivery: int) -> bool:
        """Say whether the present bearer of its destination's name got what was sent, not only one before it."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT 1 FROM delivery JOIN destination ON destination.name = delivery.destination "
                "WHERE delivery.id = ? AND sent_to <> generation",
                (delivery,),
            ).fetchone()
        return row is None

    def sent_to_others(self, name: str) -> int:
        """Return how many objects were sent to a peer that bore this name before, and not to the present one."""
        with self._database.read() as connection:
            (count,) = connection.execute(
                "SELECT count(*) FROM delivery WHERE destination = ? AND state IN ('sent', 'committed') AND "
                "sent_to <> (SELECT generation FROM destination WHERE name = ?)",
                (name, name),
            ).fetchone()
        return int(count)
