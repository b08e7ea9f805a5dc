"""What waits for each destination: how much, since when. Looks, and changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.model import Identity
from gateway.spool.spool import Spool

MINUTE_NS = 60_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What one destination has not got yet and will get by itself."""

    destination: str
    exams: int
    objects: int
    bytes: int


def of(spool: Spool) -> list[Backlog]:
    """Return what waits or is being sent, by destination."""
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT d.destination, count(DISTINCT d.exam) AS exams, count(*) AS objects, "
            "coalesce(sum(json_extract(o.document, '$.bytes')), 0) AS bytes FROM delivery AS d "
            "JOIN object AS o ON o.sop_instance_uid = d.sop_instance_uid "
            "WHERE d.state IN ('queued', 'sending') GROUP BY d.destination ORDER BY d.destination"
        ).fetchall()
    return [Backlog(**dict(row)) for row in rows]


def ages(spool: Spool, destinations: Sequence[str], *, limits_min: Sequence[int]) -> list[int]:
    """Return how many objects wait for at most each number of minutes, and last how many wait for longer."""
    now = spool.clock.utc_ns()
    marks = ", ".join("?" * len(destinations))
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT queued_ns FROM delivery WHERE state IN ('queued', 'sending') "  # noqa: S608 - marks only
            f"AND destination IN ({marks})",
            tuple(destinations),
        ).fetchall()
    counts = [0] * (len(limits_min) + 1)
    for row in rows:
        age = (now - row["queued_ns"]) / MINUTE_NS
        counts[next((at for at, limit in enumerate(limits_min) if age <= limit), len(limits_min))] += 1
    return counts


def unmade(spool: Spool) -> int:
    """Return how many captures of exams that ended have no DICOM object yet, and how many exams leave next."""
    with spool.database.read() as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM capture JOIN exam ON exam.id = capture.exam WHERE capture.state = 'saved' "
            "AND capture.problem_code = '' AND capture.sealed = 0 AND exam.state IN ('released', 'discontinued') "
            "AND NOT EXISTS (SELECT 1 FROM object WHERE object.capture = capture.sop_instance_uid)"
        ).fetchone()
    named = tuple(each for each in Identity if each is not Identity.TEMPORARY)
    return int(count) + len(spool.exams.unquestioned(identities=named))
