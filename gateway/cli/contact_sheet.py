"""One picture of many small ones with their names, for somebody who has to choose."""

from collections.abc import Mapping

import cv2
import numpy as np

from hardware.pixels import small_rgb
from hardware.sources import Picture

_WIDTH, _HEIGHT, _LINE = 400, 300, 28  # of one picture, and of its name
_IN_A_ROW = 3


def contact_sheet(shown: Mapping[str, Picture]) -> bytes:
    """Return a JPEG of all previews with their names, three in a row."""
    rows = -(-len(shown) // _IN_A_ROW)
    page = np.full((rows * (_HEIGHT + _LINE), _IN_A_ROW * _WIDTH, 3), 40, np.uint8)
    for number, (name, picture) in enumerate(shown.items()):
        top, left = number // _IN_A_ROW * (_HEIGHT + _LINE), number % _IN_A_ROW * _WIDTH
        small = small_rgb(picture, _WIDTH)
        if small.shape[0] > _HEIGHT:
            columns = max(1, small.shape[1] * _HEIGHT // small.shape[0])
            small = np.asarray(cv2.resize(small, (columns, _HEIGHT)), np.uint8)
        page[top : top + small.shape[0], left : left + small.shape[1]] = small
        place = (left + 6, top + _HEIGHT + _LINE - 9)
        cv2.putText(page, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    done, coded = cv2.imencode(".jpg", cv2.cvtColor(page, cv2.COLOR_RGB2BGR))
    assert done
    return bytes(coded)
