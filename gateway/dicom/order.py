"""Worklist answers: kept around their exact bytes, read as items. Repairs nothing, says what is missing."""

import hashlib
from datetime import date
from functools import lru_cache

from gateway.dicom import charset, part10, values
from gateway.dicom.elements import Element, Elements, Malformed
from gateway.dicom.part10 import EXPLICIT_LE, IMPLICIT_LE, Meta
from gateway.errors import ObjectError, TextDoesNotFit, WorklistError
from gateway.model import Patient, Procedure, WorklistItem

_WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
_LONGEST = 256 * 1024  # bytes of an answer; a long one with comments and codes takes 10,000
_REQUIRED = ("PatientName", "PatientID", "StudyInstanceUID", "RequestedProcedureID")
_STEP = "ScheduledProcedureStepSequence"
_REQUIRED_OF_STEP = ("ScheduledProcedureStepID", "ScheduledProcedureStepStartDate", "Modality")
_IN_OBJECTS = {"AccessionNumber": "SH", "PatientID": "LO", "PatientName": "PN"}


def wrap_answer(raw: bytes, transfer_syntax_uid: str) -> bytes:
    """Return a PS3.10 file around an identifier's bytes exactly as received.

    Raises WorklistError for another transfer syntax than Implicit and Explicit VR Little Endian.
    """
    if transfer_syntax_uid not in {IMPLICIT_LE, EXPLICIT_LE}:
        raise WorklistError("The worklist server answered in a transfer syntax that was not offered.")
    digest = hashlib.sha256(raw).digest()[:16]
    meta = Meta(
        sop_class_uid=_WORKLIST_FIND,
        sop_instance_uid=f"2.25.{int.from_bytes(digest, 'big')}",  # an answer has none; the same one stays
        transfer_syntax_uid=transfer_syntax_uid,
    )
    return part10.preface(meta) + raw


def read_order(file: bytes) -> Elements:
    """Read a file made by `wrap_answer`. Raises WorklistError."""
    try:
        return part10.read_data_set(file)
    except Malformed as error:
        raise WorklistError("The worklist server sent an entry that cannot be read.") from error


@lru_cache(8)  # each object of an exam copies from it, and is compared with it
def read_kept_order(file: bytes) -> Elements:
    """Read an exam's order.dcm. Raises ObjectError: it was readable when the exam was opened."""
    try:
        return part10.read_data_set(file)
    except Malformed as error:
        raise ObjectError("The order kept with this exam cannot be read.") from error


def worklist_item(answer: bytes, *, server: str, fallback_charset: str = "", issuer: str = "") -> WorklistItem:
    """Read one worklist answer, a file made by `wrap_answer`.

    `fallback_charset`: SpecificCharacterSet for servers that do not say theirs. `issuer`: of their patient IDs,
    when the answer names none. Raises WorklistError when the bytes are no data set, too many, or name no patient.
    """
    if len(answer) > _LONGEST:
        raise WorklistError("The worklist server sent an entry that is longer than any order.")
    order = read_order(answer)
    character_set = character_set_of(order, fallback_charset)
    patient = _patient(order, character_set, issuer)
    procedure = _procedure(order, character_set)
    if not patient.id and _is_emptied(patient.name):
        raise WorklistError("The worklist server sent an entry without patient.")
    study = order.text("StudyInstanceUID")
    study = study if values.is_uid(study) else ""
    return WorklistItem(
        id=_digest(answer, server, patient, study, procedure),
        server=server,
        patient=patient,
        procedure=procedure,
        study_instance_uid=study,
        character_set=character_set,
        missing=_missing(order, character_set, study),
        answer=answer,
    )


def scheduled_within(item: WorklistItem, *, first: date, last: date, modality: str = "") -> bool:
    """Say whether an item's step starts on one of these days and is of this modality; unstated counts as yes.

    Servers are asked for both, and some answer with all that they have.
    """
    day, found = item.procedure.scheduled_at[:8], item.procedure.modality
    in_time = not day or f"{first:%Y%m%d}" <= day <= f"{last:%Y%m%d}"
    return in_time and (not modality or found in {"", modality})


def character_set_of(order: Elements, fallback: str = "") -> str:
    """Return the character set of an order's texts: the server's word, else the fallback, else UTF-8 if it fits.

    A server that says nothing, or something undefined, and sends only ASCII gets the fallback. When nothing fits,
    or the server's own word does not, texts show replacement characters and `missing` says SpecificCharacterSet.
    """
    terms = order.value("SpecificCharacterSet").decode("ascii", "replace").split("\\")
    said = "\\".join(term.strip() for term in terms)
    said = said if charset.known(said) and said != "ISO_IR 6" else ""
    if said:
        return said
    guess = "" if _plain(order) else charset.UTF8
    for candidate in (fallback if charset.known(fallback) else "", guess):
        if candidate and _reads(order, candidate):
            return candidate
    return ""


