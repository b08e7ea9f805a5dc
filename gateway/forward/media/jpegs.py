"""JPEG copies of sealed objects, for looking at without a DICOM viewer. Their names tell no patient."""

from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gateway.dicom import part10
from gateway.dicom.elements import Elements
from gateway.dicom.sealed import SealedFile
from gateway.errors import CodestreamBroken

_QUALITY = 90


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A still, or the first frame of a clip."""

    name: str
    started: str  # the study's local date and time, YYYYMMDD_HHMM
    content: bytes = field(repr=False)


def copy_of(path: Path) -> Picture:
    """Return an object's picture as a baseline JPEG. Raises ObjectError."""
    with SealedFile(path) as file:
        first = next(file.fragments(), b"")
        header, syntax = file.header, file.meta.transfer_syntax_uid
    clip = "_CLIP" if int(header.text("NumberOfFrames") or 1) > 1 else ""
    return Picture(
        name=f"{int(header.text('InstanceNumber') or 0):04d}{clip}.JPG",
        started=_started(header),
        content=_baseline(first, syntax, header),
    )


def folder_name(exam: str, picture: Picture) -> str:
    """Return the name of an exam's folder: when it was, and the box's own number of it."""
    return f"{picture.started}_{exam}"


def _started(header: Elements) -> str:
    return f"{header.text('StudyDate')}_{header.text('StudyTime')[:4]}"


def _baseline(frame: bytes, syntax: str, header: Elements) -> bytes:
    if syntax == part10.JPEG_BASELINE:
        return frame[: frame.rfind(b"\xff\xd9") + 2]  # without the zero that made it even
    try:
        pixels = _pixels(frame, syntax, header)
    except (ValueError, RuntimeError) as error:
        raise CodestreamBroken("A stored picture cannot be decoded.") from error
    if pixels.ndim == 2:  # noqa: PLR2004 - (rows, columns)
        grey = np.ascontiguousarray(pixels[..., np.newaxis])
        return bytes(simplejpeg.encode_jpeg(grey, quality=_QUALITY, colorspace="GRAY", colorsubsampling="Gray"))
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=_QUALITY, colorsubsampling="422"))


def _pixels(frame: bytes, syntax: str, header: Elements) -> NDArray[np.uint8]:
    if syntax == part10.JPEG_LS:
        return np.asarray(imagecodecs.jpegls_decode(frame), np.uint8)
    if syntax != part10.EXPLICIT_LE:
        return np.asarray(imagecodecs.jpeg8_decode(frame), np.uint8)
    rows, columns, samples = (header.number(each) for each in ("Rows", "Columns", "SamplesPerPixel"))
    return np.frombuffer(frame, np.uint8).reshape(rows, columns, *((samples,) if samples > 1 else ()))
