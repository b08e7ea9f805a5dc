"""The kernel's two clocks: most devices stamp in CLOCK_MONOTONIC, which stands still while the machine sleeps."""

from collections.abc import Callable

_READINGS = 3  # a thread may lose the processor between two clocks, for milliseconds: hardly three times in a row


def suspended_ns(clock_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> int:
    """Return how long the machine was suspended since it was started: what to add to a stamp of CLOCK_MONOTONIC.

    clock_ns: CLOCK_BOOTTIME; monotonic_ns: CLOCK_MONOTONIC (clock_gettime(2)).
    """
    readings = [(clock_ns(), monotonic_ns(), clock_ns()) for _ in range(_READINGS)]
    before, monotonic, after = min(readings, key=lambda each: each[2] - each[0])
    return (before + after) // 2 - monotonic
