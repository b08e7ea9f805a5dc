"""One still as it was on the screen, as the object that its source is configured for."""

from collections.abc import Sequence

from gateway.config.settings import Station
from gateway.dicom import objects
from gateway.dicom.draft import Draft, Header
from gateway.dicom.image import finish, image
from gateway.dicom.patient_study import patient_study, request_of
from gateway.dicom.series_equipment import performed_step, series_equipment
from gateway.errors import ObjectError
from gateway.model import Capture, Exam, Series


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
    objects.modules(draft, capture, station)
    return finish(draft, capture, objects.sop_class(capture), request)
