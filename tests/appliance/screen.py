"""What the screen of a box in a virtual machine shows, and where somebody touches it."""

import re
import time
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.appliance.monitor import Monitor
from tests.kernel.machine import ROOT, MachineFailed

Picture = np.ndarray[Any, Any]  # uint8, shape (rows, columns, 3), blue first
SCREEN_S = 900
PAUSE_S = 5.0
_GROUND = re.search(r"--bg: #(\w{6});", (ROOT / "gateway/panel/static/panel.css").read_text())
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
        """Return it once it shows a page of the panel that stays. Raises MachineFailed."""
        end = time.monotonic() + SCREEN_S
        before = self.now()
        grounds = [ground_of(before)]
        while time.monotonic() < end:
            time.sleep(PAUSE_S)
            now = self.now()
            grounds.append(ground_of(now))
            if same(before, now) and has_the_panels_ground(now) and has_something_on(now):
                seen = [f"{ground} {PAUSE_S * len(list(each)):.0f} s" for ground, each in groupby(grounds)]
                print(f"grounds of the screen: {', '.join(seen)}", flush=True)
                return now
            before = now
        raise MachineFailed(f"the screen shows no page of the panel; grounds: {set(grounds)}")

    def touch(self, across: float, down: float) -> None:
        """Touch it there, in parts of its width and height."""
        places = {"x": across, "y": down}
        moves = [{"type": "abs", "data": {"axis": axis, "value": round(at * _WIDE)}} for axis, at in places.items()]
        self._monitor.tell("input-send-event", events=moves)
        for is_down in (True, False):
            press = {"type": "btn", "data": {"down": is_down, "button": "left"}}
            self._monitor.tell("input-send-event", events=[press])
            time.sleep(0.3)


def has_the_panels_ground(picture: Picture) -> bool:
    """Say whether most of it is a page of the panel: firmware, consoles and a browser's own have another."""
    assert _GROUND
    return ground_of(picture) == _GROUND[1]


def has_something_on(picture: Picture) -> bool:
    """Say whether there is more than a ground, as while a browser has read the first line of a page."""
    ground = np.median(picture.reshape(-1, 3), axis=0)
    return float((np.abs(picture - ground).max(axis=2) > _CHANGED).mean()) > _SAME


def ground_of(picture: Picture) -> str:
    """Return the colour that most of it has, as pages write it."""
    return bytes(np.median(picture.reshape(-1, 3), axis=0)[::-1].astype(np.uint8)).hex()


def same(one: Picture, other: Picture) -> bool:
    """Say whether two screens show the same page."""
    if one.shape != other.shape:
        return False
    changed = np.abs(one.astype(int) - other.astype(int)).max(axis=2) > _CHANGED
    return float(changed.mean()) < _SAME
