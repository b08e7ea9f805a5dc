"""General Image, Image Pixel, the lossy trio and SOP Common: what every capture's object says of its picture."""

from collections.abc import Mapping

from gateway.dicom import elements
from gateway.dicom.draft import Draft, Header
from gateway.dicom.part10 import EXPLICIT_LE, H264, JPEG_BASELINE, JPEG_LOSSLESS_SV1, JPEG_LS
from gateway.dicom.patient_study import local
from gateway.errors import ObjectError
from gateway.model import Capture, Exam

TRANSFER_SYNTAX = {
    "jpeg-lossless": JPEG_LOSSLESS_SV1,
    "jpeg-ls": JPEG_LS,
    "jpeg": JPEG_BASELINE,
    "uncompressed": EXPLICIT_LE,
    "h264": H264,
}
# (codec, samples) to photometric interpretation: PS3.5 8.2.1 and 8.2.3; PS3.3 C.8.5.6.1.2 for native ultrasound
PHOTOMETRIC = {
    ("jpeg-lossless", 1): "MONOCHROME2",
    ("jpeg-lossless", 3): "RGB",
    ("jpeg-ls", 1): "MONOCHROME2",
    ("jpeg-ls", 3): "RGB",
    ("jpeg", 1): "MONOCHROME2",
    ("jpeg", 3): "YBR_FULL_422",
    ("uncompressed", 1): "MONOCHROME2",
    ("uncompressed", 3): "RGB",
    ("h264", 3): "YBR_PARTIAL_420",
}
_LARGEST = 65535
_JPEG, _H264 = "ISO_10918_1", "ISO_14496_10"  # Lossy Image Compression Method (C.7.6.1.1.5.1)


def image(draft: Draft, exam: Exam, capture: Capture) -> None:
    """Write the picture's place, time and pixels. Raises ObjectError when its record cannot be true."""
    own(draft, exam, capture)
    draft.put("ImageType", "ORIGINAL\\PRIMARY")
    draft.put("PatientOrientation")
    draft.put("BurnedInAnnotation", "YES")  # a captured screen shows text until somebody proved otherwise
    _pixels(draft, capture)
    draft.put("LossyImageCompression", "01" if is_lossy(capture) else "00")
    if method := lossy_method(capture):
        draft.put("LossyImageCompressionMethod", method)


def own(draft: Draft, exam: Exam, capture: Capture) -> Draft:
    """Write what no other picture of its source has: see gateway.dicom.alike."""
    taken = local(capture.taken, exam)
    draft.put("SOPInstanceUID", capture.sop_instance_uid)
    draft.put("InstanceNumber", str(capture.instance_number))
    date, time = f"{taken:%Y%m%d}", f"{taken:%H%M%S.%f}"
    for what in ("Content", "Acquisition"):
        draft.put(f"{what}Date", date).put(f"{what}Time", time)
    if steps := losses(capture):
        draft.put("LossyImageCompressionRatio", "\\".join(f"{ratio:.2f}" for _, ratio in steps))
    return draft


def is_lossy(capture: Capture) -> bool:
    """Say whether its pixels lost something, now or before: what a device gave as JPEG stays so (C.7.6.1.1.5)."""
    return capture.codec in {"jpeg", "h264"} or capture.lossy_ratio > 0


def losses(capture: Capture) -> list[tuple[str, float]]:
    """Return method and ratio of each lossy compression of its pixels, in order (C.7.6.1.1.5); [] = none."""
    if not is_lossy(capture):
        return []
    now = capture.rows * capture.columns * capture.samples * capture.frames / max(capture.bytes, 1)
    steps = [(_JPEG, capture.lossy_before)] if capture.lossy_before else []
    steps.append((_JPEG, capture.lossy_ratio or now))
    if capture.codec == "h264":
        steps.append((_H264, now))
    return steps


def lossy_method(capture: Capture) -> str:
    """Return how its pixels lost something, one value a step; "" when nothing was lost."""
    return "\\".join(method for method, _ in losses(capture))


def header(capture: Capture, sop_class_uid: str, encoded: Mapping[int, bytes]) -> Header:
    """Return the header of a capture's object. `encoded`: its elements by tag."""
    return Header(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=capture.sop_instance_uid,
        transfer_syntax_uid=TRANSFER_SYNTAX[capture.codec],
        frames=capture.frames,
        data=elements.joined(encoded),
    )


def _pixels(draft: Draft, capture: Capture) -> None:
    photometric = PHOTOMETRIC.get((capture.codec, capture.samples))
    if photometric is None or not (0 < capture.rows <= _LARGEST and 0 < capture.columns <= _LARGEST):
        raise ObjectError("The record of this capture describes a picture that cannot be.")
    draft.binary("SamplesPerPixel", capture.samples)
    draft.put("PhotometricInterpretation", photometric)
    if capture.samples > 1:
        draft.binary("PlanarConfiguration", 0)
    draft.binary("Rows", capture.rows).binary("Columns", capture.columns)
    draft.binary("BitsAllocated", 8).binary("BitsStored", 8).binary("HighBit", 7)
    draft.binary("PixelRepresentation", 0)
    if capture.pixel_aspect:
        draft.put("PixelAspectRatio", capture.pixel_aspect)
