"""One part of a clip, one JPEG a frame, as the object that its source is configured for."""

from collections.abc import Sequence

from gateway.config.settings import Station
from gateway.dicom import elements, objects, picture
from gateway.dicom.draft import Draft, Header
from gateway.dicom.frame_times import frame_time, is_even, vector
from gateway.dicom.image import header
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
    recorded: Capture | None = None,
) -> Header:
    """Return the clip's object without its pixel data; arguments and errors as of every picture.

    `recorded`: what the clip was before it was encoded anew.
    """

    def add(draft: Draft) -> None:
        cine(draft, capture)
        _repeated(draft, capture, recorded or capture)

    found = picture.encoded(exam, capture, series, order=order, station=station, further=further, add=add)
    return header(capture, objects.sop_class(capture), found)


def cine(draft: Draft, capture: Capture) -> None:
    """Write how many frames a clip has, and when. Raises ObjectError when its record cannot be true."""
    times = capture.frame_times
    if capture.frames < 1 or len(times) != capture.frames or list(times) != sorted(times):
        raise ObjectError("The record of this clip does not say when its frames were taken.")
    draft.put("NumberOfFrames", str(capture.frames))
    if len(times) == 1:  # one frame has no time to the next
        if not objects.is_plain(capture):  # but must point to something (PS3.3 C.7.6.6); SC Multi-frame need not
            draft.put("FrameTimeVector", "0").binary("FrameIncrementPointer", elements.tag("FrameTimeVector"))
        return
    step = frame_time(times)
    each = "" if is_even(times) else vector(times)
    if each:
        draft.put("FrameTimeVector", each).binary("FrameIncrementPointer", elements.tag("FrameTimeVector"))
    else:
        draft.put("FrameTime", f"{step:.6g}").binary("FrameIncrementPointer", elements.tag("FrameTime"))
    if step:
        draft.put("RecommendedDisplayFrameRate", str(max(1, round(1000 / step))))


def _repeated(draft: Draft, made: Capture, recorded: Capture) -> None:
    """Say of an odd number of rows or columns that the last one is there twice: H.264 knows even ones only."""
    twice = [
        word
        for word, more in (("row", made.rows - recorded.rows), ("column", made.columns - recorded.columns))
        if more
    ]
    if twice:
        draft.put("ImageComments", f"The last {' and the last '.join(twice)} repeats the one before, for H.264")
