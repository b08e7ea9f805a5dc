"""One picture of one field: no comb where something moved between the two, at the price of every other line."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware.sources import Picture, Scan


def one_field(picture: Picture) -> Picture:
    """Return the older field with the lines between made of their neighbours; progressive ones as they are.

    The field's own lines stay untouched at their places, so nothing moves up or down by half a line. The lines of
    a chroma plane belong to the fields in turn as those of luma do (ISO/IEC 13818-2 6.1.1.8).
    """
    if picture.scan is Scan.PROGRESSIVE:
        return picture
    first = 0 if picture.scan is Scan.TOP_FIRST else 1
    planes = tuple(_filled(plane, first) for plane in picture.planes)
    return replace(picture, planes=planes, scan=Scan.PROGRESSIVE)


def _filled(plane: NDArray[np.uint8], first: int) -> NDArray[np.uint8]:
    """Return the plane with only its lines first, first + 2 ... kept."""
    lines = np.ascontiguousarray(plane[first::2])
    if len(plane) < 2:  # noqa: PLR2004 - one line alone is no field of two
        return plane
    made = np.empty(plane.shape, np.uint8)
    made[first::2] = lines
    missing = made[1 - first :: 2]
    edged = np.concatenate([lines[:1], lines, lines[-1:]])
    above = edged[1 - first :][: len(missing)]
    below = edged[2 - first :][: len(missing)]
    missing[:] = cv2.addWeighted(above, 0.5, below, 0.5, 0).reshape(missing.shape)
    return made
