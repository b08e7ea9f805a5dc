"""Finds exams on this box by patient, numbers and day. Looks, and changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from gateway.model import Exam
from gateway.spool import days, records
from gateway.spool.exam_records import NOT_EMPTY
from gateway.spool.spool import Spool

_SEARCHED = ("patient.name", "patient.id", "procedure.accession_number")
_FIELDS = " || ' ' || ".join(f"coalesce(json_extract(document, '$.{path}'), '')" for path in _SEARCHED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Exams, the one opened last first; `more`: there are others that fit."""

    exams: tuple[Exam, ...]
    more: bool


def search(
    spool: Spool,
    *,
    fits: Callable[[str], bool],
    first: date | None = None,
    last: date | None = None,
    limit: int,
    but_empty: bool = False,
) -> Found:
    """Return exams of which name, ID and numbers fit, opened on the days `first` to `last` by the box's own time.

    `but_empty`: without those that ended with nothing in them. Only what fits is read whole: a box has thousands.
    """
    exams: list[Exam] = []
    for identifier, fields in _rows(spool, days.around(first, last), but_empty=but_empty):
        if not fits(fields):
            continue
        exam = _exam(spool, identifier)
        day = exam.opened.local.date() if exam else None
        if exam is None or day is None or (first and day < first) or (last and day > last):
            continue
        if len(exams) == limit:
            return Found(exams=tuple(exams), more=True)
        exams.append(exam)
    return Found(exams=tuple(exams), more=False)


def _rows(spool: Spool, around: tuple[str, str], *, but_empty: bool) -> list[tuple[str, str]]:
    which = "opened_at >= ? AND opened_at < ?" + (f" AND {NOT_EMPTY}" if but_empty else "")
    with spool.database.read() as connection:
        rows = connection.execute(
            f"SELECT id, {_FIELDS} AS fields FROM exam WHERE {which} ORDER BY opened_at DESC, id",  # noqa: S608 - fixed names
            around,
        ).fetchall()
    return [(row["id"], row["fields"]) for row in rows]


def _exam(spool: Spool, identifier: str) -> Exam | None:
    """Return an exam; None when it was erased meanwhile."""
    with spool.database.read() as connection:
        row = connection.execute("SELECT document FROM exam WHERE id = ?", (identifier,)).fetchone()
    return records.load(Exam, row["document"]) if row else None
