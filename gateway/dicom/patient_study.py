"""Patient, General Study and Patient Study: who and why. The exam is the truth, the order lends its bytes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

from gateway.clock import Moment
from gateway.dicom import charset, values
from gateway.dicom.draft import Draft
from gateway.dicom.elements import Elements
from gateway.dicom.order import read_kept_order
from gateway.dicom.request import Request
from gateway.errors import ObjectError
from gateway.model import Exam, FurtherOrder, Identity


def request_of(exam: Exam, order: bytes | None, further: Sequence[bytes] = ()) -> Request:
    """Return what an exam's objects may copy: of a worklist exam its orders, of every other one nothing.

    order, further: the contents of the order files. Raises ObjectError when one is another patient's or cannot be
    read.
    """
    if exam.identity is not Identity.WORKLIST:
        return Request(exam, Elements(), "")
    if order is None:
        return Request(exam, Elements(), exam.character_set)
    others = [_further(exam, named, content) for named, content in zip(exam.further, further, strict=False)]
    return Request(exam, _kept(order, exam, exam.character_set), exam.character_set, further=others)


def _further(exam: Exam, named: FurtherOrder, content: bytes) -> Request:
    found = _kept(content, exam, named.character_set)
    study = found.text("StudyInstanceUID")
    own = replace(
        exam,
        procedure=named.procedure,
        study_instance_uid=study if values.is_uid(study) else exam.study_instance_uid,
    )
    return Request(own, found, named.character_set, into=exam.character_set)


def _kept(order: bytes, exam: Exam, character_set: str) -> Elements:
    """Read an order. Raises ObjectError, also when it is another patient's."""
    found = read_kept_order(order)
    said = found.find("PatientID")
    if said and said.bare and exam.patient.id:
        ordered = charset.decode_for_display(said.value, character_set)
        if ordered != exam.patient.id:
            raise ObjectError(
                "The order kept with this exam is another patient's.",
                action="Assign the exam to its patient again.",
            )
    return found


def patient_study(draft: Draft, exam: Exam, request: Request, station_issuer: str) -> None:
    """Write the patient and the study."""
    whose(draft, exam, request, station_issuer)
    if not values.is_uid(exam.study_instance_uid):
        raise ObjectError("This exam has no usable Study Instance UID.")
    opened = local(exam.opened, exam)
    draft.put("StudyInstanceUID", exam.study_instance_uid)
    draft.put("StudyDate", f"{opened:%Y%m%d}").put("StudyTime", f"{opened:%H%M%S.%f}")
    draft.put("TimezoneOffsetFromUTC", f"{opened:%z}"[:5])
    request.study(draft)


def whose(draft: Draft, exam: Exam, request: Request, station_issuer: str) -> None:
    """Write the patient. Raises ObjectError when they cannot be written as they are."""
    patient = exam.patient
    if not patient.id:
        raise ObjectError("This exam has no patient ID.", action="Assign the exam to its patient.")
    temporary = exam.identity is Identity.TEMPORARY
    request.identity(draft, "PatientName", patient.id if temporary else patient.name)
    request.identity(draft, "PatientID", patient.id)
    if issuer := patient.issuer or (station_issuer if temporary else ""):
        request.identity(draft, "IssuerOfPatientID", issuer)
    draft.put("PatientBirthDate", values.as_date(patient.birth_date))
    draft.put("PatientSex", patient.sex if patient.sex in {"M", "F", "O"} else "")


def local(moment: Moment, exam: Exam) -> datetime:
    """Return a moment in local time as it was when the exam began: one offset for the whole study."""
    return moment.utc.astimezone(timezone(exam.opened.offset))
