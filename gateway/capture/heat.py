"""Whether the machine is too hot for clips, and whether it gets too little power. Judged over time, so that neither
flickers: a peak is no heat, and what was too hot must have cooled well.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from gateway.clock import Clock
from gateway.errors import TooHot
from gateway.log import event, warn
from hardware.machine import Sensors, Zone

_log = logging.getLogger(__name__)
HOT_AFTER_S = 5.0  # of heat without a pause
COOL_AFTER_S = 30.0  # of every place below its limit by COOLER_C
COOLER_C = 5.0
STEADY_AFTER_S = 60.0  # without a dip of the voltage


class Lasting:
    """A state that begins and ends only when what speaks for it has lasted. Seconds."""

    def __init__(self, *, begins_s: float, ends_s: float, clock: Clock) -> None:
        self._needed_s = {True: begins_s, False: ends_s}
        self._clock = clock
        self._changing_since_ns: int | None = None
        self.on = False

    def look(self, *, begins: bool, ends: bool) -> bool:
        """Take in how it is now; say whether the state changed by it."""
        speaks = ends if self.on else begins
        now = self._clock.boottime_ns()
        if not speaks:
            self._changing_since_ns = None
            return False
        if self._changing_since_ns is None:
            self._changing_since_ns = now
        if (now - self._changing_since_ns) / 1e9 < self._needed_s[not self.on]:
            return False
        self.on, self._changing_since_ns = not self.on, None
        return True


class Heat:
    """Looks once a second; `check` is asked before a clip."""

    def __init__(self, *, sensors: Sensors, clock: Clock) -> None:
        self._sensors = sensors
        self._hot = Lasting(begins_s=HOT_AFTER_S, ends_s=COOL_AFTER_S, clock=clock)
        self._weak = Lasting(begins_s=0.0, ends_s=STEADY_AFTER_S, clock=clock)
        self._zones: list[Zone] = []
        self._voltage_known = False

    def step(self) -> None:
        """Look at the sensors. What cannot be read changes nothing."""
        zones, weak = self._sensors.zones(), self._sensors.undervoltage()
        self._voltage_known = weak is not None
        if zones:
            self._zones = zones
            hot, cool = any(_over(each, 0.0) for each in zones), not any(_over(each, COOLER_C) for each in zones)
            if self._hot.look(begins=hot, ends=cool):
                self._say("too_hot", "cooled", self._hot, celsius=self.celsius)
        if weak is not None and self._weak.look(begins=weak, ends=not weak):
            self._say("undervoltage", "voltage_steady", self._weak)

    @property
    def celsius(self) -> int | None:
        """The temperature of the place that is nearest to its limit; None where nothing is measured."""
        nearest = max(self._zones, key=lambda each: each.celsius - each.limit, default=None)
        return None if nearest is None else round(nearest.celsius)

    def check(self) -> None:
        """Raise TooHot while no clip may begin."""
        if self._hot.on:
            raise TooHot

    def state(self) -> dict[str, Any]:
        """Return how it is for the live state, with every temperature: nobody else reads the sensors."""
        power = "unknown" if not self._voltage_known else "weak" if self._weak.on else "ok"
        heat = "unknown" if not self._zones else "hot" if self._hot.on else "ok"
        zones = [asdict(each) for each in self._zones]
        return {"heat": heat, "celsius": self.celsius, "power": power, "zones": zones}

    def _say(self, begun: str, over: str, state: Lasting, **more: object) -> None:
        say: Callable[..., None] = warn if state.on else event
        say(_log, begun if state.on else over, **more)


def _over(zone: Zone, by: float) -> bool:
    return zone.celsius >= zone.limit - by
