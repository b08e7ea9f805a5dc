"""What became of a day's exams, as the index knows it. Looks, and changes nothing."""

from dataclasses import dataclass
from datetime import date, timedelta

from gateway.model import Exam
from gateway.spool import pictures, records
from gateway.spool.exam_records import NOT_EMPTY
from gateway.spool.pictures import Picture
from gateway.spool.spool import Spool

REQUEST = "day-check"  # the kind of request by which forward asks the archives about a day
CHECKED = "day-checked"  # in the audit file: that was done; `silent` counts what nobody answered
_DAY = timedelta(days=1)
_REMEMBERED = 14  # days; older ones are nobody's evening


@dataclass(frozen=True, kw_only=True, slots=True)
class ExamOfDay:
    """One exam and everything that was captured in it."""

    exam: Exam
    recording: int  # clips that are recorded at this moment
    pictures: tuple[Picture, ...]


def around(first: date | None, last: date | None) -> tuple[str, str]:
    """Return from when and before when the index has what was opened on these local days, and little more.

    It counts in UTC; before the first of all days and after the last there is none.
    """
    return (
        (max(first, date.min + _DAY) - _DAY).isoformat() if first else "",
        (min(last, date.max - 2 * _DAY) + 2 * _DAY).isoformat() if last else "9999",
    )


def of(spool: Spool, day: date) -> list[ExamOfDay]:
    """Return the exams that were opened on that day by the box's own time, the first one first."""
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT document FROM exam WHERE opened_at >= ? AND opened_at < ? ORDER BY opened_at, id",
            around(day, day),
        ).fetchall()
    exams = (records.load(Exam, row["document"]) for row in rows)
    recording = [exam for exam, _ in spool.captures.recording()]
    return [
        ExamOfDay(exam=exam, recording=recording.count(exam.id), pictures=pictures.of_exam(spool, exam.id))
        for exam in exams
        if exam.opened.local.date() == day
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """An exam that ended, and how many pictures and clips are in it; those that were removed are not counted."""

    exam: Exam
    stills: int
    clips: int


def taken(spool: Spool, day: date) -> list[Taken]:
    """Return the exams of that day that ended with pictures in them, the first one first."""
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT e.document, sum(json_extract(c.document, '$.kind') = 'still') AS stills, count(*) AS all_kinds "
            "FROM exam AS e JOIN capture AS c ON c.exam = e.id WHERE e.opened_at >= ? AND e.opened_at < ? "
            "AND e.state <> 'open' AND c.state = 'saved' GROUP BY e.id ORDER BY e.opened_at, e.id",
            around(day, day),
        ).fetchall()
    found = [
        Taken(
            exam=records.load(Exam, row["document"]), stills=row["stills"], clips=row["all_kinds"] - row["stills"]
        )
        for row in rows
    ]
    return [each for each in found if each.exam.opened.local.date() == day]


def unchecked(spool: Spool, today: date) -> list[date]:
    """Return the days before today about whose exams no archive was asked since, the last one first.

    Nobody asks about an exam that ended with nothing in it; a check that an archive did not answer is none.
    """
    checked = {
        line["day"]: line["utc"] for line in spool.audit.lately(CHECKED) if "day" in line and not line.get("silent")
    }
    since = today - timedelta(days=_REMEMBERED)
    with spool.database.read() as connection:
        rows = connection.execute(
            f"SELECT document FROM exam WHERE opened_at >= ? AND {NOT_EMPTY} ORDER BY opened_at",  # noqa: S608 - fixed
            (since.isoformat(),),
        ).fetchall()
    last: dict[date, str] = {}
    for exam in (records.load(Exam, row["document"]) for row in rows):
        last[exam.opened.local.date()] = exam.opened.utc.isoformat()
    before = [day for day in last if since <= day < today]
    return sorted((day for day in before if checked.get(day.isoformat(), "") < last[day]), reverse=True)
