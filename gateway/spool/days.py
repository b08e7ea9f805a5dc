"""What became of a day's exams, as the index knows it. Looks, and changes nothing."""

from dataclasses import dataclass
from datetime import date, timedelta

from gateway.model import Exam
from gateway.spool import pictures, records
from gateway.spool.pictures import Picture
from gateway.spool.spool import Spool

REQUEST = "day-check"  # the kind of request by which forward asks the archives about a day


@dataclass(frozen=True, kw_only=True, slots=True)
class ExamOfDay:
    """One exam and everything that was captured in it."""

    exam: Exam
    recording: int  # clips that are recorded at this moment
    pictures: tuple[Picture, ...]


def of(spool: Spool, day: date) -> list[ExamOfDay]:
    """Return the exams that were opened on that day by the box's own time, the first one first."""
    around = ((day - timedelta(days=1)).isoformat(), (day + timedelta(days=2)).isoformat())  # UTC is not local time
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT document FROM exam WHERE opened_at >= ? AND opened_at < ? ORDER BY opened_at, id", around
        ).fetchall()
    exams = (records.load(Exam, row["document"]) for row in rows)
    recording = [exam for exam, _ in spool.captures.recording()]
    return [
        ExamOfDay(exam=exam, recording=recording.count(exam.id), pictures=pictures.of_exam(spool, exam.id))
        for exam in exams
        if exam.opened.local.date() == day
    ]
