"""Two fields become one picture. Knows lines, no formats."""

import numpy as np
from numpy.typing import NDArray

Planes = tuple[NDArray[np.uint8], ...]


def weave(top: Planes, bottom: Planes) -> Planes:
    """Return planes of twice the lines: 0, 2, 4 ... of the top field, 1, 3, 5 ... of the bottom one."""
    return tuple(_woven(upper, lower) for upper, lower in zip(top, bottom, strict=True))


def _woven(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> NDArray[np.uint8]:
    whole = np.empty((upper.shape[0] + lower.shape[0], *upper.shape[1:]), np.uint8)
    whole[0::2] = upper
    whole[1::2] = lower
    return whole
