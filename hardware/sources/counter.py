"""The machine-readable frame counter of a test picture. Says None rather than a number it is not sure of.

A strip along the bottom edge, one 36th of the height, holds 64 black or white cells from left to right: 8 that
never change, 40 of the number (highest bit first) and 16 of a CRC-16/CCITT over the number's five bytes. All
places are fractions of the picture, so a scaled picture reads like the original one.
"""

import binascii

import numpy as np
from numpy.typing import NDArray

LIMIT = 1 << 40  # numbers are below this: 1,000 years at 30 pictures/s
SMALLEST = (192, 108)  # width, height: cells of three pixels
_CELLS = 64
_STRIPS = 36  # this many strips would fill the height
_SYNC = (1, 0, 1, 1, 0, 0, 1, 0)
_BLACK, _WHITE = 16, 235  # reserves at both ends, so that no colour conversion clips them
_CONTRAST = 64  # least difference of white and black; a picture without a strip has no such pattern


def paint(pixels: NDArray[np.uint8], number: int) -> None:
    """Paint `number` into `pixels`, shape (rows, columns) or (rows, columns, 3), in place."""
    rows, columns = pixels.shape[:2]
    if not 0 <= number < LIMIT:
        raise ValueError(f"{number} does not fit the counter strip: 0 to 2^40 - 1")
    if columns < SMALLEST[0] or rows < SMALLEST[1]:
        raise ValueError(f"{columns} x {rows} is too small for a counter strip")
    levels = np.where(np.array(_bits(number)) == 1, _WHITE, _BLACK).astype(np.uint8)
    line = levels[np.arange(columns) * _CELLS // columns]
    strip = pixels[rows - rows // _STRIPS :]
    strip[:] = line if pixels.ndim == 2 else line[:, np.newaxis]  # noqa: PLR2004 - grey or colour


def read(pixels: NDArray[np.uint8]) -> int | None:
    """Return the number painted into `pixels` (grey or RGB, also scaled or from a JPEG), or None."""
    rows, columns = pixels.shape[:2]
    if columns < _CELLS or rows < _STRIPS:
        return None
    height = rows / _STRIPS
    top, bottom = int(rows - 0.75 * height), int(rows - 0.25 * height)
    band = pixels[top : max(bottom, top + 1)]
    line = band.reshape(band.shape[0], columns, -1).mean(axis=(0, 2))
    cells = np.array([_middle(line, cell) for cell in range(_CELLS)])
    sync = np.array(_SYNC) == 1
    white, black = cells[: len(_SYNC)][sync].min(), cells[: len(_SYNC)][~sync].max()
    if white - black < _CONTRAST:
        return None
    return _number((cells > (white + black) / 2).tolist())


def _middle(line: NDArray[np.float64], cell: int) -> float:
    """Return the mean of a cell's middle half."""
    width = line.shape[0] / _CELLS
    left, right = int((cell + 0.25) * width), int((cell + 0.75) * width)
    return float(line[left : max(right, left + 1)].mean())


def _bits(number: int) -> list[int]:
    payload = number.to_bytes(5, "big")
    word = payload + binascii.crc_hqx(payload, 0xFFFF).to_bytes(2, "big")
    return [*_SYNC, *(byte >> bit & 1 for byte in word for bit in range(7, -1, -1))]


def _number(cells: list[bool]) -> int | None:
    word = int("".join("1" if cell else "0" for cell in cells[len(_SYNC) :]), 2)
    number = word >> 16
    return number if binascii.crc_hqx(number.to_bytes(5, "big"), 0xFFFF) == word & 0xFFFF else None
