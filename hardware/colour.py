"""Y'CbCr to R'G'B' by the book, in integers. Knows no files, no devices and no codecs.

With Kr and Kb of the matrix, Kg = 1 - Kr - Kb, and y, cb, cr the samples:

    limited range (16..235, 16..240)      full range
    l = 255/219, c = 255/224, z = 16      l = 1, c = 1, z = 0

    R = l (y - z)                        + c (2 - 2 Kr)         (cr - 128)
    G = l (y - z) - c (2 - 2 Kb) Kb / Kg   (cb - 128) - c (2 - 2 Kr) Kr / Kg (cr - 128)
    B = l (y - z) + c (2 - 2 Kb)           (cb - 128)

rounded to the nearest integer and clipped to 0..255 (Rec. ITU-R BT.601-7 2.5, BT.709-6 3 and 4, and
ISO/IEC 10918-5 for full range). Every factor is rounded to 1/1024 first, so that R = G = B where cb = cr = 128;
the result differs from the formula by at most 1. A chroma sample that covers several pixels counts for each of
them unchanged: nothing is interpolated, so the result does not depend on where the chroma was sited.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

# Kr and Kb of each matrix (ISO/IEC 23091-2 table 4)
MATRICES = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
    "bt2020": (0.2627, 0.0593),  # the matrix alone: the wider primaries are kept as they are
}
_UNIT = 1024


def factors(matrix: str, *, full_range: bool) -> NDArray[np.int64]:
    """Return shape (3, 4): 1024ths of y, cb, cr and 1 in R, G and B."""
    red, blue = MATRICES[matrix]
    green = 1 - red - blue
    luma, chroma, zero = (1.0, 1.0, 0) if full_range else (255 / 219, 255 / 224, 16)
    rows = np.array(
        [
            [luma, 0, chroma * (2 - 2 * red)],
            [luma, -chroma * (2 - 2 * blue) * blue / green, -chroma * (2 - 2 * red) * red / green],
            [luma, chroma * (2 - 2 * blue), 0],
        ]
    )
    whole = np.rint(rows * _UNIT).astype(np.int64)
    offset = -(whole @ np.array([zero, 128, 128]))
    return np.column_stack([whole, offset])


def to_rgb(planes: tuple[NDArray[np.uint8], ...], *, matrix: str, full_range: bool) -> NDArray[np.uint8]:
    """Return shape (rows, columns, 3), RGB, of planes Y (rows, columns), Cb and Cr (smaller or equal)."""
    luma, *chroma = planes
    spread = [_cover(plane, luma.shape) for plane in chroma]
    weights = factors(matrix, full_range=full_range) / _UNIT
    # transform() works in 1024ths and rounds halves up in its vector part, to even in its scalar rest;
    # a quarter of a 1024th decides every half upwards in both.
    weights[:, 3] += 0.25 / _UNIT
    return np.asarray(cv2.transform(cv2.merge([luma, *spread]), weights.astype(np.float32)), np.uint8)


def full_luma(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return luma 16..235 as 0..255."""
    return np.asarray(cv2.LUT(plane, _table(16, 255 / 219, 0)), np.uint8)


def full_chroma(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return chroma 16..240 as 0..255 around 128."""
    return np.asarray(cv2.LUT(plane, _table(128, 255 / 224, 128)), np.uint8)


def _table(zero: int, factor: float, base: int) -> NDArray[np.uint8]:
    values = np.floor((np.arange(256) - zero) * factor + base + 0.5)
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def sampling(luma: tuple[int, ...], chroma: tuple[int, ...]) -> tuple[int, int]:
    """Return how many lines and how many columns of luma one chroma sample covers: 1, 2 or 4 each."""
    down, across = (
        1 << (-(-whole // part) - 1).bit_length() for whole, part in zip(luma[:2], chroma[:2], strict=True)
    )
    return down, across


def _cover(plane: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return a chroma plane as large as the luma: each sample repeated, the surplus of odd sizes cut off."""
    down, across = sampling(shape, plane.shape)
    if (down, across) == (1, 1):
        return plane
    size = (plane.shape[1] * across, plane.shape[0] * down)
    large = np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    return np.ascontiguousarray(large[: shape[0], : shape[1]])
