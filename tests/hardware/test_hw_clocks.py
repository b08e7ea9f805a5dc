"""The kernel's two clocks, read by a thread that others may interrupt at any moment."""

import pytest

from gateway.clock import FakeClock
from hardware.clocks import suspended_ns
from hardware.sources.v4l2.timing import Timing


class Interrupted:
    """CLOCK_MONOTONIC of a machine that slept for 7 s; whoever reads it is held up at one of the readings."""

    def __init__(self, clock: FakeClock, *, held_up: int, after: bool) -> None:
        self._clock, self._held_up, self._after = clock, held_up, after
        self.readings = 0

    def __call__(self) -> int:
        self.readings += 1
        if self.readings != self._held_up:
            return self._clock.boottime_ns() - 7_000_000_000
        if not self._after:
            self._clock.move(0.020)
        read = self._clock.boottime_ns() - 7_000_000_000
        if self._after:
            self._clock.move(0.020)
        return read


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("held_up", [1, 2, 3])
def test_how_long_the_box_slept_is_known_exactly_also_by_a_thread_that_was_held_up(clock, held_up, after):
    monotonic = Interrupted(clock, held_up=held_up, after=after)
    assert suspended_ns(clock.boottime_ns, monotonic) == 7_000_000_000


@pytest.mark.parametrize("after", [False, True])
def test_a_picture_has_the_kernels_time_also_when_its_reader_was_held_up(clock, after):
    clock.move(10)
    taken = clock.boottime_ns()
    monotonic = Interrupted(clock, held_up=1, after=after)
    timing = Timing(clock_ns=clock.boottime_ns, monotonic_ns=monotonic)
    clock.move(0.030)
    assert timing.of(taken - 7_000_000_000) == taken
