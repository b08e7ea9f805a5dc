"""Copies of sealed objects for looking at without a DICOM viewer: JPEG, MP4. Their names tell no patient."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gateway.dicom import film_frames, part10
from gateway.dicom.elements import Elements
from gateway.dicom.sealed import SealedFile
from gateway.dicom.window import Window
from gateway.errors import CodestreamBroken

_QUALITY = 90
_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A still, or the first frame of a clip. `film`: where an H.264 clip begins in its file, and its length."""

    name: str
    film: tuple[int, int] | None
    started: str  # the study's local date and time, YYYYMMDD_HHMM
    content: bytes = field(repr=False)


def copy_of(path: Path) -> Picture:
    """Return an object's picture as a baseline JPEG. Raises ObjectError."""
    with SealedFile(path) as file:
        header, syntax = file.header, file.meta.transfer_syntax_uid
        film = _film(file) if syntax == part10.H264 else None
        content = _first_frame(path, *film) if film else _baseline(next(file.fragments(), b""), syntax, header)
    clip = "_CLIP" if int(header.text("NumberOfFrames") or 1) > 1 else ""
    return Picture(
        name=f"{int(header.text('InstanceNumber') or 0):04d}{clip}.JPG",
        started=_started(header),
        content=content,
        film=film,
    )


def film_pieces(path: Path, film: tuple[int, int]) -> Iterator[bytes]:
    """Yield the MP4 that lies in an object's file. Raises OSError when the box's file cannot be read."""
    start, length = film
    with Window(path, start=start, length=length) as stream:
        while piece := stream.read(_PIECE):
            yield piece


def folder_name(exam: str, picture: Picture) -> str:
    """Return the name of an exam's folder: when it was, and the box's own number of it."""
    return f"{picture.started}_{exam}"


def _started(header: Elements) -> str:
    return f"{header.text('StudyDate')}_{header.text('StudyTime')[:4]}"


def _film(file: SealedFile) -> tuple[int, int]:
    for _ in file.film_pieces():
        pass
    return file.film


def _first_frame(path: Path, start: int, length: int) -> bytes:
    with Window(path, start=start, length=length) as stream:
        return _encoded(film_frames.pixels_of(next(film_frames.decoded(stream))))


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
    return _encoded(pixels)


def _encoded(pixels: NDArray[np.uint8]) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=_QUALITY, colorsubsampling="422"))


def _pixels(frame: bytes, syntax: str, header: Elements) -> NDArray[np.uint8]:
    if syntax == part10.JPEG_LS:
        return np.asarray(imagecodecs.jpegls_decode(frame), np.uint8)
    if syntax != part10.EXPLICIT_LE:
        return np.asarray(imagecodecs.jpeg8_decode(frame), np.uint8)
    rows, columns, samples = (header.number(each) for each in ("Rows", "Columns", "SamplesPerPixel"))
    return np.frombuffer(frame, np.uint8).reshape(rows, columns, *((samples,) if samples > 1 else ()))
