"""Who on the worklist was examined here today already. Looks; changes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.model import WRONG_ENTRY, Exam, WorklistItem
from gateway.panel.shown import amounts, names
from gateway.spool.days import Taken
from gateway.spool.subjects import same_patient


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """The last of today's exams that a row of the list was for. `counts`: what was taken in all of them."""

    exam: str
    at: str
    counts: str


def examined(item: WorklistItem, taken: Iterable[Taken]) -> Examined | None:
    """Return what was taken today for this entry, or of its patient where either is without one; None = nothing.

    What was taken for another order of the patient leaves this one to be done.
    """
    found = [each for each in taken if _is_for(each.exam, item)]
    if not found:
        return None
    return Examined(exam=found[-1].exam.id, at=names.clock_time(found[-1].exam.opened.local), counts=_counts(found))


def _is_for(exam: Exam, item: WorklistItem) -> bool:
    if exam.discontinued == WRONG_ENTRY or exam.please_check:  # it may be another patient's
        return False
    entries = {exam.worklist_item, *(each.worklist_item for each in exam.further)} - {""}
    if entries and item.id:
        return item.id in entries
    return same_patient(exam.patient, item.patient)


def _counts(found: Sequence[Taken]) -> str:
    stills, clips = sum(each.stills for each in found), sum(each.clips for each in found)
    return amounts.how_many(stills=stills, clips=clips)
