"""Where pictures come from. `Source` is what every kind of source implements; `Picture` is what it gives."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class PixelFormat(StrEnum):
    GRAY8 = "gray8"  # (height, width)
    RGB24 = "rgb24"  # (height, width, 3)
    PLANAR_YUV = "planar-yuv"  # three planes Y, U, V; the chroma planes tell the subsampling by their shape


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """One picture as the source delivered it.

    `planes`: uint8 arrays. GRAY8 one of shape (rows, columns); RGB24 one of shape (rows, columns, 3);
    PLANAR_YUV three, the chroma ones smaller by their subsampling, rounded up.
    """

    counter: int  # from 0 at open; a gap means lost pictures
    time_ns: int  # CLOCK_BOOTTIME when it was on the wire
    format: PixelFormat
    width: int
    height: int
    planes: tuple[NDArray[np.uint8], ...] = field(repr=False)
    matrix: str = "bt601"  # or "bt709"; of YUV
    full_range: bool = False  # of YUV

    @property
    def bytes(self) -> int:
        return sum(plane.nbytes for plane in self.planes)


class Source(Protocol):
    """A picture source. Its thread calls `open`, then `read` until it raises, then `close`."""

    def open(self) -> None:
        """Start delivering. Raises DeviceMissing or DeviceRefused."""

    def read(self, timeout: float) -> Picture | None:
        """Return the next picture, or None when none came within `timeout` seconds (no signal).

        Raises DeviceMissing when the device is gone; the caller closes and opens it again.
        """

    def close(self) -> None:
        """Let go of the device; harmless when it is not open."""
