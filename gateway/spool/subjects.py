"""Whom and what an exam is about, and the files that remember it: a worklist server's answers, as received."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.model import FurtherOrder, Identity, Patient, Procedure

_SECOND = 2  # the first further order


@dataclass(frozen=True, kw_only=True, slots=True)
class Further:
    """One more worklist entry that an exam is for: of the same patient, done in the same go."""

    procedure: Procedure
    character_set: str
    worklist_item: str
    answer: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Whom and what an exam is about: a worklist item, typed words, or nobody yet."""

    identity: Identity
    patient: Patient
    procedure: Procedure = field(default_factory=Procedure)
    study_instance_uid: str = ""  # "" = mint one, once per `study_key`
    study_key: str = ""
    server: str = ""
    character_set: str = ""
    worklist_item: str = ""
    answer: bytes | None = None  # the order file
    further: tuple[Further, ...] = ()  # the other entries of a grouped exam

    def answers(self, stem: str) -> Iterator[tuple[str, bytes]]:
        """Return the order files by their names, which begin with `stem`."""
        if self.answer is not None:
            yield f"{stem}.dcm", self.answer
        for number, each in enumerate(self.further, _SECOND):
            yield f"{stem}-and-{number}.dcm", each.answer

    def fields(self, exam: str, stem: str) -> dict[str, object]:
        """Return what an exam says of it; its files have names that begin with `stem`."""
        return {
            "identity": self.identity,
            "patient": self.patient,
            "procedure": self.procedure,
            "study_id": self.procedure.requested_procedure_id[:16] or exam,  # StudyID is an SH
            "study_key": self.study_key,
            "server": self.server,
            "character_set": self.character_set,
            "worklist_item": self.worklist_item,
            "order": f"{stem}.dcm" if self.answer is not None else "",
            "further": tuple(
                FurtherOrder(
                    file=f"{stem}-and-{number}.dcm",
                    worklist_item=each.worklist_item,
                    procedure=each.procedure,
                    character_set=each.character_set,
                )
                for number, each in enumerate(self.further, _SECOND)
            ),
        }


def same_patient(one: Patient, other: Patient) -> bool:
    """Say whether two records are about one person, as far as their identifiers tell."""
    if one.id != other.id or (one.issuer and other.issuer and one.issuer != other.issuer):
        return False
    return bool(one.id) or (one.name, one.birth_date) == (other.name, other.birth_date)
