"""Modality Performed Procedure Step: what is said when a step begins and when it ends (PS3.4 F.7.2).

Both are PS3.10 files around the attribute list, made once and sent as they are. The end is made from the beginning,
so that it has its character set and texts, whatever was assigned since.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.config.settings import Station
from gateway.dicom import charset, elements, part10, values
from gateway.dicom.draft import Draft
from gateway.dicom.elements import Elements, Malformed
from gateway.dicom.part10 import EXPLICIT_LE, Meta
from gateway.dicom.patient_study import local, request_of, whose
from gateway.dicom.series_equipment import PERFORMED_PROCEDURE_STEP, step_identity
from gateway.errors import ObjectError, TextDoesNotFit
from gateway.model import Exam, Identity, Step, StepState

STATUS = {
    StepState.IN_PROGRESS: "IN PROGRESS",
    StepState.COMPLETED: "COMPLETED",
    StepState.DISCONTINUED: "DISCONTINUED",
}
REASONS = {  # CID 9300, coding scheme DCM
    "110500": "Doctor canceled procedure",
    "110501": "Equipment failure",
    "110502": "Incorrect procedure ordered",
    "110503": "Patient allergic to media/contrast",
    "110504": "Patient died",
    "110505": "Patient refused to continue procedure",
    "110506": "Patient taken for treatment or surgery",
    "110507": "Patient did not arrive",
    "110508": "Patient pregnant",
    "110509": "Change of procedure for correct charging",
    "110510": "Duplicate order",
    "110511": "Nursing unit cancel",
    "110512": "Incorrect side ordered",
    "110513": "Discontinued for unspecified reason",
    "110514": "Incorrect worklist entry selected",
    "110515": "Patient condition prevented continuing",
    "110516": "Equipment change",
}
# Type 2 in N-CREATE: present, empty when nothing is known. Of type 3 the discontinuation reason: what a final
# N-SET says must have been created (PS3.4 F.7.2.2.2).
_PRESENT = (
    "ReferencedPatientSequence",
    "PerformedStationName",
    "PerformedLocation",
    "PerformedProcedureStepDescription",
    "PerformedProcedureTypeDescription",
    "ProcedureCodeSequence",
    "PerformedProcedureStepEndDate",
    "PerformedProcedureStepEndTime",
    "PerformedProcedureStepDiscontinuationReasonCodeSequence",
    "StudyID",
    "PerformedProtocolCodeSequence",
    "PerformedSeriesSequence",
)
_OF_SERIES = (
    "PerformingPhysicianName",
    "OperatorsName",
    "SeriesDescription",
    "RetrieveAETitle",
    "ReferencedImageSequence",
    "ReferencedNonImageCompositeSOPInstanceSequence",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PerformedSeries:
    """One series that a step made: SOP class and instance UIDs of its pictures, or of what is none."""

    series_instance_uid: str
    images: Sequence[tuple[str, str]] = ()
    others: Sequence[tuple[str, str]] = ()


def begun(
    exam: Exam, step: Step, *, order: bytes | None, further: Sequence[bytes], station: Station, modality: str
) -> bytes:
    """Return what is said of a step that begins: the attribute list of its N-CREATE, in a file.

    `order`, `further`: as for objects. Raises ObjectError when the patient cannot be written as they are.
    """
    request, draft = request_of(exam, order, further), Draft()
    whose(draft, exam, request, station.issuer or station.name)
    if not values.is_uid(exam.study_instance_uid):
        raise ObjectError("This exam has no usable Study Instance UID.")
    request.performed(draft)
    request.study_id(draft)
    if exam.identity is Identity.TYPED:
        draft.describe("PerformedProcedureStepDescription", exam.procedure.description)
    step_identity(draft, exam, step)
    draft.put("PerformedStationAETitle", station.ae_title)
    draft.describe("PerformedStationName", station.name)
    draft.put("PerformedProcedureStepStatus", STATUS[StepState.IN_PROGRESS])
    draft.put("Modality", modality)
    draft.present(*_PRESENT)
    return _file(step, draft.encode(request.character_set))


def over(exam: Exam, step: Step, beginning: bytes, series: Sequence[PerformedSeries]) -> bytes:
    """Return what is said of a step that ended: the modification list of its final N-SET, in a file.

    `beginning`: what `begun` returned. `series`: at least one; also a step without images has one (PS3.4 F.7.2.2).
    Raises ObjectError.
    """
    if step.ended is None or not series:
        raise ObjectError("This procedure step has not ended, or has no series.")
    said = _read(beginning)
    ended, draft = local(step.ended, exam), Draft()
    draft.put("PerformedProcedureStepStatus", STATUS[step.state])
    draft.put("PerformedProcedureStepEndDate", f"{ended:%Y%m%d}")
    draft.put("PerformedProcedureStepEndTime", f"{ended:%H%M%S.%f}")
    if step.reason:
        reason = Draft().put("CodeValue", step.reason).put("CodingSchemeDesignator", "DCM")
        reason.put("CodeMeaning", REASONS.get(step.reason, REASONS["110513"]))
        draft.sequence("PerformedProcedureStepDiscontinuationReasonCodeSequence", [reason])
    character_set = said.text("SpecificCharacterSet")
    operator = exam.operator if _fits(exam.operator, character_set) else ""
    draft.sequence("PerformedSeriesSequence", [_series(each, said, operator) for each in series])
    return _file(step, draft.encode_in(character_set))


def attribute_lists(file: bytes) -> dict[str, bytes]:
    """Return what a message says, in each transfer syntax that it may go in. Raises ObjectError."""
    found = _read(file)
    return {
        EXPLICIT_LE: elements.encode(found, explicit=True),
        part10.IMPLICIT_LE: elements.encode(found, explicit=False),
    }


def _fits(text: str, character_set: str) -> bool:
    """Say whether the message can hold a text: its character set is the beginning's, whatever comes later."""
    try:
        charset.encode(text, character_set)
    except TextDoesNotFit:
        return False
    return True


