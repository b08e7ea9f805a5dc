"""What a lamp hangs on: a line of a serial port. A pin is in `pins`."""

import errno
import fcntl
import os
import struct
import termios
from contextlib import suppress

from hardware.errors import DeviceMissing, DeviceRefused

LINES = {"rts": termios.TIOCM_RTS, "dtr": termios.TIOCM_DTR}  # what this side can switch (tty_ioctl(4))
_GONE = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO}


class SerialSwitch:
    """A lamp at RTS or DTR. The port may be a pedal's at the same time: its bytes and lines are left alone."""

    def __init__(self, *, device: str, line: str, active: str = "high") -> None:
        self._device = device
        self._bit = struct.pack("I", LINES[line])
        self._lit_when_on = active == "high"
        self._fd = -1

    def open(self) -> None:
        self.close()
        try:
            self._fd = os.open(self._device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            self.set(False)
        except OSError as error:
            self.close()
            raise self._failure(error) from error
        except (DeviceMissing, DeviceRefused):
            self.close()
            raise

    def set(self, on: bool) -> None:  # noqa: FBT001 - a lamp is on or off
        request = termios.TIOCMBIS if on == self._lit_when_on else termios.TIOCMBIC
        try:
            fcntl.ioctl(self._fd, request, self._bit)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):
                fcntl.ioctl(fd, termios.TIOCMBIC if self._lit_when_on else termios.TIOCMBIS, self._bit)
            with suppress(OSError):
                os.close(fd)

    def _failure(self, error: OSError) -> DeviceMissing | DeviceRefused:
        if error.errno in _GONE:
            return DeviceMissing(f"There is no serial port {self._device} for the lamp: check its plug.")
        return DeviceRefused(f"The serial port {self._device} cannot switch a lamp: check the setting.")
