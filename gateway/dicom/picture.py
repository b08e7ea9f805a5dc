"""What the object of every picture has: identity, series, procedure step, pixels, and what is of its family."""

from collections.abc import Callable, Sequence

from gateway.config.settings import Station
from gateway.dicom import objects
from gateway.dicom.draft import Draft
from gateway.dicom.image import image
from gateway.dicom.laterality import laterality
from gateway.dicom.patient_study import patient_study, request_of
from gateway.dicom.series_equipment import performed_step, series_equipment
from gateway.model import Capture, Exam, Series


def _nothing(draft: Draft) -> None:
    del draft


def encoded(
    exam: Exam,
    capture: Capture,
    series: Series,
    *,
    order: bytes | None,
    station: Station,
    further: Sequence[bytes] = (),
    of: Capture | None = None,
    add: Callable[[Draft], None] = _nothing,
) -> dict[int, bytes]:
    """Return the elements of a picture's object without its pixel data, by tag.

    `order`: the content of order.dcm, `further`: of a grouped exam's others; both of worklist exams only. `of`: the
    capture whose procedure step it belongs to, if that is another one. `add` writes what it alone has. Raises
    ObjectError when the exam's identity or the capture's record cannot be written as DICOM.
    """
    request, draft = request_of(exam, order, further), Draft()
    patient_study(draft, exam, request, station.issuer or station.name)
    series_equipment(draft, series, capture.equipment, request, station)
    if exam.operator:
        draft.put("OperatorsName", exam.operator)
    performed_step(draft, exam, exam.step_of((of or capture).instance_number))
    image(draft, exam, capture)
    laterality(draft, capture)
    add(draft)
    objects.modules(draft, capture, station)
    draft.put("SOPClassUID", objects.sop_class(capture))
    return draft.encoded(request.character_set)
