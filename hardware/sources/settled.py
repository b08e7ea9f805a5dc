"""One picture of a source that nobody else reads: opened, waited for until its levels are settled, closed."""

from collections.abc import Callable

from hardware.sources import Picture, Source

_FIRST_S = 5.0  # for the first picture with a new wish
_SETTLED = 10  # pictures until a grabber's levels are settled


def settled_picture(source: Source, *, clock_ns: Callable[[], int]) -> Picture | None:
    """Return a settled picture, None when none came. Closes the source. Raises DeviceError."""
    source.open()
    try:
        newest, end = None, clock_ns() + round(_FIRST_S * 1e9)
        for _ in range(_SETTLED):
            picture = source.read(max(0.0, (end - clock_ns()) / 1e9))
            newest = picture if isinstance(picture, Picture) else newest
            if clock_ns() >= end:
                break
        return newest
    finally:
        source.close()
