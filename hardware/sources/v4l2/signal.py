"""Whether there is a signal, and still the agreed one: asked a few times a second, also while pictures come.

Some drivers go on delivering when the cable is pulled: noise, a blue card, or the last picture.
"""

from collections.abc import Callable
from typing import Any

from linuxpy.video import raw

from hardware.sources import Loss
from hardware.sources.v4l2 import analog, digital, inputs
from hardware.sources.v4l2.calls import Device
from hardware.sources.v4l2.line import Input, Line

_PERIOD_NS = 250_000_000
_STANDARD_NS = 1_000_000_000  # the question for a standard goes over a slow bus, and a standard seldom changes
_MOST_EVENTS = 64  # a driver queues a few


class Signal:
    """`follow`: whether another standard at the input is to be taken, as "auto" asks."""

    def __init__(self, *, device: Device, chosen: Input | None, follow: bool, clock_ns: Callable[[], int]) -> None:
        self._device, self._follow, self._clock_ns = device, follow, clock_ns
        self.chosen = chosen
        self.due_ns = self._standard_due_ns = 0  # when it is asked again
        self.loss: Loss | None = None  # as the device said last
        self._line = Line()
        device.ask(raw.IOC.SUBSCRIBE_EVENT, raw.v4l2_event_subscription(type=raw.EventType.SOURCE_CHANGE))

    def agreed(self, line: Line) -> None:
        """Note what was agreed; what the device said until now counts no more."""
        self._line, self.loss = line, None
        self.happened()
        self.due_ns = self._clock_ns() + _PERIOD_NS

    def is_other(self) -> bool:
        """Ask the device when it is time to; True when there is something else to agree on."""
        now = self._clock_ns()
        if self.chosen is None or now < self.due_ns:
            return False
        self.due_ns = now + _PERIOD_NS
        before, self.loss = self.loss, inputs.status(self._device, self.chosen)
        if self.loss is not None:
            return False
        return before is not None or self._differs(self.chosen)

    def happened(self) -> bool:
        """Take the events that wait; True when one says that the signal changed."""
        changed = False
        for _ in range(_MOST_EVENTS):
            event = self._next_event()
            if event is None:
                break
            changed |= event.type == raw.EventType.SOURCE_CHANGE
        return changed

    def _next_event(self) -> Any:  # noqa: ANN401 - a v4l2_event, or None
        try:
            return self._device.ask(raw.IOC.DQEVENT, raw.v4l2_event())
        except FileNotFoundError:  # ENOENT: none waits
            return None

    def _differs(self, chosen: Input) -> bool:
        if chosen.has_timings:
            found = digital.timings(self._device, chosen)
            return found is not None and not isinstance(found, Loss) and not digital.same(self._line, found)
        if self._follow and self._line.lines and self._clock_ns() >= self._standard_due_ns:
            self._standard_due_ns = self._clock_ns() + _STANDARD_NS
            lines = analog.lines_of(analog.detected(self._device))
            return lines not in {0, self._line.lines}
        return False
