"""The box in numbers: since when pictures wait, and until when the disk lasts as it is filled at present."""

from dataclasses import dataclass
from datetime import date, timedelta

from gateway.messages import N_
from gateway.panel.shown import charts, names
from gateway.panel.shown.charts import Bar, Line
from gateway.spool.disk.room import Room
from gateway.spool.queue import backlog
from gateway.spool.spool import Spool

LIMITS_MIN = (10, 60, 480, 1440)
AGES = N_(("up to 10 min", "up to 1 hour", "up to 8 hours", "up to 1 day", "longer"))
_SEEN = 14  # days on which the filling is measured
SHOWN = 30  # days that the chart foresees
_FAR = 3650  # days: nobody foresees more


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """How many pictures wait for archives, by how long they have waited; `total`: as the badge counts them."""

    bars: list[Bar]
    preparing: int  # they wait from when they are made on, and stand in no bar
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """How the disk fills. `full_on`: the day as people write it, "" when that is not foreseen."""

    line: Line
    usable: int  # bytes that pictures may take, as `total` and `daily`
    total: int
    daily: int  # of the last days, those without exams as well
    days: int | None
    full_on: str


def waiting(spool: Spool, archives: list[str]) -> Waiting:
    counts = backlog.ages(spool, archives, limits_min=LIMITS_MIN)
    preparing = backlog.preparing(spool) if archives else 0
    return Waiting(bars=charts.bars(counts), preparing=preparing, total=sum(counts) + preparing)


def disk(spool: Spool, room: Room, today: date) -> Forecast:
    """Return until when the disk lasts, if it is filled as in the last days and nothing is let go.

    What the reserve holds is no picture's room (docs/decisions/0016-disk.md).
    """
    daily, usable = _daily(spool, today), max(0, room.usable)
    days = usable // daily if daily else _FAR
    return Forecast(
        line=charts.falling(usable / max(1, room.total), per_step=daily / max(1, room.total), steps=SHOWN),
        usable=usable,
        total=room.total,
        daily=daily,
        days=days if days < _FAR else None,
        full_on=names.day(f"{today + timedelta(days=days):%Y%m%d}") if days < _FAR else "",
    )


def _daily(spool: Spool, today: date) -> int:
    """Return how many bytes pictures took a day, lately; of a box that is newer, since its first exam."""
    since = today - timedelta(days=_SEEN)
    with spool.database.read() as connection:
        row = connection.execute(
            "SELECT coalesce(sum(json_extract(c.document, '$.bytes')), 0) AS bytes, min(e.opened_at) AS first "
            "FROM capture AS c JOIN exam AS e ON e.id = c.exam WHERE e.opened_at >= ? AND c.state <> 'recording'",
            (since.isoformat(),),
        ).fetchone()
    if not row["first"]:
        return 0
    days = max(1, (today - date.fromisoformat(row["first"][:10])).days + 1)
    return int(row["bytes"]) // days
