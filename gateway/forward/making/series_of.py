"""In which series a sealed object is: as its file says it; of one that the box let go, as the exam says it."""

from gateway.dicom import objects
from gateway.dicom.sealed import SealedFile
from gateway.forward.making import derived
from gateway.model import Capture, Exam, SealedObject
from gateway.spool.spool import Spool


def series_uid(spool: Spool, exam: Exam, sealed: SealedObject, capture: Capture) -> str:
    """Return the Series Instance UID of an object. `capture`: what it was made of. Raises ObjectError, OSError."""
    try:
        with SealedFile(spool.objects.path(sealed)) as file:
            return file.header.text("SeriesInstanceUID")
    except FileNotFoundError:
        if not spool.layout.purged(exam.id, sealed.capture).exists():
            raise
    step = exam.step_of(capture.instance_number)
    family = objects.series_family(capture, derived.family(sealed) if sealed.derived_from else "")
    uid = step.sop_instance_uid if step else ""
    return spool.exams.series_for(exam.id, capture.source, family, uid).series_instance_uid
