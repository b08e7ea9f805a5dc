"""How late a video chain is: a screen flashes, the pictures that come back say when they saw it.

The chain must show that screen: the box's own, or a PC's in the scanner's place, or a lamp before an endoscope.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from hardware.errors import DeviceRefused
from hardware.pixels import small_rgb
from hardware.sources import Picture, Source

FLASHES = 15
_DARK_S, _PATIENCE_S = 1.2, 1.5  # dark again in every picture of its second half
_READ_S = 0.25
_STEP = 40  # of 255, between dark and bright
_WIDTH = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Delay:
    """From the screen to the time stamp of the pictures: the median, and how far apart the middle half lies."""

    ms: int
    spread_ms: int
    flashes: int


def input_delay(
    source: Source,
    flash: Callable[[bool], None],
    *,
    clock_ns: Callable[[], int],
    jitter: Callable[[float], float],
) -> Delay:
    """Flash and measure; `flash` makes the screen bright or dark and returns when it did, `jitter` varies a share.

    Raises DeviceRefused when the pictures do not follow the flashes, DeviceMissing when the device goes.
    """
    seen: list[int] = []
    for _ in range(FLASHES):
        flash(False)
        dark, period_ns = _calm(source, clock_ns, _DARK_S * jitter(0.3))
        flash(True)
        begun = clock_ns()
        lit = _first_brighter(source, clock_ns, dark)
        if lit is not None:
            # The flash may come at any moment of the interval that the picture stands for.
            seen.append(lit - begun - period_ns // 2)
    flash(False)
    if len(seen) < FLASHES * 2 // 3:
        raise DeviceRefused(
            f"Only {len(seen)} of {FLASHES} flashes came back: the picture must show the screen that flashes, and "
            "little else."
        )
    lower, middle, upper = statistics.quantiles(seen, n=4, method="inclusive")
    return Delay(ms=max(0, round(middle / 1e6)), spread_ms=round((upper - lower) / 1e6), flashes=len(seen))


def _calm(source: Source, clock_ns: Callable[[], int], seconds: float) -> tuple[float, int]:
    """Read for a while; return the brightness at its end and the usual ns from picture to picture."""
    times: list[int] = []
    levels: list[float] = []
    end = clock_ns() + round(seconds * 1e9)
    while clock_ns() < end:
        picture = source.read(_READ_S)
        if isinstance(picture, Picture):
            times.append(picture.time_ns)
            levels.append(_brightness(picture))
    steps = [after - before for before, after in pairwise(times)]
    if len(levels) < 3 or not steps:  # noqa: PLR2004 - fewer say nothing
        raise DeviceRefused("Too few pictures come from the device to measure with.")
    return statistics.median(levels[len(levels) // 2 :]), round(statistics.median(steps))


def _first_brighter(source: Source, clock_ns: Callable[[], int], dark: float) -> int | None:
    """Return the time stamp of the first picture that shows the flash."""
    end = clock_ns() + round(_PATIENCE_S * 1e9)
    while clock_ns() < end:
        picture = source.read(_READ_S)
        if isinstance(picture, Picture) and _brightness(picture) > dark + _STEP:
            return picture.time_ns
    return None


def _brightness(picture: Picture) -> float:
    return float(small_rgb(picture, _WIDTH).mean())
