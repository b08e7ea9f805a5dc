"""A decoded video frame as a `Picture`: the samples as decoded where a Picture can hold them, else the nearest.

| decoded                                              | picture    | how                                      |
|------------------------------------------------------|------------|------------------------------------------|
| yuv4xxp, yuvj4xxp, yuva4xxp, 8 bit                   | PLANAR_YUV | as decoded; alpha dropped                |
| the same with 9 to 16 bit, little-endian             | PLANAR_YUV | rounded to 8 bit, halves up, no dither   |
| nv12, nv21, nv16, nv24, yuyv422, uyvy422, yvyu422    | PLANAR_YUV | taken apart, samples unchanged           |
| other YUV (p010, big-endian, packed deep colour)     | PLANAR_YUV | libswscale to 8 bit of the same sampling |
| gray                                                 | GRAY8      | as decoded                               |
| gray9 to gray16, little-endian                       | GRAY8      | rounded to 8 bit, halves up, no dither   |
| ya8, monob, monow, other grey                        | GRAY8      | libswscale                               |
| rgb24; gbrp, bgr24, rgba, bgr0, pal8 and the like    | RGB24      | reordered, looked up; alpha dropped      |
| RGB of more than 8 bit, bayer, xyz12                 | RGB24      | libswscale                               |
| what libswscale cannot convert                       | refused    |                                          |

Grey is full range, as libswscale takes it, unless the stream says limited; then it is stretched.
Fields and the shape of the pixels are passed on as the stream says them (`Shape`); nothing is resampled here.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.error
import av.video.stream
import numpy as np
from numpy.typing import NDArray

from hardware import colour
from hardware.errors import DeviceRefused
from hardware.sources import Picture, PixelFormat, Scan

# ISO/IEC 23091-2 table 4 (MatrixCoefficients); 0 and 2 say nothing about YUV
_UNTAGGED = (0, 2)
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}
_LIMITED, _FULL = 1, 2  # AVColorRange
_DEEP = re.compile(r"(yuva?4\d\dp|gray)(9|10|12|14|16)le")
_PLANAR = re.compile(r"yuv[aj]?4\d\dp")
_ABORTING = "yaf"  # libswscale ends the whole process over these (yaf32le, FFmpeg 8)
_EIGHT = 8
_GREY_AND_ALPHA = 2  # components; YUV has at least three
_BOTTOM_FIRST = (3, 5)  # AV_FIELD_BB, AV_FIELD_BT; TB and BT are written for a picture that begins with T and B
_ODDEST = Fraction(1, 4)
_HD = (1280, 576)  # from this width or above this height on, video without tags is BT.709


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What a stream says of all of its frames: the shape of a pixel, and the older field of interlaced ones."""

    pixel_aspect: Fraction = Fraction(1)
    first: Scan = Scan.TOP_FIRST


def shape_of(stream: av.video.stream.VideoStream) -> Shape:
    """Return a stream's shape; pixels that are more than four times as long as wide are taken as a mistake."""
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    return Shape(
        pixel_aspect=aspect if _ODDEST <= aspect <= 1 / _ODDEST else Fraction(1),
        first=Scan.BOTTOM_FIRST if stream.codec_context.field_order in _BOTTOM_FIRST else Scan.TOP_FIRST,
    )


_USUAL = Shape()


def picture_of(frame: av.VideoFrame, *, counter: int, time_ns: int, shape: Shape = _USUAL) -> Picture:
    """Return the frame's picture; it keeps nothing of the decoder's memory.

    Raises DeviceRefused for pixels and for a colour matrix (YCgCo, ICtCp) that cannot be expressed.
    """
    form, planes = _planes(frame)
    limited = frame.color_range == _LIMITED
    if form is PixelFormat.GRAY8 and limited:
        planes = (colour.full_luma(planes[0]),)
    return Picture(
        counter=counter,
        time_ns=time_ns,
        format=form,
        width=frame.width,
        height=frame.height,
        planes=planes,
        matrix=_matrix(frame) if form is PixelFormat.PLANAR_YUV else "bt601",
        full_range=frame.color_range == _FULL or frame.format.name.startswith("yuvj"),
        scan=shape.first if frame.interlaced_frame else Scan.PROGRESSIVE,
        pixel_aspect=shape.pixel_aspect,
    )


def _planes(frame: av.VideoFrame) -> tuple[PixelFormat, tuple[NDArray[np.uint8], ...]]:
    name = frame.format.name
    if deep := _DEEP.fullmatch(name):
        shift = int(deep[2]) - _EIGHT
        samples = [_rounded(_plane(frame, index, deep=True), shift) for index in range(_wanted(name))]
        return (PixelFormat.GRAY8 if name.startswith("gray") else PixelFormat.PLANAR_YUV), tuple(samples)
    if name == "gray":
        return PixelFormat.GRAY8, (_plane(frame, 0),)
    if name == "rgb24":
        return PixelFormat.RGB24, (_plane(frame, 0, samples=3),)
    if _PLANAR.fullmatch(name):
        return PixelFormat.PLANAR_YUV, tuple(_plane(frame, index) for index in range(3))
    if name.startswith(_ABORTING):
        raise _unknown(name)
    try:
        return _planes(frame.reformat(format=_nearest(frame.format)))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise _unknown(name) from error


def _unknown(name: str) -> DeviceRefused:
    return DeviceRefused(
        f"The pixels of this video ({name}) are of a kind that is not supported: convert the file to H.264 first."
    )


def _wanted(name: str) -> int:
    """Return how many planes count; alpha does not."""
    return 1 if name.startswith("gray") else 3


def _nearest(form: av.VideoFormat) -> str:
    """Return the format that libswscale shall convert to."""
    if form.is_rgb or form.has_palette or form.is_bayer or form.name.startswith("xyz"):
        return "rgb24"
    if len(form.components) <= _GREY_AND_ALPHA:
        return "gray"
    across, down = 8 // form.chroma_width(8), 8 // form.chroma_height(8)
    return {(2, 2): "yuv420p", (2, 1): "yuv422p", (4, 1): "yuv411p"}.get((across, down), "yuv444p")


def _plane(frame: av.VideoFrame, index: int, *, samples: int = 1, deep: bool = False) -> NDArray[Any]:
    """Return a copy of one plane without the padding at the end of its lines: uint8, or uint16 when deep."""
    plane = frame.planes[index]
    kind = np.dtype("<u2" if deep else "u1")
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height]
    used = lines[:, : plane.width * samples * kind.itemsize].copy().view(kind)
    return used.reshape(plane.height, plane.width, samples) if samples > 1 else used


def _rounded(plane: NDArray[np.uint16], shift: int) -> NDArray[np.uint8]:
    wide = plane.astype(np.uint32)
    return np.asarray(np.minimum((wide + (1 << (shift - 1))) >> shift, 255), np.uint8)


def _matrix(frame: av.VideoFrame) -> str:
    tag = frame.colorspace
    if tag in _UNTAGGED:
        return "bt709" if frame.width >= _HD[0] or frame.height > _HD[1] else "bt601"
    if tag not in _MATRICES:
        raise DeviceRefused(
            f"The colours of this video are coded in a way that is not supported (matrix {tag}): "
            "convert the file to BT.709 first."
        )
    return _MATRICES[tag]
