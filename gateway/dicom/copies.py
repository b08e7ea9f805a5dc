"""Checks that what a worklist order said stands in an object byte for byte. Knows the mapping on its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.dicom import charset, elements, values
from gateway.dicom.elements import Element, Elements
from gateway.dicom.order import read_kept_order
from gateway.errors import ObjectError, TextDoesNotFit
from gateway.model import Exam, Identity, Procedure

_RAS = "RequestAttributesSequence"
_STEP = "ScheduledProcedureStepSequence"
# (where in the object, keyword there, where in the order, keyword there): PS3.17 J.2.2 and J.4
MAPPING = (
    ("", "PatientName", "", "PatientName"),
    ("", "PatientID", "", "PatientID"),
    ("", "IssuerOfPatientID", "", "IssuerOfPatientID"),
    ("", "StudyInstanceUID", "", "StudyInstanceUID"),
    ("", "AccessionNumber", "", "AccessionNumber"),
    ("", "ReferringPhysicianName", "", "ReferringPhysicianName"),
    ("", "AdmissionID", "", "AdmissionID"),
    ("", "PerformedProcedureStepDescription", _STEP, "ScheduledProcedureStepDescription"),
    (_RAS, "StudyInstanceUID", "", "StudyInstanceUID"),
    (_RAS, "AccessionNumber", "", "AccessionNumber"),
    (_RAS, "RequestedProcedureID", "", "RequestedProcedureID"),
    (_RAS, "RequestedProcedureDescription", "", "RequestedProcedureDescription"),
    (_RAS, "ReasonForTheRequestedProcedure", "", "ReasonForTheRequestedProcedure"),
    (_RAS, "RequestingPhysician", "", "RequestingPhysician"),
    (_RAS, "ScheduledProcedureStepID", _STEP, "ScheduledProcedureStepID"),
    (_RAS, "ScheduledProcedureStepDescription", _STEP, "ScheduledProcedureStepDescription"),
)


def check(header: Elements, exam: Exam, order: bytes | None, further: Sequence[bytes] = ()) -> None:
    """Compare an object with its exam's orders. Raises ObjectError naming the element that differs.

    A value that the exam itself says otherwise, or that its VR does not allow, need not come through. An
    unscheduled exam has no request attributes at all.
    """
    sequence = header.find(_RAS)
    if exam.identity is not Identity.WORKLIST:
        if sequence:
            raise ObjectError("An exam without order has request attributes.")
        return
    if order is None:
        return
    items = list(sequence.items if sequence else ())
    orders = [_Ordered(read_kept_order(order), exam.procedure, exam.character_set, exam.study_instance_uid)]
    for named, content in zip(exam.further, further, strict=True):
        orders.append(_Ordered(read_kept_order(content), named.procedure, named.character_set, ""))
    for number, each in enumerate(orders):
        requested = _has_request(each) or (len(orders) == 1 and bool(items))
        item = (items.pop(0) if items else Elements()) if requested else None
        _compare(header, item, each, exam, study=number == 0)
    if items:
        raise ObjectError("The sealed object has request attributes that no order asked for.")


@dataclass(frozen=True, slots=True)
class _Ordered:
    """One order of an exam: as received, and what the exam knows of it."""

    found: Elements
    procedure: Procedure
    character_set: str
    study_instance_uid: str  # what the exam says that it is; "" = nothing


def _compare(header: Elements, item: Elements | None, ordered: _Ordered, exam: Exam, *, study: bool) -> None:
    """Compare one order with the item that requests it and, of the first one, with patient and study."""
    written = header.text("SpecificCharacterSet")
    told = _told(exam, ordered)
    for place, keyword, source_place, source_keyword in MAPPING:
        source = (ordered.found.first(source_place) if source_place else ordered.found).find(source_keyword)
        target_in = item if place else header if study else None
        if source is None or not source.bare.strip() or target_in is None:
            continue
        if not place and keyword == "AccessionNumber" and exam.further and not exam.accession_number:
            continue  # several orders with numbers of their own: the study has none
        text = _text(source, keyword, ordered.character_set)
        if text is None or told.get(keyword, text) != text:
            continue
        target = target_in.find(keyword)
        if target is None or not _equal(source, target, text, ordered.character_set, written):
            raise ObjectError(f"{keyword} of the sealed object is not what the order says.")


def _has_request(ordered: _Ordered) -> bool:
    """Say whether there is an id that request attributes can stand on."""
    found, step = ordered.found, ordered.found.first(_STEP)
    ids = (
        (found.find("RequestedProcedureID"), "RequestedProcedureID"),
        (step.find("ScheduledProcedureStepID"), "ScheduledProcedureStepID"),
    )
    return any(source and _text(source, keyword, ordered.character_set) for source, keyword in ids)


def _told(exam: Exam, ordered: _Ordered) -> dict[str, str]:
    """What the exam says itself; it counts where the order differs."""
    patient, procedure = exam.patient, ordered.procedure
    said = {
        "PatientName": patient.name,
        "PatientID": patient.id,
        "IssuerOfPatientID": patient.issuer,
        "StudyInstanceUID": ordered.study_instance_uid,
        "AccessionNumber": procedure.accession_number,
        "ReferringPhysicianName": procedure.referring_physician,
        "RequestedProcedureID": procedure.requested_procedure_id,
        "ScheduledProcedureStepID": procedure.step_id,
    }
    return {keyword: text for keyword, text in said.items() if text}


def _text(source: Element, keyword: str, character_set: str) -> str | None:
    """Return the order's text; None when no object could carry it under that keyword."""
    vr = elements.vr_of(elements.tag(keyword))
    try:
        text = charset.decode(source.value, character_set if vr in charset.TEXT_VRS else "")
    except TextDoesNotFit:
        return None
    return text if values.allowed(vr, text) else None


def _equal(source: Element, target: Element, text: str, character_set: str, written: str) -> bool:
    if character_set == written or target.vr not in charset.TEXT_VRS:
        return source.bare == target.bare
    return charset.decode(target.value, written) == text
