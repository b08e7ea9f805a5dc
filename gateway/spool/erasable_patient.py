"""Everything of one patient that could be erased, and what stays, each exam with its reason. Changes nothing.

A patient is an ID and who issued it, to the letter, and never a name. An exam whose patient nobody chose is of
nobody, one whose patient somebody still has to check may be of another: neither goes with the others.
"""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gateway.errors import Refused, ScopegateError, WrongState
from gateway.model import Exam, Identity
from gateway.spool import erasable, records
from gateway.spool.erasable import Loss
from gateway.spool.spool import Spool

_OF = f"json_extract(document, '$.patient.id') = ? AND identity <> '{Identity.TEMPORARY}'"
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

    @property
    def pictures(self) -> int:
        """Of those that go, the number to repeat."""
        return sum(each.pictures for each in self.going)


def of_patient(spool: Spool, patient_id: str, issuer: str | None, *, most: int = -1) -> list[Exam]:
    """Return the exams of the patient with exactly this ID; `issuer`: None = whatever it is. most: -1 = all."""
    with spool.database.read() as connection:
        rows = connection.execute(
            f"SELECT document FROM exam WHERE {_OF} AND coalesce(?, {_ISSUER}) = {_ISSUER} "  # noqa: S608 - fixed words
            "ORDER BY opened_at, id LIMIT ?",
            (patient_id, issuer, most),
        ).fetchall()
    return [records.load(Exam, row["document"]) for row in rows]


def of_other_issuers(spool: Spool, patient_id: str, issuer: str) -> int:
    """Return how many exams have this ID from somebody else: they may be another person's."""
    with spool.database.read() as connection:
        (count,) = connection.execute(
            f"SELECT count(*) FROM exam WHERE {_OF} AND {_ISSUER} <> ?",  # noqa: S608 - fixed words
            (patient_id, issuer),
        ).fetchone()
    return int(count)


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
    spool: Spool, found: Sequence[Exam], *, required: Collection[str], servers: Collection[str]
) -> Everything:
    """Return what of a patient's exams would go, and what stays at this moment."""
    with spool.database.read() as connection:
        reasons = {exam.id: _why_not(connection, exam, servers) for exam in found}
    going = [exam for exam in found if reasons[exam.id] is None]
    staying = [Staying(exam=exam, why=why) for exam in found if (why := reasons[exam.id])]
    return Everything(going=tuple(erasable.each_loss(spool, going, required)), staying=tuple(staying))


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
