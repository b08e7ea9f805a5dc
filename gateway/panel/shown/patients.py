"""Patients and worklist rows as values for the templates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from gateway.messages import N_
from gateway.model import Patient, WorklistItem
from gateway.panel.shown import names, similar
from gateway.panel.shown.examined import Examined, examined
from gateway.panel.shown.names import Shown
from gateway.spool.days import Taken

_MISSING = N_(
    {
        "StudyInstanceUID": "study number (the box makes one)",
        "RequestedProcedureID": "order number",
        "ScheduledProcedureStepID": "step number",
        "ScheduledProcedureStepSequence": "procedure step",
        "ScheduledProcedureStepStartDate": "scheduled date",
        "Modality": "kind of device",
        "PatientName": "readable patient name",
        "PatientID": "usable patient ID",
        "AccessionNumber": "usable accession number",
        "SpecificCharacterSet": "character set (check the name)",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientView:
    """A patient on the screen."""

    name: Shown
    line: str
    initials: str
    birth_date: str
    age: str
    sex: str
    id: str
    temporary: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemView:
    """A row of the worklist."""

    id: str
    time: str
    patient: PatientView
    procedure: str
    accession: str
    referring: str
    similar: tuple[PatientView, ...]
    missing: tuple[str, ...]
    usable: bool
    day: str  # when it is not today
    orders: int  # of the same patient on the list
    examined: Examined | None  # here, today


def patient_view(patient: Patient, *, temporary: bool, today: date) -> PatientView:
    return PatientView(
        name=names.person(patient.name),
        line=names.one_line(patient.name),
        initials=names.initials(patient.name),
        birth_date="" if temporary else names.birth_date(patient.birth_date),
        age=names.age(patient.birth_date, today),
        sex=names.SEXES.get(patient.sex, ""),
        id=patient.id,
        temporary=temporary,
    )


def item_view(
    item: WorklistItem, others: similar.Names, today: date, *, orders: int = 1, taken: Sequence[Taken] = ()
) -> ItemView:
    """Return a row. `others`: who may have a similar name; `taken`: what was taken here today."""
    alike, scheduled = others.like(item.patient), item.procedure.scheduled_at[:8]
    return ItemView(
        id=item.id,
        time=names.scheduled_time(item.procedure.scheduled_at),
        patient=patient_view(item.patient, temporary=False, today=today),
        procedure=item.procedure.description,
        accession=item.procedure.accession_number,
        referring=names.one_line(item.procedure.referring_physician) if item.procedure.referring_physician else "",
        similar=tuple(patient_view(other.patient, temporary=False, today=today) for other in alike),
        missing=tuple(_MISSING.get(keyword, keyword) for keyword in item.missing),
        usable=bool(item.patient.name.strip("^= ") and item.patient.id),
        day="" if scheduled == f"{today:%Y%m%d}" else names.day(scheduled),
        orders=orders,
        examined=examined(item, taken),
    )
