"""The test picture: moving, believable, with its number painted in twice. Needs no hardware, touches no file.

What a picture shows depends on the kind, the size and the number alone, so the picture that was stored can be
drawn again from the number that is painted into it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.sources import Picture, PixelFormat
from hardware.sources.counter import paint
from hardware.sources.pace import Pace
from hardware.sources.scenes import SCENES, write

KINDS = tuple(sorted(SCENES))
SMALLEST = (320, 180)
_BUFFERS = 8  # pictures that wait for a slow reader, as a driver's queue does; older ones are lost


class Pattern:
    """Draws one kind of test picture at one size; what stands still is drawn once."""

    def __init__(self, kind: str, size: tuple[int, int]) -> None:
        if kind not in SCENES:
            raise DeviceRefused(f"There is no test picture {kind!r}: use one of {', '.join(KINDS)}.")
        if size[0] < SMALLEST[0] or size[1] < SMALLEST[1]:
            raise DeviceRefused(f"A test picture of {size[0]} x {size[1]} is too small: use 320 x 180 or more.")
        self._scene = SCENES[kind](size)

    def draw(self, counter: int) -> NDArray[np.uint8]:
        """Return picture number `counter`, 0 to 2^40 - 1: uint8, shape (rows, columns, 3), RGB."""
        pixels = self._scene.draw(counter)
        rows, columns = pixels.shape[:2]
        scale = rows / 900
        left, bottom = columns - round(330 * scale), rows - rows // 36 - round(14 * scale)
        pixels[bottom - round(34 * scale) : bottom + round(10 * scale), left:] = 0
        write(pixels, f"{counter:013d}", (left + round(10 * scale), bottom), scale)
        paint(pixels, counter)
        return pixels


def draw(kind: str, counter: int, size: tuple[int, int] = (1280, 720)) -> NDArray[np.uint8]:
    """Return one test picture, shape (rows, columns, 3), RGB. For many of a kind keep a `Pattern`."""
    return Pattern(kind, size).draw(counter)


class PatternSource:
    """Delivers a test picture in real time. A reader that falls behind loses pictures, as with a grabber."""

    def __init__(
        self,
        *,
        kind: str,
        clock_ns: Callable[[], int],
        wait: Callable[[float], None],
        size: tuple[int, int] = (1280, 720),
        rate: float = 30,
    ) -> None:
        self._kind, self._size = kind, size
        self._period_ns = round(1e9 / rate)
        self._pace = Pace(clock_ns=clock_ns, wait=wait)
        self._pattern: Pattern | None = None
        self._start_ns = 0
        self._next = 0

    def open(self) -> None:
        """Start with picture 0. Raises DeviceRefused for an unknown kind or an impossible size."""
        self._pattern = Pattern(self._kind, self._size)
        self._start_ns = self._pace.now()
        self._next = 0

    def read(self, timeout: float) -> Picture | None:
        if self._pattern is None:
            raise DeviceMissing("The test picture is not open.")
        newest = (self._pace.now() - self._start_ns) // self._period_ns
        counter = max(self._next, newest - _BUFFERS + 1)
        due_ns = self._start_ns + counter * self._period_ns
        if not self._pace.until(due_ns, timeout):
            return None
        self._next = counter + 1
        width, height = self._size
        return Picture(
            counter=counter,
            time_ns=due_ns,
            format=PixelFormat.RGB24,
            width=width,
            height=height,
            planes=(self._pattern.draw(counter),),
        )

    def close(self) -> None:
        self._pattern = None
