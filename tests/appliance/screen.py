"""What the screen of a box in a virtual machine shows, and where somebody touches it."""

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.appliance.monitor import Monitor
from tests.kernel.machine import MachineFailed

Picture = np.ndarray[Any, Any]  # uint8, shape (rows, columns, 3), blue first
SCREEN_S = 900
PAUSE_S = 5.0
_BLACK = 8  # the brightest point of a ground as firmware and consoles have it; the panel's has 18
_SHOWN = 0.9  # of its points are brighter
_CHANGED = 24  # levels of a point that changed
_SAME = 0.001  # of the points may have: a clock, not a bar or a word
_WIDE = 32767  # QEMU's, of either axis


class Screen:
    """That of a machine with a graphics card; it is touched as far as there is a tablet."""

    def __init__(self, monitor: Monitor, folder: Path) -> None:
        self._monitor = monitor
        self._file = folder / "screen.ppm"

    def now(self) -> Picture:
        self._monitor.tell("screendump", filename=str(self._file))
        picture = cv2.imread(str(self._file))
        assert picture is not None
        return picture

    def settled(self) -> Picture:
        """Return it once it shows a page that stays. Raises MachineFailed."""
        end = time.monotonic() + SCREEN_S
        before = self.now()
        while time.monotonic() < end:
            time.sleep(PAUSE_S)
            now = self.now()
            if same(before, now) and (now.max(axis=2) > _BLACK).mean() > _SHOWN:
                return now
            before = now
        raise MachineFailed("the screen shows no page")

    def touch(self, across: float, down: float) -> None:
        """Touch it there, in parts of its width and height."""
        places = {"x": across, "y": down}
        moves = [{"type": "abs", "data": {"axis": axis, "value": round(at * _WIDE)}} for axis, at in places.items()]
        self._monitor.tell("input-send-event", events=moves)
        for is_down in (True, False):
            press = {"type": "btn", "data": {"down": is_down, "button": "left"}}
            self._monitor.tell("input-send-event", events=[press])
            time.sleep(0.3)


def same(one: Picture, other: Picture) -> bool:
    """Say whether two screens show the same page."""
    if one.shape != other.shape:
        return False
    changed = np.abs(one.astype(int) - other.astype(int)).max(axis=2) > _CHANGED
    return float(changed.mean()) < _SAME
