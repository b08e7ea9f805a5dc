"""What a lamp hangs on: a pin of a GPIO chip."""

from hardware.errors import DeviceMissing
from hardware.gpio import Drive, Output, Wiring
from hardware.gpio.chip import drive as real


class GpioSwitch:
    """A lamp, or its relay, at a pin. wiring.active: the level at which it is lit."""

    def __init__(self, *, chip: str, pin: int, wiring: Wiring, drive: Drive = real) -> None:
        self._chip = chip
        self._pin = pin
        self._wiring = wiring
        self._drive = drive
        self._output: Output | None = None

    def open(self) -> None:
        self.close()
        self._output = self._drive(self._chip, self._pin, self._wiring)

    def set(self, on: bool) -> None:  # noqa: FBT001 - a lamp is on or off
        if self._output is None:
            raise DeviceMissing(f"The lamp on pin {self._pin} of {self._chip} is not open.")
        self._output.set(on)

    def close(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            output.close()
