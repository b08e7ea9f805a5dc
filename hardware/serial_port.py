"""A serial port as triggers need it: the bytes that came, and which of its lines are on. Knows no press."""

import errno
import fcntl
import os
import select
import struct
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import serial

from hardware.errors import DeviceMissing, DeviceRefused

LINES = {  # what the other side can switch (tty_ioctl(4)): names as people say them
    "cts": termios.TIOCM_CTS,
    "dsr": termios.TIOCM_DSR,
    "cd": termios.TIOCM_CAR,
    "ri": termios.TIOCM_RNG,
}
_BAUD = 9600
_MOST = 65536  # bytes at once
_GONE = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO}


class Port(Protocol):
    """An open serial port. Every method raises DeviceMissing when it was unplugged."""

    def received(self, seconds: float) -> bytes:
        """Return what came, b"" when nothing came within `seconds`."""

    def lines(self) -> frozenset[str]:
        """Return which of `LINES` are on now. Raises DeviceRefused when the port has none."""

    def close(self) -> None:
        """Let go of it; harmless when it is gone."""


Connect = Callable[[str], Port]


class SerialPort:
    """A port of this machine, 9600 baud, 8N1, for this program alone; RTS and DTR are on and can feed a contact.

    Raises DeviceMissing or DeviceRefused.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        try:
            self._port = serial.Serial(device, _BAUD, timeout=0, exclusive=True)
        except (OSError, termios.error, ValueError) as error:
            raise _failure(device, error) from error
        self._fd = self._port.fileno()
        try:
            self._port.reset_input_buffer()
        except (OSError, termios.error) as error:
            self.close()
            raise _failure(device, error) from error

    def received(self, seconds: float) -> bytes:
        try:
            if not select.select([self._fd], [], [], seconds)[0]:
                return b""
            data = os.read(self._fd, _MOST)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._unplugged() from error
        if not data:
            raise self._unplugged()
        return data

    def lines(self) -> frozenset[str]:
        try:
            answer = fcntl.ioctl(self._fd, termios.TIOCMGET, bytes(4))
        except OSError as error:
            if error.errno in _GONE:
                raise self._unplugged() from error
            raise DeviceRefused(f"The serial port {self._device} has no lines such as CTS: use bytes.") from error
        (bits,) = struct.unpack("I", answer)
        return frozenset(name for name, bit in LINES.items() if bits & bit)

    def close(self) -> None:
        try:
            self._port.close()
        except (OSError, termios.error):
            return  # it was unplugged: there is nothing left to close

    def _unplugged(self) -> DeviceMissing:
        return DeviceMissing(f"The pedal on {self._device} was unplugged: plug it in again.")


def _failure(device: str, error: Exception) -> DeviceMissing | DeviceRefused:
    if getattr(error, "errno", None) in _GONE or not Path(device).exists():
        return DeviceMissing(f"There is no serial port {device}: check the pedal's plug and the setting.")
    return DeviceRefused(
        f"The serial port {device} cannot be used: check that it is a serial port, that no other "
        "program uses it, and that this user is in the group dialout."
    )
