"""What is made of a sealed clip, as an object of its own: it names what it was made of, and every loss since.

PS3.3 C.7.6.1.1.5 (losses, one value a compression), C.12.4 (source).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.config.settings import Station
from gateway.dicom import multiframe, objects, picture
from gateway.dicom.draft import Draft, Header
from gateway.dicom.image import header, losses, lossy_method
from gateway.dicom.series_equipment import code
from gateway.model import Capture, Exam, MediaKind, Series

ALL = 0  # in place of a frame's number


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The clip's object, and which of its frames, counted from 1; ALL of them."""

    sop_class_uid: str
    sop_instance_uid: str
    frame: int
    frames: int
    lossy_ratio: str  # as the clip says it, as what follows
    lossy_method: str


def build(
    exam: Exam,
    made: Capture,
    series: Series,
    *,
    order: bytes | None,
    station: Station,
    origin: Origin,
    clip: Capture,
    further: Sequence[bytes] = (),
) -> Header:
    """Return the object of `made` without its pixel data; arguments and errors as of every picture.

    `clip`: the one it was made of, whose procedure step it belongs to.
    """

    def add(draft: Draft) -> None:
        if made.kind is MediaKind.CLIP:
            multiframe.cine(draft, made)
        _origin(draft, origin)
        _losses(draft, made, origin)

    found = picture.encoded(exam, made, series, order=order, station=station, further=further, of=clip, add=add)
    return header(made, objects.sop_class(made), found)


def method_since(clip: Capture, made: Capture) -> str:
    """Return how the pixels of `made` lost something, one value a step, those of its clip first."""
    return "\\".join([lossy_method(clip), *(method for method, _ in _own(made))])


def _origin(draft: Draft, origin: Origin) -> None:
    draft.put("ImageType", "DERIVED\\SECONDARY")
    source = Draft().put("ReferencedSOPClassUID", origin.sop_class_uid)
    source.put("ReferencedSOPInstanceUID", origin.sop_instance_uid)
    if origin.frame == ALL:
        draft.put("DerivationDescription", f"The {origin.frames} frames of an H.264 clip, as JPEG")
        draft.sequence("DerivationCodeSequence", [code("113040", "DCM", "Lossy Compression")])
    else:
        draft.put("DerivationDescription", f"Frame {origin.frame} of {origin.frames} of a clip, as a still")
        source.put("ReferencedFrameNumber", str(origin.frame))
    draft.sequence("SourceImageSequence", [source])


def _losses(draft: Draft, made: Capture, origin: Origin) -> None:
    own = _own(made)
    draft.put("LossyImageCompression", "01")  # for ever, whatever it is compressed with since
    draft.put("LossyImageCompressionRatio", "\\".join([origin.lossy_ratio, *(f"{ratio:.2f}" for _, ratio in own)]))
    draft.put("LossyImageCompressionMethod", "\\".join([origin.lossy_method, *(method for method, _ in own)]))


def _own(made: Capture) -> list[tuple[str, float]]:
    """Return what was lost since the clip: a JPEG's own loss; a still of its pixels lost nothing more."""
    return losses(made)[-1:] if made.codec == "jpeg" else []
