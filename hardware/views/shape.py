"""A picture's shape: turned, mirrored, and with pixels that are squares."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware import colour
from hardware.pixels import to_rgb
from hardware.sources import Picture, PixelFormat

_QUARTER = 90
TURNS = (0, 90, 180, 270)


def turned(picture: Picture, degrees: int) -> Picture:
    """Return the picture turned clockwise by 0, 90, 180 or 270 degrees: the same samples in another order."""
    assert degrees in TURNS
    if not degrees:
        return picture
    picture = _even(picture)
    planes = tuple(np.rot90(plane, -(degrees // _QUARTER)) for plane in picture.planes)
    rows, columns = planes[0].shape[:2]
    lying = degrees % 180 != 0
    aspect = 1 / picture.pixel_aspect if lying else picture.pixel_aspect
    return replace(picture, planes=planes, width=columns, height=rows, pixel_aspect=aspect)


def mirrored(picture: Picture) -> Picture:
    """Return the picture with left and right changed."""
    picture = _even(picture)
    return replace(picture, planes=tuple(plane[:, ::-1] for plane in picture.planes))


def _even(picture: Picture) -> Picture:
    """Return RGB where the last chroma sample covers less than the others: read backwards it would cover more."""
    luma, *chroma = picture.planes
    steps = [colour.sampling(luma.shape, plane.shape) for plane in chroma]
    if all(picture.height % down == 0 and picture.width % across == 0 for down, across in steps):
        return picture
    return replace(picture, format=PixelFormat.RGB24, planes=(to_rgb(picture),))


def squared(picture: Picture) -> Picture:
    """Return the picture resampled to square pixels: wider or higher than it was, so that nothing is lost."""
    if picture.pixel_aspect == 1:
        return picture
    width, height = size_of_squared(picture.width, picture.height, picture.pixel_aspect)
    planes = tuple(_resized(plane, picture.planes[0], width, height) for plane in picture.planes)
    return replace(picture, planes=planes, width=width, height=height, pixel_aspect=Fraction(1))


def size_of_squared(width: int, height: int, pixel_aspect: Fraction) -> tuple[int, int]:
    """Return columns and rows of a picture of that size once its pixels are squares."""
    if pixel_aspect > 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


def _resized(plane: NDArray[np.uint8], luma: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    down, across = colour.sampling(luma.shape, plane.shape)
    size = (-(-width // across), -(-height // down))
    # Linear: it makes no brightness that was not there, at edges or anywhere.
    return np.asarray(cv2.resize(np.ascontiguousarray(plane), size, interpolation=cv2.INTER_LINEAR), np.uint8)
