"""Secondary Capture Image: one still as it was on the screen (PS3.3 A.8.1)."""

from collections.abc import Sequence

from gateway.config.settings import Station
from gateway.dicom.draft import Draft, Header
from gateway.dicom.image import finish, image
from gateway.dicom.patient_study import patient_study, request_of
from gateway.dicom.series_equipment import performed_step, series_equipment
from gateway.errors import ObjectError
from gateway.model import Capture, Exam, Series

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def build(
    exam: Exam,
    capture: Capture,
    series: Series,
    *,
    order: bytes | None,
    station: Station,
    further: Sequence[bytes] = (),
) -> Header:
    """Return the still's object without its pixel data.

    `order`: the content of order.dcm, `further`: of a grouped exam's others; both of worklist exams only. Raises
    ObjectError when the exam's identity or the capture's record cannot be written as DICOM.
    """
    if capture.frames != 1:
        raise ObjectError("The record of this still has more than one frame.")
    request, draft = request_of(exam, order, further), Draft()
    patient_study(draft, exam, request, station.issuer or station.name)
    series_equipment(draft, series, capture.equipment, request, station)
    performed_step(draft, exam, exam.step_of(capture.instance_number))
    image(draft, exam, capture)
    return finish(draft, capture, SECONDARY_CAPTURE, request)
