"""A single frame of a clip as an object of its own, for archives that take the clip in no form.

Its pixels are those that the clip's JPEG frame decodes to, compressed without any further loss; what was lost
before stays said. It names the clip and the frame that it was made of (PS3.3 C.7.6.1, C.12.4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gateway.config.settings import Station
from gateway.dicom import codestream, film_frames, objects
from gateway.dicom.draft import Draft, Header
from gateway.dicom.image import finish, image
from gateway.dicom.part10 import H264
from gateway.dicom.patient_study import patient_study, request_of
from gateway.dicom.sealed import SealedFile
from gateway.dicom.series_equipment import performed_step, series_equipment
from gateway.dicom.window import Window
from gateway.errors import CodestreamBroken, ObjectError, SpoolDamaged
from gateway.model import Capture, Exam, MediaKind, SealedObject, Series

Pixels = NDArray[np.uint8]

_RGB = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The clip's object, and which of its frames, counted from 1."""

    sop_class_uid: str
    sop_instance_uid: str
    frame: int
    frames: int
    lossy_ratio: str  # as the clip says it, as what follows
    lossy_method: str


def chosen(frames: int, wanted: int) -> tuple[int, ...]:
    """Return which frames of a clip stand for it, counted from 1: first and last, the others evenly between."""
    if wanted == 1:
        return ((frames + 1) // 2,)
    places = (1 + round(step * (frames - 1) / (wanted - 1)) for step in range(wanted))
    return tuple(dict.fromkeys(places))


def frames_of(
    path: Path, sealed: SealedObject, clip: Capture, numbers: Sequence[int]
) -> tuple[Mapping[int, Pixels], str, str]:
    """Return these frames, RGB or grey, and the clip's ratio and method of loss, from its sealed file.

    Reads the whole file, one frame at a time. Raises ObjectError, SpoolDamaged when it is not what was sealed.
    """
    with SealedFile(path) as file:
        if file.meta.transfer_syntax_uid == H264:
            found = _of_film(file, clip, numbers)
        else:
            found = {
                number: _decoded(each, clip) for number, each in enumerate(file.fragments(), 1) if number in numbers
            }
        ratio, method = (file.header.text(f"LossyImageCompression{each}") for each in ("Ratio", "Method"))
        if file.sha256 != sealed.sha256:
            raise SpoolDamaged("An object's file is not the one that was sealed: nothing was made of it.")
    if len(found) != len(numbers):
        raise ObjectError("A clip has another number of frames than its record says.")
    return found, ratio, method


def _of_film(file: SealedFile, clip: Capture, numbers: Sequence[int]) -> dict[int, Pixels]:
    for _ in file.film_pieces():
        pass  # counted and hashed
    start, length = file.film
    with Window(file.path, start=start, length=length) as stream:
        shown = {number: film_frames.frame_of(stream, number, clip.frame_times) for number in numbers}
    return {number: pixels[: clip.rows, : clip.columns] for number, pixels in shown.items()}


def _decoded(frame: bytes, clip: Capture) -> Pixels:
    codestream.check(frame, rows=clip.rows, columns=clip.columns, samples=clip.samples, codec=clip.codec)
    try:
        return np.asarray(simplejpeg.decode_jpeg(frame, "RGB" if clip.samples == _RGB else "GRAY"))
    except ValueError as error:
        raise CodestreamBroken("A frame of a clip cannot be decoded.") from error


def without_further_loss(pixels: Pixels, clip: Capture) -> bytes:
    """Return a frame's pixels as JPEG Lossless SV1. Raises CodestreamBroken."""
    pixels = np.ascontiguousarray(pixels)
    if clip.samples == _RGB:
        made = imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1, colorspace="RGB", outcolorspace="RGB")
    else:
        pixels = pixels.reshape(clip.rows, clip.columns)
        made = imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1)
    if not np.array_equal(imagecodecs.jpeg8_decode(made), pixels):
        raise CodestreamBroken("A frame of a clip changed while it was compressed again.")
    return bytes(made)


def record(clip: Capture, stream: bytes, *, uid: str, frame: int, number: int) -> Capture:
    """Return what a key still is, in the words of a capture: taken when its frame was."""
    since = timedelta(microseconds=(clip.frame_times[frame - 1] - clip.frame_times[0]) / 1000)
    return replace(
        clip,
        sop_instance_uid=uid,
        kind=MediaKind.STILL,
        instance_number=number,
        media="",
        codec="jpeg-lossless",
        frames=1,
        frame_times=(clip.frame_times[frame - 1],),
        sequence=clip.sequence + frame - 1,
        bytes=len(stream),
        sha256=sha256(stream).hexdigest(),
        taken=replace(clip.taken, utc=clip.taken.utc + since),
        request=None,
    )


def build(
    exam: Exam,
    still: Capture,
    series: Series,
    *,
    order: bytes | None,
    station: Station,
    origin: Origin,
    clip: Capture,
    further: Sequence[bytes] = (),
) -> Header:
    """Return a key still's object without its pixel data; arguments and errors as for a still.

    `clip`: the one it was made of, whose procedure step it belongs to.
    """
    request, draft = request_of(exam, order, further), Draft()
    patient_study(draft, exam, request, station.issuer or station.name)
    series_equipment(draft, series, still.equipment, request, station)
    performed_step(draft, exam, exam.step_of(clip.instance_number))
    image(draft, exam, still)
    draft.put("ImageType", "DERIVED\\SECONDARY")
    draft.put("DerivationDescription", f"Frame {origin.frame} of {origin.frames} of a clip, as a still")
    source = Draft().put("ReferencedSOPClassUID", origin.sop_class_uid)
    source.put("ReferencedSOPInstanceUID", origin.sop_instance_uid).put("ReferencedFrameNumber", str(origin.frame))
    draft.sequence("SourceImageSequence", [source])
    draft.put("LossyImageCompression", "01")  # for ever, whatever it is compressed with since (PS3.3 C.7.6.1.1.5)
    draft.put("LossyImageCompressionRatio", origin.lossy_ratio)
    draft.put("LossyImageCompressionMethod", origin.lossy_method)
    objects.modules(draft, still, station)
    return finish(draft, still, objects.sop_class(still), request)
