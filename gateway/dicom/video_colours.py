"""RGB to the limited range of video and back, by the numbers of H.273 (ITU-R BT.709 and BT.601)."""

import numpy as np
from numpy.typing import NDArray

BT709, BT601 = 1, 6
_HD_ROWS = 720  # from here on players that do not read what the stream says take its colours for BT.709
_WEIGHTS = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114)}  # of R and B
_LUMA, _CHROMA = 219 / 255, 224 / 255  # of a full range
_ZERO = np.array([16.0, 128.0, 128.0])


def matrix_of(rows: int) -> int:
    """Return the matrix that a stream of so many rows has."""
    return BT709 if rows >= _HD_ROWS else BT601


def limited(matrix: int) -> NDArray[np.float32]:
    """Return what makes limited-range Y, Cb, Cr of RGB: (3, 4), the last column is added."""
    return np.hstack([_forward(matrix), _ZERO[:, np.newaxis]]).astype(np.float32)


def rgb(matrix: int) -> NDArray[np.float32]:
    """Return what makes RGB of limited-range Y, Cb, Cr: (3, 4), the last column is added."""
    back = np.linalg.inv(_forward(matrix))
    return np.hstack([back, -(back @ _ZERO)[:, np.newaxis]]).astype(np.float32)


def _forward(matrix: int) -> NDArray[np.float64]:
    red, blue = _WEIGHTS[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    return np.array(
        [
            luma * _LUMA,
            (np.array([0, 0, 1]) - luma) / (1 - blue) / 2 * _CHROMA,
            (np.array([1, 0, 0]) - luma) / (1 - red) / 2 * _CHROMA,
        ]
    )