def _series(series: PerformedSeries, said: Elements, operator: str) -> Draft:
    item = Draft().put("SeriesInstanceUID", series.series_instance_uid)
    _protocol(item, said)
    if operator:
        item.put("OperatorsName", operator)
    item.sequence("ReferencedImageSequence", [_image(*uids) for uids in series.images])
    others = "ReferencedNonImageCompositeSOPInstanceSequence"
    item.sequence(others, [_image(*uids) for uids in series.others])
    return item.present(*_OF_SERIES)


def _image(sop_class_uid: str, sop_instance_uid: str) -> Draft:
    item = Draft().put("ReferencedSOPClassUID", sop_class_uid)
    return item.put("ReferencedSOPInstanceUID", sop_instance_uid)


def _protocol(item: Draft, said: Elements) -> None:
    """Write ProtocolName, which must have a value: what was done as the beginning says, else the modality."""
    requested = said.first("ScheduledStepAttributesSequence")
    candidates = (
        said.find("PerformedProcedureStepDescription"),
        said.first("PerformedProtocolCodeSequence").find("CodeMeaning"),
        requested.find("RequestedProcedureDescription"),
    )
    found = next((each for each in candidates if each and each.bare), None)
    if found:
        item.copy("ProtocolName", found)
    else:
        item.put("ProtocolName", said.text("Modality"))


def _file(step: Step, data: bytes) -> bytes:
    meta = Meta(
        sop_class_uid=PERFORMED_PROCEDURE_STEP,
        sop_instance_uid=step.sop_instance_uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )
    return part10.preface(meta) + data


def _read(file: bytes) -> Elements:
    try:
        return part10.read_data_set(file)
    except Malformed as error:
        raise ObjectError("The message about this procedure step cannot be read.") from error
