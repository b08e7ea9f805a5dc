"""Everything of one patient, as an administrator is shown it before it is erased, and as the call erases it.

Starts from an exam: its patient's ID stands in no address. Looks into the spool and changes nothing.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from gateway.errors import ScopegateError, WrongState
from gateway.model import Exam, Identity
from gateway.panel.shown import names
from gateway.spool.erasure import erasable_patient
from gateway.spool.erasure.erasable import Loss
from gateway.spool.erasure.erasable_patient import Everything
from gateway.spool.spool import Spool

MOST = 100  # exams at a time: a patient of every day's tests has thousands, and all of these are in memory
LONGEST = MOST * 27  # signs of as many exams as `agreed` names them


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An exam that goes, with what is lost, or one that stays, with the reason."""

    exam: str
    when: str
    procedure: str
    other: str  # the patient's name where it is not the one above the page
    keep: bool
    loss: Loss | None = None
    why: ScopegateError | None = None


def known(exam: Exam) -> bool:
    """Say whether an exam has a patient of whom there may be others."""
    return exam.identity is not Identity.TEMPORARY and bool(exam.patient.id)


def exams_of(spool: Spool, exam: Exam) -> Iterator[Exam]:
    """Return the exams of this one's patient, the oldest first. Raises WrongState."""
    if not known(exam):
        raise WrongState(
            "Nobody has said yet who the patient of that exam is.", action="Choose, or check, its patient first."
        )
    return erasable_patient.of_patient(spool, exam.patient.id, exam.patient.issuer)


def of_patient(spool: Spool, exam: Exam, *, required: Collection[str], servers: Collection[str]) -> Everything:
    """Return what of this exam's patient would go, and what stays. Raises WrongState."""
    found = exams_of(spool, exam)
    return erasable_patient.everything(spool, found, required=required, servers=servers, most=MOST)


def agreed(loss: Loss) -> str:
    """Return an exam, its revision and its pictures in one word: with another patient, say, it is another."""
    pictures = hashlib.sha256(" ".join(sorted(loss.uids)).encode()).hexdigest()
    return f"{loss.exam.id}:{loss.exam.revision}:{pictures[:8]}"


def rows(found: Everything, about: Exam, today: date) -> tuple[list[Row], list[Row]]:
    """Return the rows of what goes, and of what stays."""
    return (
        [row(loss.exam, about, today, loss=loss) for loss in found.going],
        [row(each.exam, about, today, why=each.why) for each in found.staying],
    )


def row(
    exam: Exam, about: Exam, today: date, *, loss: Loss | None = None, why: ScopegateError | None = None
) -> Row:
    """Return the row of an exam, on a page about the patient of another one."""
    one, other = exam.patient, about.patient
    same = (one.name.casefold(), one.birth_date) == (other.name.casefold(), other.birth_date)
    return Row(
        exam=exam.id,
        when=names.clock_time_of_day(exam.opened.local, today),
        procedure=exam.procedure.description,
        other="" if same else names.one_line(one.name),
        keep=exam.keep,
        loss=loss,
        why=why,
    )
