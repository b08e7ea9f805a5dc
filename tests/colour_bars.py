"""Colour bars of full level in the order of every generator, brightest first: what test pictures are made of."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
BARS: tuple[Colour, ...] = (
    (255, 255, 255),
    (255, 255, 0),
    (0, 255, 255),
    (0, 255, 0),
    (255, 0, 255),
    (255, 0, 0),
    (0, 0, 255),
    (0, 0, 0),
)


def drawn(rows: int, columns: int, bars: Sequence[Colour] = BARS) -> NDArray[np.uint8]:
    """Return uprights of these colours, side by side: uint8, shape (rows, columns, 3), RGB."""
    which = np.arange(columns) * len(bars) // columns
    return np.ascontiguousarray(np.broadcast_to(np.array(bars, np.uint8)[which], (rows, columns, 3)))


def middles(columns: int, bars: Sequence[Colour] = BARS) -> list[int]:
    """Return the column in the middle of each bar."""
    return [int((number + 0.5) * columns / len(bars)) for number in range(len(bars))]
