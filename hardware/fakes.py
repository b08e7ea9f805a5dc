"""Devices that follow a script, and scripts of the worst devices of their kind. For tests and for the demo."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

import numpy as np

from hardware.errors import DeviceError, DeviceMissing
from hardware.sources import Loss, Picture, PixelFormat
from hardware.sources.pace import Pace
from hardware.sources.pattern import Pattern
from hardware.triggers import Action, Press

_PERIOD_NS = 33_333_333


def _no_wait(seconds: float) -> None:
    """Let a fake's silence take no time."""


Given = TypeVar("Given")


class Scripted(Generic[Given]):
    """Yields the script, then is unplugged; an error in it is raised.

    Every `open` plays the next of `scripts`, each from its beginning; when none is left the device stays missing.
    A script may be a generator, and so be fed while it plays.
    """

    def __init__(
        self, *scripts: Iterable[Given | DeviceError | None], wait: Callable[[float], None] = _no_wait
    ) -> None:
        self._lives = iter(scripts)
        self._wait = wait
        self._script: Iterator[Given | DeviceError | None] | None = None
        self.opened = self.closed = 0

    def open(self) -> None:
        """Begin the next script. Raises DeviceMissing when there is none."""
        script = next(self._lives, None)
        if script is None:
            raise DeviceMissing("The scripted device was not plugged in again.")
        self._script = iter(script)
        self.opened += 1

    def read(self, timeout: float) -> Given | None:
        """Return what comes next in the script. Raises its errors, and DeviceMissing at its end."""
        for item in self._script or ():
            if isinstance(item, DeviceError):
                raise item
            if item is None:
                self._wait(timeout)
            return item
        raise DeviceMissing("The scripted device was unplugged.")

    def close(self) -> None:
        """Leave the script where it is."""
        if self._script is not None:
            self.closed += 1
        self._script = None


class ScriptedSource(Scripted[Picture | Loss]):
    """None in the script means: nothing came; a Loss is what the device says of its input."""


class ScriptedTrigger(Scripted[Press]):
    """None in the script means: nobody pressed."""


class LateSource:
    """A test picture through a slow video chain: stamped `delay_s` after it was shown, and handed over later still.

    Picture n is on the screen from `shown_ns(n)` on. Stamps wobble by `wobble_s` at most, and each picture takes up
    to `jitter_s` from its stamp to its reader, as with a busy USB bus.
    """

    def __init__(
        self,
        *,
        clock_ns: Callable[[], int],
        wait: Callable[[float], None],
        delay_s: float,
        jitter_s: float = 0.025,
        wobble_s: float = 0.002,
        size: tuple[int, int] = (320, 180),
        rate: float = 30,
        seed: int = 1,
    ) -> None:
        self._pace = Pace(clock_ns=clock_ns, wait=wait)
        self._delay_s, self._jitter_s, self._wobble_s = delay_s, jitter_s, wobble_s
        self._size, self.period_ns = size, round(1e9 / rate)
        self._random = np.random.default_rng(seed)
        self._pattern = Pattern("ultrasound", size)
        self._start_ns = 0
        self._next = 0

    def shown_ns(self, counter: int) -> int:
        """Return when a picture appeared on the screen."""
        return self._start_ns + counter * self.period_ns

    def open(self) -> None:
        """Go on; the screen was never off."""
        self._start_ns = self._start_ns or self._pace.now()
        self._next = (self._pace.now() - self._start_ns) // self.period_ns

    def read(self, timeout: float) -> Picture | None:
        counter = self._next
        stamp = self.shown_ns(counter) + round((self._delay_s + self._random.uniform(0, self._wobble_s)) * 1e9)
        if not self._pace.until(stamp + round(self._random.uniform(0, self._jitter_s) * 1e9), timeout):
            return None
        self._next += 1
        return Picture(
            counter=counter,
            time_ns=stamp,
            format=PixelFormat.RGB24,
            width=self._size[0],
            height=self._size[1],
            planes=(self._pattern.draw(counter),),
        )

    def close(self) -> None:
        """Do nothing: the screen goes on."""


def pictures(
    count: int,
    *,
    start_ns: int,
    first: int = 0,
    size: tuple[int, int] = (320, 180),
    kind: str = "bars",
    period_ns: int = _PERIOD_NS,
) -> Iterator[Picture]:
    """Yield test pictures with their counter painted in, one every `period_ns` from `start_ns` on."""
    pattern = Pattern(kind, size)
    for counter in range(first, first + count):
        yield Picture(
            counter=counter,
            time_ns=start_ns + (counter - first) * period_ns,
            format=PixelFormat.RGB24,
            width=size[0],
            height=size[1],
            planes=(pattern.draw(counter),),
        )


def worst_source(*, start_ns: int) -> Iterator[Picture | Loss | None]:
    """Yield what the worst grabber gives: bursts of one time, gaps, silence, other sizes, other formats."""
    yield from pictures(3, start_ns=start_ns)
    yield None  # the cable was touched
    yield from pictures(4, start_ns=start_ns + 10 * _PERIOD_NS, first=10, period_ns=0)  # all at once
    yield from pictures(2, start_ns=start_ns + 40 * _PERIOD_NS, first=40, size=(322, 182))  # another mode
    yield from _odd(counter=42, time_ns=start_ns + 42 * _PERIOD_NS)
    yield Loss.NO_SIGNAL
    yield None
    yield from pictures(1, start_ns=start_ns + 90 * _PERIOD_NS, first=90)


def worst_trigger(*, start_ns: int) -> Iterator[Press | None]:
    """Yield what the worst pedal gives: two presses at one time, both kinds at once, one that comes too late."""
    yield Press(action=Action.STILL, time_ns=start_ns)
    yield Press(action=Action.STILL, time_ns=start_ns)
    yield Press(action=Action.CLIP, time_ns=start_ns)
    yield None
    yield Press(action=Action.CLIP, time_ns=start_ns - 3_600_000_000_000)


def _odd(*, counter: int, time_ns: int) -> Iterator[Picture]:
    """Yield a grey picture and a YUV one of odd sizes, and a JPEG that is none."""
    grey = np.full((5, 7), 90, np.uint8)
    chroma = np.full((3, 4), 128, np.uint8)
    yield Picture(counter=counter, time_ns=time_ns, format=PixelFormat.GRAY8, width=7, height=5, planes=(grey,))
    yield Picture(
        counter=counter + 1,
        time_ns=time_ns,
        format=PixelFormat.PLANAR_YUV,
        width=7,
        height=5,
        planes=(grey, chroma, chroma),
    )
    torn = np.full(500, 0xFF, np.uint8)
    yield Picture(counter=counter + 2, time_ns=time_ns, format=PixelFormat.JPEG, width=7, height=5, planes=(torn,))