def text(element: Element | None, character_set: str) -> str:
    """Return a value for display; what cannot be read shows as replacement characters."""
    return charset.decode_for_display(element.value, character_set) if element else ""


def _reads(order: Elements, character_set: str) -> bool:
    try:
        for value in _texts(order):
            charset.decode(value, character_set)
    except TextDoesNotFit:
        return False
    return True


def _plain(order: Elements) -> bool:
    return all(charset.is_plain(value) for value in _texts(order))


def _texts(order: Elements) -> list[bytes]:
    return [each.value for each in order.walk() if each.vr in charset.TEXT_VRS]


def _patient(order: Elements, character_set: str, issuer: str) -> Patient:
    sex = order.text("PatientSex").upper()
    return Patient(
        name=text(order.find("PatientName"), character_set),
        id=text(order.find("PatientID"), character_set),
        issuer=text(order.find("IssuerOfPatientID"), character_set) or issuer,
        birth_date=values.as_date(order.text("PatientBirthDate")),
        sex=sex if sex in {"M", "F", "O"} else "",  # unknown, not asked, U, N: empty
    )


def _procedure(order: Elements, character_set: str) -> Procedure:
    step = order.first(_STEP)
    descriptions = (
        order.find("RequestedProcedureDescription"),
        step.find("ScheduledProcedureStepDescription"),
        order.first("RequestedProcedureCodeSequence").find("CodeMeaning"),
        step.first("ScheduledProtocolCodeSequence").find("CodeMeaning"),
    )
    return Procedure(
        description=next(filter(None, (text(each, character_set) for each in descriptions)), ""),
        accession_number=text(order.find("AccessionNumber"), character_set),
        requested_procedure_id=text(order.find("RequestedProcedureID"), character_set),
        step_id=text(step.find("ScheduledProcedureStepID"), character_set),
        modality=step.text("Modality"),
        scheduled_at=_scheduled_at(step),
        referring_physician=text(order.find("ReferringPhysicianName"), character_set),
    )


def _scheduled_at(step: Elements) -> str:
    day = values.as_date(step.text("ScheduledProcedureStepStartDate"))
    time = step.text("ScheduledProcedureStepStartTime").replace(":", "").split(".")[0]
    return day + time if day and values.allowed("TM", time) else day


def _digest(answer: bytes, server: str, patient: Patient, study: str, procedure: Procedure) -> str:
    """Name an item so that it keeps its name when the list is asked again, and never has another patient's.

    Servers use one ID for many (UNKNOWN, 0) and correct names: what a person confirmed must be what is opened.
    """
    whose = (patient.id, patient.issuer, patient.name, patient.birth_date, patient.sex)
    parts = (study or procedure.accession_number, procedure.requested_procedure_id, procedure.step_id)
    known = [part.encode("utf-8", "replace") for part in (*whose, *parts)] if any(parts) else [answer]
    return hashlib.sha256(b"\0".join([server.encode(), *known])).hexdigest()[:32]


def _missing(order: Elements, character_set: str, study: str) -> tuple[str, ...]:
    """Name the type 1 elements that are absent, empty or unusable, and what objects could not carry."""
    step = order.find(_STEP)
    found = [keyword for keyword in _REQUIRED if not order.value(keyword).strip()]
    if _is_partly_emptied(text(order.find("PatientName"), character_set)):
        found.append("PatientName")
    if not study:
        found.append("StudyInstanceUID")
    if step is None or not step.items:
        found.append(_STEP)
    else:
        found += [keyword for keyword in _REQUIRED_OF_STEP if not step.items[0].value(keyword).strip()]
    for keyword, vr in _IN_OBJECTS.items():
        if not values.allowed(vr, text(order.find(keyword), character_set)):
            found.append(keyword)
    if not _reads(order, character_set):
        found.append("SpecificCharacterSet")
    return tuple(dict.fromkeys(found))


def _is_emptied(name: str) -> bool:
    """Say whether nothing of a name is left but its separators."""
    return not name.strip("^= ")


def _is_partly_emptied(name: str) -> bool:
    """Say whether a whole component group lost its letters: servers do so with scripts that they cannot keep."""
    return any(group and not group.strip("^ ") for group in name.split("=")) or name.strip(" ?^=") == ""
