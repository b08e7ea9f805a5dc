"""The input delay is measured from flashes that come back, or not at all."""

from collections import deque

import numpy as np
import pytest

from gateway.clock import FakeClock
from hardware.errors import DeviceRefused
from hardware.measuring import FLASHES, input_delay
from hardware.sources import Picture, PixelFormat

PERIOD_NS = 33_333_333


class Mirror:
    """A camera before a flashing screen, through a chain that is late; time passes only while it is read."""

    def __init__(self, clock: FakeClock, *, late_ms: float, noise: float = 3.0, blind: float = 0.0) -> None:
        self.clock, self.late_ns = clock, round(late_ms * 1e6)
        self._random = np.random.default_rng(5)
        self._noise, self._blind = noise, blind
        self._changes: deque[tuple[int, bool]] = deque([(0, False)])
        self._next = clock.boottime_ns()

    def flash(self, on: bool) -> None:  # noqa: FBT001 - as a switch
        self.clock.move(self._random.uniform(0, PERIOD_NS / 1e9))
        if self._random.uniform() >= self._blind or not on:
            self._changes.append((self.clock.boottime_ns(), on))

    def read(self, timeout: float) -> Picture | None:
        del timeout
        self._next += PERIOD_NS
        self.clock.move(max(0, self._next - self.clock.boottime_ns()) / 1e9)
        shown_ns = self._next - self.late_ns
        on = next(state for at, state in reversed(self._changes) if at <= shown_ns)
        level = (200 if on else 20) + self._random.normal(0, self._noise, (36, 64, 3))
        pixels = np.clip(level, 0, 255).astype(np.uint8)
        facts = {"counter": 0, "width": 64, "height": 36, "format": PixelFormat.RGB24}
        return Picture(**facts, time_ns=self._next, planes=(pixels,))

    def open(self) -> None: ...

    def close(self) -> None: ...


def measured(mirror: Mirror):
    random = np.random.default_rng(7)
    jitter = lambda share: 1 + random.uniform(-share, share)  # noqa: E731 - as the clock's
    return input_delay(mirror, mirror.flash, clock_ns=mirror.clock.boottime_ns, jitter=jitter)


@pytest.mark.parametrize("late_ms", [0, 48, 150, 310])
def test_the_delay_of_a_chain_is_found_within_half_a_picture(late_ms):
    found = measured(Mirror(FakeClock(), late_ms=late_ms))
    assert abs(found.ms - late_ms) <= 17
    assert found.flashes == FLASHES
    assert found.spread_ms <= 25


def test_a_few_flashes_that_are_not_seen_do_no_harm():
    found = measured(Mirror(FakeClock(), late_ms=80, blind=0.25))
    assert FLASHES * 2 // 3 <= found.flashes < FLASHES
    assert abs(found.ms - 80) <= 17


def test_a_picture_that_does_not_show_the_screen_is_said():
    with pytest.raises(DeviceRefused, match=r"Only 0 of 15 flashes"):
        measured(Mirror(FakeClock(), late_ms=80, blind=1.0))


def test_a_device_that_gives_no_pictures_is_said():
    class Blind(Mirror):
        def read(self, timeout: float) -> Picture | None:
            self.clock.move(timeout)
            return None

    with pytest.raises(DeviceRefused, match="Too few pictures"):
        measured(Blind(FakeClock(), late_ms=0))
