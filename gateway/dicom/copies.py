"""Checks that what a worklist order said stands in an object byte for byte. Knows the mapping on its own."""

from gateway.dicom import charset, elements, values
from gateway.dicom.elements import Element, Elements
from gateway.dicom.order import read_kept_order
from gateway.errors import ObjectError, TextDoesNotFit
from gateway.model import Exam, Identity

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


def check(header: Elements, exam: Exam, order: bytes | None) -> None:
    """Compare an object with its exam's order. Raises ObjectError naming the element that differs.

    A value that the exam itself says otherwise, or that its VR does not allow, need not come through. An
    unscheduled exam has no request attributes at all.
    """
    if exam.identity is not Identity.WORKLIST:
        if header.find(_RAS):
            raise ObjectError("An exam without order has request attributes.")
        return
    if order is None:
        return
    found = read_kept_order(order)
    written = header.text("SpecificCharacterSet")
    told = _told(exam)
    for place, keyword, source_place, source_keyword in MAPPING:
        source = (found.first(source_place) if source_place else found).find(source_keyword)
        if source is None or not source.bare.strip():
            continue
        if place == _RAS and not header.find(place) and not _has_request(found, exam):
            continue
        target = (header.first(place) if place else header).find(keyword)
        text = _text(source, keyword, exam.character_set)
        if text is None or told.get(keyword, text) != text:
            continue
        if target is None or not _equal(source, target, text, exam.character_set, written):
            raise ObjectError(f"{keyword} of the sealed object is not what the order says.")


def _has_request(order: Elements, exam: Exam) -> bool:
    """Say whether there is an id that request attributes can stand on."""
    ids = (
        (order.find("RequestedProcedureID"), "RequestedProcedureID"),
        (order.first(_STEP).find("ScheduledProcedureStepID"), "ScheduledProcedureStepID"),
    )
    return any(source and _text(source, keyword, exam.character_set) for source, keyword in ids)


def _told(exam: Exam) -> dict[str, str]:
    """What the exam says itself; it counts where the order differs."""
    patient, procedure = exam.patient, exam.procedure
    said = {
        "PatientName": patient.name,
        "PatientID": patient.id,
        "IssuerOfPatientID": patient.issuer,
        "StudyInstanceUID": exam.study_instance_uid,
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
