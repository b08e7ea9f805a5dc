"""Whom an exam is about: made from a worklist item, from typed words, or from nothing but the time."""

import json
import re
from collections.abc import Sequence

from gateway.clock import Clock
from gateway.config.settings import Station
from gateway.dicom import order
from gateway.errors import BadValue, WorklistError, WrongState
from gateway.model import Exam, Identity, Patient, Procedure, WorklistItem
from gateway.panel.calls import bodies
from gateway.panel.calls.bodies import Values
from gateway.panel.shown import names
from gateway.spool.subjects import Further, Subject

_GROUPS, _COMPONENTS, _GROUP_LONGEST = 3, 5, 64  # of a PN (PS3.5 6.2)
_ID_LONGEST = 64
FIRST_YEAR = 1850  # nobody older is alive
_NAME_LONGEST = _GROUPS * _GROUP_LONGEST + _GROUPS - 1


def of_items(items: Sequence[WorklistItem]) -> Subject:
    """Return the subject of worklist items that are done in one go; the study is the first one's.

    Raises BadValue when one does not say who the patient is, or they are not all of one patient.
    """
    first, *others = items
    for item in items:
        _check_complete(item)
    if any(item.patient != first.patient for item in others):
        raise BadValue(
            "These entries of the worklist are not all of the same patient.",
            code="different-patients",
            action="Choose entries of one patient. If they are already, ask the front desk why they differ.",
        )
    return Subject(
        identity=Identity.WORKLIST,
        patient=first.patient,
        procedure=first.procedure,
        study_instance_uid=first.study_instance_uid,
        study_key="" if first.study_instance_uid else study_key(first),
        server=first.server,
        character_set=first.character_set,
        worklist_item=first.id,
        answer=first.answer,
        further=tuple(
            Further(
                procedure=item.procedure,
                character_set=item.character_set,
                worklist_item=item.id,
                answer=item.answer,
            )
            for item in others
        ),
    )


def _check_complete(item: WorklistItem) -> None:
    action = "Type the patient, or start without patient; ask the front desk to complete the entry."
    if not item.patient.name.strip("^= "):
        raise BadValue("This entry of the worklist has no patient name.", code="patient-incomplete", action=action)
    if not item.patient.id:
        raise BadValue("This entry of the worklist has no patient ID.", code="patient-incomplete", action=action)


def study_key(item: WorklistItem) -> str:
    """Return under what a missing Study UID is made once; two patients never share a key."""
    ordered = item.procedure
    if ordered.accession_number:
        issuer = _issuer_of_accession(item)
        parts = ["accession", item.server, issuer, ordered.accession_number, ordered.requested_procedure_id]
    elif ordered.requested_procedure_id and ordered.step_id:
        parts = ["step", item.server, ordered.requested_procedure_id, ordered.step_id]
    else:
        parts = ["item", item.server, item.id]
    return json.dumps([*parts, item.patient.issuer, item.patient.id], ensure_ascii=False)


def typed(values: Values, *, station: Station, clock: Clock) -> Subject:
    """Return the subject of typed words; without an ID the box makes one. Raises BadValue, BadRequest."""
    words = bodies.table(values, "patient", "name", "id", "issuer", "birth_date", "sex")
    name = _name(bodies.text(words, "name", longest=_NAME_LONGEST, required=True))
    identifier = _without_backslash(bodies.text(words, "id", longest=_ID_LONGEST), "The patient's ID")
    issuer = _without_backslash(bodies.text(words, "issuer", longest=_ID_LONGEST), "The ID's issuer")
    patient = Patient(
        name=name,
        id=identifier or _made(station.typed_id, station, clock),
        issuer=(issuer or station.issuer) if identifier else own_issuer(station),
        birth_date=_birth_date(bodies.text(words, "birth_date"), clock),
        sex=_sex(bodies.text(words, "sex")),
    )
    return Subject(identity=Identity.TYPED, patient=patient, procedure=_procedure(values))


def again(before: Exam, values: Values) -> Subject:
    """Return the subject of a further exam of the patient of this one. Raises BadValue, BadRequest, WrongState."""
    if before.identity is Identity.TEMPORARY or before.please_check:
        raise WrongState(
            "Nobody has said yet who the patient of that exam is.", action="Choose, or check, its patient first."
        )
    return Subject(identity=Identity.TYPED, patient=before.patient, procedure=_procedure(values))


def _procedure(values: Values) -> Procedure:
    ordered = bodies.table(values, "procedure", "description", "accession_number", "referring_physician")
    return Procedure(
        description=_without_backslash(bodies.text(ordered, "description"), "The description"),
        accession_number=_without_backslash(
            bodies.text(ordered, "accession_number", longest=16), "The accession number"
        ),
        referring_physician=_referring(bodies.text(ordered, "referring_physician", longest=_NAME_LONGEST)),
    )


def temporary(*, station: Station, clock: Clock) -> Subject:
    """Return the subject of an exam without patient: an ID that is never made twice, which is its name as well."""
    identifier = _made(station.temporary_id, station, clock)
    patient = Patient(name=identifier, id=identifier, issuer=f"TEMPORARY-{station.name}"[:_ID_LONGEST])
    return Subject(identity=Identity.TEMPORARY, patient=patient)


def own_issuer(station: Station) -> str:
    """Return the issuer of the IDs that this box makes for patients who are typed without one."""
    return f"LOCAL-{station.name}"[:_ID_LONGEST]


def _made(template: str, station: Station, clock: Clock) -> str:
    """Return an ID that no box makes a second time, whatever becomes of its clock and its disk."""
    now = clock.now().local
    return template.format(
        station=station.name, date=f"{now:%Y%m%d}", time=f"{now:%H%M%S}", random4=clock.digits(4)
    )


def _issuer_of_accession(item: WorklistItem) -> str:
    try:
        issuer = order.read_order(item.answer).first("IssuerOfAccessionNumberSequence")
    except WorklistError:
        return ""
    return issuer.text("UniversalEntityID") or issuer.text("LocalNamespaceEntityID")


def _name(name: str) -> str:
    groups = name.split("=")
    if (
        len(groups) > _GROUPS
        or any(len(group) > _GROUP_LONGEST or group.count("^") >= _COMPONENTS for group in groups)
        or "\\" in name
    ):
        raise BadValue(
            "The patient's name is not one that DICOM can hold.",
            action="Write it as Family^Given, at most 64 characters, without backslash.",
        )
    if not groups[0].partition("^")[0].strip():
        raise BadValue("The patient's family name is missing.")
    return re.sub(r"\^+(?==|$)", "", name)


def _birth_date(text: str, clock: Clock) -> str:
    if not text:
        return ""
    day = names.as_date(text)
    if day is None or day.year < FIRST_YEAR:
        raise BadValue("The birth date is no day of the calendar.", action="Write it as YYYYMMDD.")
    if day > clock.now().local.date():
        raise BadValue("The birth date is in the future.", action="Check the birth date and the box's clock.")
    return text


def _sex(text: str) -> str:
    if text not in {"", "M", "F", "O"}:
        raise BadValue("The sex is none of M, F, O and empty.")
    return text


def _without_backslash(text: str, what: str) -> str:
    if "\\" in text:
        raise BadValue(f"{what} contains a backslash.", action="Write it without backslash.")
    return text


def _referring(name: str) -> str:
    return _name(name) if name else ""
