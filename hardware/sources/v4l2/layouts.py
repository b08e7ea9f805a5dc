"""How each pixel format lies in a buffer, and which planes a `Picture` sees of it: views, never copies."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from hardware.sources import PixelFormat

Samples = NDArray[np.uint8]


class Kind(Enum):
    PACKED = auto()  # Y of two pixels and the chroma that they share
    SEMI_PLANAR = auto()  # Y, then lines of chroma pairs
    PLANAR = auto()  # Y, then a plane of each chroma
    RGB = auto()
    GREY = auto()
    JPEG = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """One pixel format. `places`: of PACKED the bytes of Y, U, V in four; of RGB those of R, G, B; else of U, V."""

    fourcc: str  # V4L2's four characters
    kind: Kind
    places: tuple[int, ...] = ()
    pixel_bytes: int = 1  # of a line of the first plane

    @property
    def number(self) -> int:
        """V4L2's number of this format."""
        return int.from_bytes(self.fourcc.encode("ascii"), "little")

    @property
    def format(self) -> PixelFormat:
        return _FORMATS[self.kind]

    def stride(self, width: int) -> int:
        """Return the bytes of one line without padding."""
        return (-(-width // 2) * 4) if self.kind is Kind.PACKED else width * self.pixel_bytes

    def size(self, height: int, stride: int) -> int:
        """Return the bytes of a whole picture; 0 of JPEG, whose length tells nothing."""
        chroma_lines = -(-height // 2)
        if self.kind is Kind.JPEG:
            return 0
        if self.kind is Kind.SEMI_PLANAR:
            return stride * (height + chroma_lines)
        if self.kind is Kind.PLANAR:
            return stride * height + 2 * chroma_lines * (stride // 2)
        return stride * height

    def planes(self, samples: Samples, *, width: int, height: int, stride: int) -> tuple[Samples, ...]:
        """Return the planes as `Picture` has them, of a buffer with at least `size` bytes."""
        return _PLANES[self.kind](self, samples, width, height, stride)


def _lines(samples: Samples, start: int, height: int, stride: int) -> Samples:
    return samples[start : start + height * stride].reshape(height, stride)


def _packed(layout: Layout, samples: Samples, width: int, height: int, stride: int) -> tuple[Samples, ...]:
    lines = _lines(samples, 0, height, stride)
    luma, u, v = layout.places
    half = -(-width // 2)
    return (
        lines[:, luma : luma + width * 2 : 2][:, :width],
        lines[:, u : u + half * 4 : 4][:, :half],
        lines[:, v : v + half * 4 : 4][:, :half],
    )


def _semi_planar(layout: Layout, samples: Samples, width: int, height: int, stride: int) -> tuple[Samples, ...]:
    half, chroma_lines = -(-width // 2), -(-height // 2)
    pairs = _lines(samples, stride * height, chroma_lines, stride)[:, : half * 2]
    u, v = layout.places
    return _lines(samples, 0, height, stride)[:, :width], pairs[:, u::2], pairs[:, v::2]


def _planar(layout: Layout, samples: Samples, width: int, height: int, stride: int) -> tuple[Samples, ...]:
    half, chroma_lines = -(-width // 2), -(-height // 2)
    first = stride * height
    chroma = [
        _lines(samples, first + number * chroma_lines * (stride // 2), chroma_lines, stride // 2)[:, :half]
        for number in range(2)
    ]
    u, v = layout.places
    return _lines(samples, 0, height, stride)[:, :width], chroma[u], chroma[v]


def _rgb(layout: Layout, samples: Samples, width: int, height: int, stride: int) -> tuple[Samples, ...]:
    lines = _lines(samples, 0, height, stride)[:, : width * layout.pixel_bytes]
    pixels = lines.reshape(height, width, layout.pixel_bytes)
    first, _, last = layout.places
    if first < last:
        return (pixels[..., first : last + 1],)
    return (pixels[..., last : first + 1][..., ::-1],)


def _grey(_: Layout, samples: Samples, width: int, height: int, stride: int) -> tuple[Samples, ...]:
    return (_lines(samples, 0, height, stride)[:, :width],)


def _jpeg(_: Layout, samples: Samples, *__: int) -> tuple[Samples, ...]:
    return (samples,)


_FORMATS = {
    Kind.PACKED: PixelFormat.PLANAR_YUV,
    Kind.SEMI_PLANAR: PixelFormat.PLANAR_YUV,
    Kind.PLANAR: PixelFormat.PLANAR_YUV,
    Kind.RGB: PixelFormat.RGB24,
    Kind.GREY: PixelFormat.GRAY8,
    Kind.JPEG: PixelFormat.JPEG,
}
_PLANES: dict[Kind, Callable[[Layout, Samples, int, int, int], tuple[Samples, ...]]] = {
    Kind.PACKED: _packed,
    Kind.SEMI_PLANAR: _semi_planar,
    Kind.PLANAR: _planar,
    Kind.RGB: _rgb,
    Kind.GREY: _grey,
    Kind.JPEG: _jpeg,
}

# By the words of the configuration, in the order in which they are tried when it names none: what keeps the most of
# a picture for the least traffic first; grey last, because it loses the colour.
ORDER: dict[str, Layout] = {
    "YUYV": Layout(fourcc="YUYV", kind=Kind.PACKED, places=(0, 1, 3)),
    "UYVY": Layout(fourcc="UYVY", kind=Kind.PACKED, places=(1, 0, 2)),
    "YVYU": Layout(fourcc="YVYU", kind=Kind.PACKED, places=(0, 3, 1)),
    "VYUY": Layout(fourcc="VYUY", kind=Kind.PACKED, places=(1, 2, 0)),
    "NV12": Layout(fourcc="NV12", kind=Kind.SEMI_PLANAR, places=(0, 1)),
    "NV21": Layout(fourcc="NV21", kind=Kind.SEMI_PLANAR, places=(1, 0)),
    "YU12": Layout(fourcc="YU12", kind=Kind.PLANAR, places=(0, 1)),
    "YV12": Layout(fourcc="YV12", kind=Kind.PLANAR, places=(1, 0)),
    "RGB3": Layout(fourcc="RGB3", kind=Kind.RGB, places=(0, 1, 2), pixel_bytes=3),
    "BGR3": Layout(fourcc="BGR3", kind=Kind.RGB, places=(2, 1, 0), pixel_bytes=3),
    "XR24": Layout(fourcc="XR24", kind=Kind.RGB, places=(2, 1, 0), pixel_bytes=4),
    "XB24": Layout(fourcc="XB24", kind=Kind.RGB, places=(0, 1, 2), pixel_bytes=4),
    "BGR4": Layout(fourcc="BGR4", kind=Kind.RGB, places=(2, 1, 0), pixel_bytes=4),
    "RGB4": Layout(fourcc="RGB4", kind=Kind.RGB, places=(1, 2, 3), pixel_bytes=4),
    "MJPEG": Layout(fourcc="MJPG", kind=Kind.JPEG),
    "JPEG": Layout(fourcc="JPEG", kind=Kind.JPEG),
    "GREY": Layout(fourcc="GREY", kind=Kind.GREY),
}
BY_NUMBER = {layout.number: layout for layout in ORDER.values()}
