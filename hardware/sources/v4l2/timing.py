"""When a picture was on the wire, and which one it is. Believes a driver as far as it makes sense."""

from collections.abc import Callable

from hardware.clocks import suspended_ns

_WRAP = 1 << 32  # a driver counts in 32 bits
_JUMP = 1 << 16  # a count that leaps further (18 minutes of pictures) was set anew
_OLDEST_NS = 2_000_000_000  # no driver keeps a picture that long
_AGREE_NS = 1_000_000


class Timing:
    """Kernel times of one stream as CLOCK_BOOTTIME, never decreasing, never later than now.

    clock_ns: CLOCK_BOOTTIME; monotonic_ns: CLOCK_MONOTONIC, by which V4L2 counts and which a suspended box stops.
    """

    def __init__(self, *, clock_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._monotonic_ns = monotonic_ns
        self._last_ns = 0

    def of(self, stamp_ns: int | None) -> int:
        """Return the time of a picture with this monotonic stamp; without a credible one it arrived now."""
        suspended = suspended_ns(self._clock_ns, self._monotonic_ns)
        now = self._clock_ns()
        time_ns = now if stamp_ns is None else stamp_ns + suspended
        if not now - _OLDEST_NS <= time_ns <= now + _AGREE_NS:
            time_ns = now
        self._last_ns = min(max(time_ns, self._last_ns), now)
        return self._last_ns


class Count:
    """Numbers pictures from 0; a gap in the driver's sequence is one here, a sequence without sense is none."""

    def __init__(self) -> None:
        self._next = 0
        self._last: int | None = None

    def of(self, sequence: int) -> int:
        """Return the number of the buffer with that sequence; to be called for every buffer, once."""
        step = 1 if self._last is None else (sequence - self._last) % _WRAP
        if not 1 <= step <= _JUMP:
            step = 1
        if self._last is None:
            step = 0
        self._last = sequence
        number = self._next + max(step - 1, 0)
        self._next = number + 1
        return number

    def anew(self) -> None:
        """Note that the driver begins to count again."""
        self._last = None
