"""GPIO chips of this machine (character device, version 2). Asks for lines and reads edges; decides nothing."""

import errno
import os
import select
from contextlib import suppress
from pathlib import Path
from typing import Any

from linuxpy.ctypes import sizeof
from linuxpy.gpio.device import Device, LineEventId, Request, raw

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.gpio import Changes, Inputs, Output, PinChange, Pins, Wiring

_EVENT = sizeof(raw.gpio_v2_line_event)
_BATCH = 16  # events a read; the kernel keeps that many a line
_NAME = "scopegate"
_GONE = {errno.ENOENT, errno.ENODEV}


def listen(chip: str, pins: Pins, wiring: Wiring) -> Inputs:
    """Listen to both edges of these lines of /dev/gpiochipN, stamped by the kernel with CLOCK_MONOTONIC.

    The kernel's own debouncing stamps an edge after it, so it is left off. Raises DeviceMissing or DeviceRefused.
    """
    towards = "pull-up" if wiring.active == "low" else "pull-down"
    bias = {"": towards, "none": ""}.get(wiring.bias, wiring.bias)
    line = {"direction": "input", "edge": "both", "active": wiring.active, "bias": bias}
    return _Inputs(chip, _requested(chip, [{**line, "line": pin} for pin in pins]))


def drive(chip: str, pin: int, wiring: Wiring) -> Output:
    """Drive one line of /dev/gpiochipN, switched off at first. Raises DeviceMissing or DeviceRefused."""
    line = {"line": pin, "direction": "output", "active": wiring.active}
    return _Output(chip, pin, _requested(chip, [line]))


class _Inputs:
    def __init__(self, chip: str, request: Request) -> None:
        self._chip = chip
        self._request = request
        self._sequence = 0

    def changes(self, seconds: float) -> Changes:
        [fd] = self._request.filenos()
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return Changes()
        try:
            data = os.read(fd, _EVENT * _BATCH)
        except BlockingIOError:
            return Changes()
        except OSError as error:
            raise _failure(self._chip, error) from error
        events = [raw.gpio_v2_line_event.from_buffer_copy(data, at) for at in range(0, len(data), _EVENT)]
        lost = bool(events) and events[-1].seqno != self._sequence + len(events)
        self._sequence = events[-1].seqno if events else self._sequence
        return Changes(
            changes=tuple(
                PinChange(pin=e.offset, closed=e.id == LineEventId.RISING_EDGE, time_ns=e.timestamp_ns)
                for e in events
            ),
            lost=lost,
        )

    def closed(self) -> frozenset[int]:
        try:
            values = self._request.get_values()
        except OSError as error:
            raise _failure(self._chip, error) from error
        return frozenset(pin for pin, value in values.items() if value)

    def close(self) -> None:
        with suppress(OSError):
            self._request.close()


class _Output:
    def __init__(self, chip: str, pin: int, request: Request) -> None:
        self._chip = chip
        self._pin = pin
        self._request = request

    def set(self, on: bool) -> None:  # noqa: FBT001 - a lamp is on or off
        try:
            self._request.set_values({self._pin: on})
        except OSError as error:
            raise _failure(self._chip, error) from error

    def close(self) -> None:
        if self._request.filenos() == [-1]:
            return
        with suppress(OSError, DeviceMissing, DeviceRefused):
            self.set(False)
        with suppress(OSError):
            self._request.close()


def _requested(chip: str, lines: list[dict[str, Any]]) -> Request:
    """Return the open request for these lines; it outlives the chip's own file."""
    try:
        with Device(chip) as device:
            beyond = [line["line"] for line in lines if line["line"] >= len(device)]
            if beyond:
                raise DeviceRefused(f"The chip {chip} has pins 0 to {len(device) - 1}, not {beyond[0]}.")
            request = device.request({"name": _NAME, "lines": lines}, blocking=False)
            request.open()
            return request
    except OSError as error:
        raise _failure(chip, error) from error


def _failure(chip: str, error: OSError) -> DeviceMissing | DeviceRefused:
    if error.errno in _GONE or not Path(chip).exists():
        return DeviceMissing(f"There is no GPIO chip {chip}: check the setting.")
    if error.errno == errno.EBUSY:
        return DeviceRefused(f"A pin of {chip} is used by something else: check the pins and what else is wired.")
    if error.errno == errno.ENXIO:  # it has no interrupts
        return DeviceRefused(f"The pins of {chip} cannot say when a contact closes: they do for lamps only.")
    return DeviceRefused(
        f"The GPIO chip {chip} cannot be used: check the pins, and that this user is in the group gpio."
    )
