"""Patients who may be the one that is typed: on the worklist, or with pictures on this box. Decides nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.model import Exam, Identity, Patient, WorklistItem
from gateway.panel.shown import similar

_FAR = 2  # letters by which given names differ that are two
_LONG_ENOUGH = 4  # in shorter names one letter is no slip of the pen


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """Who may be meant: entries of the worklist, and of each other patient the exam that is here of them."""

    items: tuple[WorklistItem, ...]
    exams: tuple[Exam, ...]

    @property
    def patients(self) -> tuple[Patient, ...]:
        return (*(item.patient for item in self.items), *(exam.patient for exam in self.exams))

    def __bool__(self) -> bool:
        return bool(self.items or self.exams)


def known(patient: Patient, items: Iterable[WorklistItem], exams: Iterable[Exam]) -> Known:
    """Return who may be this patient; of `exams`, the latest first, those of temporary patients say nothing."""
    listed = tuple(item for item in items if may_be(patient, item.patient))
    seen = {(item.patient.issuer, item.patient.id) for item in listed}
    here = []
    for exam in exams:
        key = (exam.patient.issuer, exam.patient.id)
        if exam.identity is not Identity.TEMPORARY and key not in seen and may_be(patient, exam.patient):
            seen.add(key)
            here.append(exam)
    return Known(items=listed, exams=tuple(here))


def may_be(patient: Patient, other: Patient) -> bool:
    """Say whether two records may be of one person: the same ID, or names alike and no other birth date."""
    if patient.id and patient.id == other.id:
        return True
    if patient.birth_date and other.birth_date and patient.birth_date != other.birth_date:
        return False
    return similar.alike(patient.name, other.name) and _given_alike(patient.name, other.name)


def _given_alike(one: str, other: str) -> bool:
    a, b = (similar.folded(f"{name.split('=')[0]}^".split("^")[1]).strip() for name in (one, other))
    if a.startswith(b) or b.startswith(a):
        return True
    return min(len(a), len(b)) >= _LONG_ENOUGH and similar.distance(a, b) < _FAR
