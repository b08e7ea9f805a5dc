"""One still as it was on the screen, as the object that its source is configured for."""

from collections.abc import Sequence

from gateway.config.settings import Station
from gateway.dicom import objects, picture
from gateway.dicom.alike import Alike
from gateway.dicom.draft import Draft, Header
from gateway.dicom.image import header, own
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
    """Return the still's object without its pixel data; arguments and errors as of every picture.

    `alike`: what is known of this exam's other stills.
    """
    if capture.frames != 1:
        raise ObjectError("The record of this still has more than one frame.")
    sop_class = objects.sop_class(capture)
    if known := alike and alike.written(capture, series):
        return header(capture, sop_class, {**known, **own(Draft(), exam, capture).encoded("")})
    encoded = picture.encoded(exam, capture, series, order=order, station=station, further=further)
    if alike:
        alike.wrote(capture, series, encoded)
    return header(capture, sop_class, encoded)
