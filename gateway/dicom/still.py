"""One still as it was on the screen, as the object that its source is configured for."""

from collections.abc import Sequence

from gateway.config.settings import Station
from gateway.dicom import objects
from gateway.dicom.alike import Alike
from gateway.dicom.draft import Draft, Header
from gateway.dicom.image import header, image, own
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
    alike: Alike | None = None,
) -> Header:
    """Return the still's object without its pixel data.

    `order`: the content of order.dcm, `further`: of a grouped exam's others; both of worklist exams only.
    `alike`: what is known of this exam's other stills. Raises ObjectError when the exam's identity or the capture's
    record cannot be written as DICOM.
    """
    if capture.frames != 1:
        raise ObjectError("The record of this still has more than one frame.")
    sop_class = objects.sop_class(capture)
    if known := alike and alike.written(capture, series):
        return header(capture, sop_class, {**known, **own(Draft(), exam, capture).encoded("")})
    request, draft = request_of(exam, order, further), Draft()
    patient_study(draft, exam, request, station.issuer or station.name)
    series_equipment(draft, series, capture.equipment, request, station)
    performed_step(draft, exam, exam.step_of(capture.instance_number))
    image(draft, exam, capture)
    objects.modules(draft, capture, station)
    draft.put("SOPClassUID", sop_class)
    encoded = draft.encoded(request.character_set)
    if alike:
        alike.wrote(capture, series, encoded)
    return header(capture, sop_class, encoded)
