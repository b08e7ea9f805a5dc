"""Boxes of a picture: what is cut out of it, and what is blackened. Both in pixels of the picture they get."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hardware import colour
from hardware.pixels import to_rgb
from hardware.sources import Picture, PixelFormat

_NEUTRAL = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """`x`, `y`: the left upper pixel, from 0; `width`, `height`: pixels."""

    x: int
    y: int
    width: int
    height: int

    def inside(self, width: int, height: int) -> bool:
        """Say whether it lies in a picture of that size and is not empty."""
        some = self.width > 0 and self.height > 0
        ends = self.x + self.width <= width and self.y + self.height <= height
        return some and ends and self.x >= 0 and self.y >= 0


def cropped(picture: Picture, box: Box) -> Picture:
    """Return the part of a picture in the box, which must lie inside; RGB where that cuts a chroma sample."""
    assert box.inside(picture.width, picture.height)
    steps = _steps(picture)
    if any(box.x % across or box.y % down for down, across in steps):
        rgb = to_rgb(picture)
        picture = replace(picture, format=PixelFormat.RGB24, planes=(rgb,))
        steps = _steps(picture)
    planes = tuple(
        plane[_part(box.y, box.height, down), _part(box.x, box.width, across)]
        for plane, (down, across) in zip(picture.planes, steps, strict=True)
    )
    return replace(picture, planes=planes, width=box.width, height=box.height)


def masked(picture: Picture, boxes: Iterable[Box]) -> Picture:
    """Return the picture with everything in the boxes black; what lies outside of it is cut off.

    Where a box cuts through a chroma sample, the whole sample loses its colour: rather too much is hidden.
    """
    boxes = tuple(boxes)
    if not boxes:
        return picture
    planes = tuple(np.array(plane) for plane in picture.planes)
    yuv = picture.format is PixelFormat.PLANAR_YUV
    black = [0 if picture.full_range else 16, _NEUTRAL, _NEUTRAL] if yuv else [0]
    for box in boxes:
        for plane, value, (down, across) in zip(planes, black, _steps(picture), strict=True):
            _fill(plane, box, value, down, across)
    return replace(picture, planes=planes)


def _fill(plane: NDArray[np.uint8], box: Box, value: int, down: int, across: int) -> None:
    plane[_part(box.y, box.height, down), _part(box.x, box.width, across)] = value


def _part(start: int, length: int, step: int) -> slice:
    """Return the samples that cover these pixels."""
    return slice(max(start, 0) // step, max(0, -(-(start + length) // step)))


def _steps(picture: Picture) -> list[tuple[int, int]]:
    """Return of each plane how many lines and columns of pixels a sample covers."""
    luma, *chroma = picture.planes
    return [(1, 1), *(colour.sampling(luma.shape, plane.shape) for plane in chroma)]
