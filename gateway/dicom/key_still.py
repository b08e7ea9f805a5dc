"""Single frames of a clip, for archives that take the clip in no form.

Their pixels are those that the clip's frames decode to, compressed without any further loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gateway.dicom import codestream, film_frames
from gateway.dicom.part10 import H264
from gateway.dicom.sealed import SealedFile
from gateway.dicom.window import film_of
from gateway.errors import CodestreamBroken, ObjectError, SpoolDamaged
from gateway.model import Capture, MediaKind, SealedObject

Pixels = NDArray[np.uint8]


def chosen(frames: int, wanted: int) -> tuple[int, ...]:
    """Return which frames of a clip stand for it, counted from 1: first and last, the others evenly between."""
    if wanted == 1:
        return ((frames + 1) // 2,)
    places = (1 + round(step * (frames - 1) / (wanted - 1)) for step in range(wanted))
    return tuple(dict.fromkeys(places))


def frames_of(
    path: Path, sealed: SealedObject, clip: Capture, numbers: Sequence[int]
) -> tuple[Mapping[int, Pixels], str, str]:
    """Return these frames, RGB, and the clip's ratio and method of loss, from its sealed file.

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
    with film_of(file) as stream:
        shown = {number: film_frames.frame_of(stream, number, clip.frame_times) for number in numbers}
    return {number: pixels[: clip.rows, : clip.columns] for number, pixels in shown.items()}


def _decoded(frame: bytes, clip: Capture) -> Pixels:
    codestream.check(frame, rows=clip.rows, columns=clip.columns, samples=clip.samples, codec=clip.codec)
    try:
        return np.asarray(simplejpeg.decode_jpeg(frame, "RGB"))
    except ValueError as error:
        raise CodestreamBroken("A frame of a clip cannot be decoded.") from error


def without_further_loss(pixels: Pixels) -> bytes:
    """Return a frame's pixels as JPEG Lossless SV1. Raises CodestreamBroken."""
    pixels = np.ascontiguousarray(pixels)
    made = imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1, colorspace="RGB", outcolorspace="RGB")
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
