"""A pedal, a button or the remote output of a scope processor as a contact at the pins of a GPIO chip."""

from collections.abc import Callable, Hashable

from hardware.clocks import suspended_ns
from hardware.errors import DeviceError, DeviceMissing
from hardware.gpio import Inputs, Listen, Wiring
from hardware.gpio.chip import listen as real
from hardware.triggers import Press
from hardware.triggers.edges import Edges
from hardware.triggers.words import actions_of, number_of

_PAUSE_S = 0.005  # between two batches: an open pin near a motor has a hundred thousand edges a second
_MOST_PINS = 1 << 16


class GpioTrigger:
    """Presses from contacts that close (`Edges`). Their time is the kernel's for the edge.

    device: "/dev/gpiochip0"; still, clip: "pin:17", or "" for none. monotonic_ns: CLOCK_MONOTONIC, in which the
    kernel stamps edges; clock_ns: CLOCK_BOOTTIME. Raises DeviceRefused for other words.
    """

    def __init__(
        self,
        *,
        device: str,
        clock_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
        wait: Callable[[float], None],
        still: str = "",
        clip: str = "",
        wiring: Wiring | None = None,
        listen: Listen = real,
    ) -> None:
        self._device = device
        self._clock_ns = clock_ns
        self._monotonic_ns = monotonic_ns
        self._wait = wait
        self._wiring = wiring or Wiring()
        self._listen = listen
        actions = actions_of(device, still=still, clip=clip, meaning=_pin)
        self._pins = tuple(pin for pin in actions if isinstance(pin, int))
        self._edges = Edges(actions)
        self._inputs: Inputs | None = None

    def open(self) -> None:
        self.close()
        self._inputs = self._listen(self._device, self._pins, self._wiring)
        try:
            self._edges.begin(self._inputs.closed())
        except DeviceError:
            self.close()
            raise

    def read(self, timeout: float) -> Press | None:
        give_up = self._clock_ns() + round(timeout * 1e9)
        while (press := self._edges.next()) is None:
            came = self._look(max(0.0, (give_up - self._clock_ns()) / 1e9))
            if (press := self._edges.next()) is not None:
                return press
            if self._clock_ns() >= give_up or not came:
                return None
            self._wait(_PAUSE_S)
        return press

    def close(self) -> None:
        self._edges.begin()
        inputs, self._inputs = self._inputs, None
        if inputs is not None:
            inputs.close()

    def _look(self, seconds: float) -> bool:
        """Note what the contacts did within `seconds`; True when there was anything."""
        if self._inputs is None:
            raise DeviceMissing(f"The contacts of {self._device} are not open.")
        seen = self._inputs.changes(seconds)
        suspended = suspended_ns(self._clock_ns, self._monotonic_ns)
        for change in seen.changes:
            self._edges.level(change.pin, closed=change.closed, time_ns=change.time_ns + suspended)
        if seen.lost:
            closed, now = self._inputs.closed(), self._clock_ns()
            for pin in self._pins:
                self._edges.level(pin, closed=pin in closed, time_ns=now)
        return bool(seen.changes)


def _pin(word: str) -> Hashable:
    return number_of(word, "pin", _MOST_PINS)
