"""What waits for each destination: how much, since when. Looks, and changes nothing.

Objects are counted for each destination; people count pictures, each once wherever it goes (`Counted`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gateway.model import UNSETTLED, DeliveryState, Identity
from gateway.spool.queue.deliveries import QUIET
from gateway.spool.spool import Spool

MINUTE_NS = 60_000_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What one destination has not got yet and will get by itself."""

    destination: str
    exams: int
    objects: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Which:
    """Deliveries in one state: `to` these destinations (None = any), `but_not` to those."""

    state: DeliveryState
    to: Collection[str] | None = None
    but_not: Collection[str] = ()
    tried: bool = False  # only what was tried in vain and waits for its next try
    stopped: bool = False  # only what needs a person


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """How many pictures and exams there are, each once. A list of key images is none, but no list is overlooked."""

    pictures: int
    exams: int


def counted(spool: Spool, *wanted: Which) -> Counted:
    """Return how many pictures have a delivery like any of these; what was made of a clip is that clip."""
    parts, values, now = [], list[str | int](), spool.clock.utc_ns()
    for which in wanted:
        part, more = _condition(which, now)
        parts.append(part)
        values += more
    with spool.database.read() as connection:
        row = connection.execute(
            "SELECT count(DISTINCT c.sop_instance_uid) AS pictures, count(DISTINCT d.exam) AS exams "  # noqa: S608 - marks only
            "FROM delivery AS d JOIN object AS o ON o.sop_instance_uid = d.sop_instance_uid "
            f"LEFT JOIN capture AS c ON c.sop_instance_uid = o.capture WHERE {' OR '.join(parts)}",
            values,
        ).fetchone()
    return Counted(pictures=row["pictures"] or min(1, row["exams"]), exams=row["exams"])


def stopped_exams(spool: Spool, names: Sequence[str], *, most: int) -> list[str]:
    """Return the newest exams with a picture that goes nowhere by itself. `names`: the destinations there are."""
    held, more = _condition(Which(state=DeliveryState.HELD, stopped=True), 0)
    orphaned, others = _condition(Which(state=DeliveryState.QUEUED, but_not=names), 0)
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT id FROM exam WHERE id IN ("  # noqa: S608 - marks only
            "SELECT exam FROM capture WHERE state = 'saved' AND problem_code <> '' "
            f"UNION SELECT d.exam FROM delivery AS d WHERE {held} OR {orphaned}) ORDER BY opened_at DESC LIMIT ?",
            (*more, *others, most),
        ).fetchall()
    return [row["id"] for row in rows]


def _condition(which: Which, now: int) -> tuple[str, list[str | int]]:
    """Return a condition of marks and fixed words, and the values of its marks."""
    part, values = f"d.state = '{which.state}'", list[str | int]()
    if which.state in UNSETTLED:  # in the words of the index, without which SQLite reads all that ever left
        part += " AND d.state IN ('queued', 'sending', 'held')"
    if which.to is not None:
        part += f" AND d.destination IN ({', '.join('?' * len(which.to))})"
        values += which.to
    if which.but_not:
        part += f" AND d.destination NOT IN ({', '.join('?' * len(which.but_not))})"
        values += which.but_not
    if which.tried:
        part += " AND d.code <> '' AND d.next_attempt_ns > ?"
        values.append(now)
    if which.stopped:
        part += f" AND d.code NOT IN ({', '.join('?' * len(QUIET))})"
        values += QUIET
    return f"({part})", values


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
    """Return how many pictures wait for at most each number of minutes, and last how many wait for longer."""
    now = spool.clock.utc_ns()
    marks = ", ".join("?" * len(destinations))
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT min(d.queued_ns) AS queued_ns FROM delivery AS d "  # noqa: S608 - marks only
            "JOIN object AS o ON o.sop_instance_uid = d.sop_instance_uid "
            f"WHERE d.state IN ('queued', 'sending') AND d.destination IN ({marks}) GROUP BY o.capture",
            tuple(destinations),
        ).fetchall()
    counts = [0] * (len(limits_min) + 1)
    for row in rows:
        age = (now - row["queued_ns"]) / MINUTE_NS
        counts[next((at for at, limit in enumerate(limits_min) if age <= limit), len(limits_min))] += 1
    return counts


def oldest(spool: Spool) -> dict[str, tuple[float, float]]:
    """Return, by destination, for how long the oldest waits to be sent, and since when one is sent and unproven.

    Seconds; 0 for nothing.
    """
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT destination, min(queued_ns) AS waits, NULL AS sent FROM delivery "
            "WHERE state IN ('queued', 'sending') GROUP BY destination UNION ALL "
            "SELECT destination, NULL, min(changed_ns) FROM delivery WHERE state = 'sent' GROUP BY destination"
        ).fetchall()
    found: dict[str, tuple[float, float]] = {}
    for row in rows:
        waits, sent = found.get(row["destination"], (0.0, 0.0))
        found[row["destination"]] = (waits or _age_s(spool, row["waits"]), sent or _age_s(spool, row["sent"]))
    return found


def _age_s(spool: Spool, since_ns: int | None) -> float:
    return 0.0 if since_ns is None else max(0.0, (spool.clock.utc_ns() - since_ns) / 1e9)


def kept(spool: Spool) -> tuple[int, int]:
    """Return how many pictures are on this box, and how many bytes they took when they were stored."""
    with spool.database.read() as connection:
        row = connection.execute(
            "SELECT count(*), coalesce(sum(json_extract(document, '$.bytes')), 0) FROM capture "
            "WHERE purged = '' AND state <> 'recording'"
        ).fetchone()
    return int(row[0]), int(row[1])


_UNMADE = (
    "SELECT count(*) FROM capture JOIN exam ON exam.id = capture.exam WHERE capture.state = 'saved' "
    "AND capture.problem_code = '' AND capture.sealed = 0 "
    "AND NOT EXISTS (SELECT 1 FROM object WHERE object.capture = capture.sop_instance_uid) AND "
)
_ENDED = "exam.state IN ('released', 'discontinued')"
_LEAVES_NEXT = "(exam.state = 'finished' AND exam.please_check = '' AND exam.identity <> ?)"


def unmade(spool: Spool) -> int:
    """Return how many captures of exams that ended have no DICOM object yet, and how many exams leave next."""
    with spool.database.read() as connection:
        (count,) = connection.execute(_UNMADE + _ENDED).fetchone()
    named = tuple(each for each in Identity if each is not Identity.TEMPORARY)
    return int(count) + len(spool.exams.unquestioned(identities=named))


def preparing(spool: Spool) -> int:
    """Return of how many pictures the DICOM object is being made or is made next."""
    with spool.database.read() as connection:
        (count,) = connection.execute(f"{_UNMADE}({_ENDED} OR {_LEAVES_NEXT})", (Identity.TEMPORARY,)).fetchone()
    return int(count)


def in_the_open_exam(spool: Spool) -> int:
    """Return how many pictures wait for the end of the exam that is open: nothing sends them before."""
    with spool.database.read() as connection:
        (count,) = connection.execute(f"{_UNMADE}exam.state = 'open'").fetchone()
    return int(count)


def unmakeable(spool: Spool) -> int:
    """Return of how many pictures no DICOM object can be made: they stay until a person did something."""
    with spool.database.read() as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM capture WHERE state = 'saved' AND problem_code <> ''"
        ).fetchone()
    return int(count)
