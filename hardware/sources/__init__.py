"""Where pictures come from. `Source` is what every kind of source implements; `Picture` is what it gives.

Pictures stay as they were delivered until somebody needs them: docs/decisions/0021-pictures.md.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class PixelFormat(StrEnum):
    GRAY8 = "gray8"  # (height, width)
    RGB24 = "rgb24"  # (height, width, 3)
    PLANAR_YUV = "planar-yuv"  # three planes Y, U, V; the chroma planes tell the subsampling by their shape
    JPEG = "jpeg"  # (length,): one whole baseline codestream of even length, with all of its tables


class Scan(StrEnum):
    """How a picture was scanned. Of two fields the lines 0, 2, 4 ... are the top one."""

    PROGRESSIVE = "progressive"
    TOP_FIRST = "top-first"  # both fields in one picture, the top one is the older
    BOTTOM_FIRST = "bottom-first"


class Loss(StrEnum):
    """Why there is no picture, as the device itself says it."""

    NO_SIGNAL = "no-signal"
    NO_CABLE = "no-cable"  # nothing drives the line at all
    OUT_OF_RANGE = "out-of-range"  # a signal, of a mode that the device cannot take


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """One picture as the source delivered it.

    `planes`: uint8 arrays. GRAY8 one of shape (rows, columns); RGB24 one of shape (rows, columns, 3);
    PLANAR_YUV three, the chroma ones smaller by their subsampling, rounded up; JPEG one of shape (length,).
    They may be views with strides into one buffer that a device delivered.
    """

    counter: int  # from 0 at open; a gap means lost pictures
    time_ns: int  # CLOCK_BOOTTIME when it was on the wire
    format: PixelFormat
    width: int
    height: int
    planes: tuple[NDArray[np.uint8], ...] = field(repr=False)
    matrix: str = "bt601"  # or "bt709"; of YUV, also of that in a JPEG
    full_range: bool = False  # of YUV; a JPEG is bt601 at full range, unless its device is known to do otherwise
    scan: Scan = Scan.PROGRESSIVE
    pixel_aspect: Fraction = Fraction(1)  # width of a pixel : its height

    @property
    def bytes(self) -> int:
        return sum(plane.nbytes for plane in self.planes)


class Source(Protocol):
    """A picture source. Its thread calls `open`, then `read` until it raises, then `close`."""

    def open(self) -> None:
        """Start delivering. Raises DeviceMissing or DeviceRefused."""

    def read(self, timeout: float) -> Picture | Loss | None:
        """Return the next picture; None when none came within `timeout` seconds; what the device says of its input.

        Raises DeviceMissing when the device is gone; the caller closes and opens it again.
        """

    def close(self) -> None:
        """Let go of the device; harmless when it is not open."""
