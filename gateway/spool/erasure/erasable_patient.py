"""Everything of one patient that could be erased, and what stays, each exam with its reason. Changes nothing.

A patient is an ID and who issued it, to the letter, and never a name. An exam whose patient nobody chose is of
nobody, one whose patient somebody still has to check may be of another: neither goes with the others.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from gateway.errors import Refused, ScopegateError, WrongState
from gateway.model import Exam, Identity
from gateway.spool import records
from gateway.spool.erasure import erasable
from gateway.spool.erasure.erasable import Loss
from gateway.spool.spool import Spool

_OF = f"json_extract(document, '$.patient.id') = ? AND identity <> '{Identity.TEMPORARY}'"
_AT_A_TIME = 100  # exams in memory
_ISSUER = "coalesce(json_extract(document, '$.patient.issuer'), '')"


@dataclass(frozen=True, kw_only=True, slots=True)
class Staying:
    """An exam that is not erased with the others."""

    exam: Exam
    why: ScopegateError


@dataclass(frozen=True, kw_only=True, slots=True)
class Everything:
    """Exams of one patient, the oldest first."""

    going: tuple[Loss, ...]
    staying: tuple[Staying, ...]
    unnamed: int  # others that stay
    more: bool  # there are others that can go

    @property
    def pictures(self) -> int:
        """Of those that go, the number to repeat."""
        return sum(each.pictures for each in self.going)


def of_patient(spool: Spool, patient_id: str, issuer: str | None) -> Iterator[Exam]:
    """Yield the exams of the patient with exactly this ID, the oldest first; `issuer`: None = whatever it is."""
    last = ("", "")
    while True:
        with spool.database.read() as connection:
            rows = connection.execute(
                f"SELECT opened_at, id, document FROM exam WHERE {_OF} AND coalesce(?, {_ISSUER}) = {_ISSUER} "  # noqa: S608 - fixed words
                "AND (opened_at, id) > (?, ?) ORDER BY opened_at, id LIMIT ?",
                (patient_id, issuer, *last, _AT_A_TIME),
            ).fetchall()
        if not rows:
            return
        yield from (records.load(Exam, row["document"]) for row in rows)
        last = (rows[-1]["opened_at"], rows[-1]["id"])


def of_other_issuers(spool: Spool, patient_id: str, issuer: str) -> list[str]:
    """Return the exams that have this ID from somebody else: they may be another person's."""
    with spool.database.read() as connection:
        rows = connection.execute(
            f"SELECT id FROM exam WHERE {_OF} AND {_ISSUER} <> ? ORDER BY opened_at, id",  # noqa: S608 - fixed words
            (patient_id, issuer),
        ).fetchall()
    return [row["id"] for row in rows]


def named_in(spool: Spool, patient_id: str) -> list[str]:
    """Return other patients' exams with a picture whose record names this ID: it was taken under it."""
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT DISTINCT exam.id FROM capture JOIN exam ON exam.id = capture.exam "
            "WHERE json_extract(capture.document, '$.patient.id') = ?1 "
            "AND json_extract(exam.document, '$.patient.id') <> ?1 ORDER BY exam.opened_at, exam.id",
            (patient_id,),
        ).fetchall()
    return [row["id"] for row in rows]


def everything(
    spool: Spool, found: Iterable[Exam], *, required: Collection[str], servers: Collection[str], most: int = -1
) -> Everything:
    """Return what of a patient's exams would go, and what stays at this moment. most: of either; -1 = all.

    However many stay, those that can go are looked for behind them: else these could never be erased.
    """
    going: list[Exam] = []
    staying: list[Staying] = []
    unnamed, more = 0, False
    for exam in found:
        with spool.database.read() as connection:
            why = _why_not(connection, exam, servers)
        if why is None and len(going) == most:
            more = True
            break
        if why is None:
            going.append(exam)
        elif len(staying) == most:
            unnamed += 1
        else:
            staying.append(Staying(exam=exam, why=why))
    losses = tuple(erasable.each_loss(spool, going, required))
    return Everything(going=losses, staying=tuple(staying), unnamed=unnamed, more=more)


def _why_not(connection: sqlite3.Connection, exam: Exam, servers: Collection[str]) -> Refused | None:
    try:
        erasable.refuse(connection, exam.id, servers)
    except Refused as why:
        return why
    if exam.please_check:
        return WrongState(
            "Nobody has confirmed the patient of this exam yet: it may be another's.",
            action="Confirm its patient, or choose the right one.",
        )
    return None
