"""A pedal that sends bytes over a serial port. Every other byte is ignored; an unplugged port is said so."""

import errno
import re
import termios
from collections import deque
from collections.abc import Callable
from pathlib import Path

import serial

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.triggers import Action, Press

_BYTE = re.compile(r"byte:(0[xX][0-9a-fA-F]{1,2}|[0-9]{1,3})")
_BAUD = 9600
_DEBOUNCE_NS = 50_000_000
_GONE = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO}


class SerialTrigger:
    """Presses from the bytes of one serial port, 8N1.

    still, clip: "byte:0x53" or "byte:83", or "" for none. A byte that follows the same byte within 50 ms belongs to
    the same press, however often it comes. Raises DeviceRefused for other words.
    """

    def __init__(
        self,
        *,
        device: str,
        clock_ns: Callable[[], int],
        still: str = "byte:0x53",
        clip: str = "byte:0x43",
    ) -> None:
        self._device = device
        self._clock_ns = clock_ns
        words = {Action.STILL: still, Action.CLIP: clip}
        self._actions = {_byte(word): action for action, word in words.items() if word}
        if len(self._actions) < sum(map(bool, words.values())):
            raise DeviceRefused(f"The pedal on {device} sends the same byte for a still and a clip: use two.")
        self._port: serial.Serial | None = None
        self._heard: dict[int, int] = {}  # byte: when it came last
        self._presses: deque[Press] = deque()

    def open(self) -> None:
        self.close()
        try:
            self._port = serial.Serial(self._device, _BAUD, exclusive=True)
            self._port.reset_input_buffer()
        except (OSError, termios.error, ValueError) as error:
            self.close()
            raise self._failure(error) from error

    def read(self, timeout: float) -> Press | None:
        give_up = self._clock_ns() + round(timeout * 1e9)
        while not self._presses:
            # The port wakes the reader with the first byte, so the time taken after it is the press's own.
            received = self._received(max(0.0, (give_up - self._clock_ns()) / 1e9))
            if not received:
                return None
            now = self._clock_ns()
            self._note(received, now)
            if now >= give_up and not self._presses:
                return None  # a port that chatters without end does not hold the reader
        return self._presses.popleft()

    def close(self) -> None:
        self._heard.clear()
        self._presses.clear()
        port, self._port = self._port, None
        if port is not None:
            try:
                port.close()
            except (OSError, termios.error):
                return  # it was unplugged: there is nothing left to close

    def _received(self, seconds: float) -> bytes:
        """Return what came, b"" when nothing came within `seconds`."""
        if self._port is None:
            raise DeviceMissing(f"The pedal on {self._device} is not open.")
        try:
            self._port.timeout = seconds
            first = self._port.read(1)
            return first + self._port.read(self._port.in_waiting) if first else b""
        except (OSError, termios.error) as error:
            raise DeviceMissing(f"The pedal on {self._device} was unplugged: plug it in again.") from error

    def _note(self, received: bytes, now: int) -> None:
        for byte in dict.fromkeys(received):  # they share their time, and a line may chatter at any speed
            last, self._heard[byte] = self._heard.get(byte), now
            if byte in self._actions and (last is None or now - last > _DEBOUNCE_NS):
                self._presses.append(Press(action=self._actions[byte], time_ns=now))

    def _failure(self, error: Exception) -> DeviceMissing | DeviceRefused:
        if getattr(error, "errno", None) in _GONE or not Path(self._device).exists():
            return DeviceMissing(f"There is no serial port {self._device}: check the pedal's plug and the setting.")
        return DeviceRefused(
            f"The serial port {self._device} cannot be used: check that it is a serial port, that no other "
            "program uses it, and that this user is in the group dialout."
        )


def _byte(word: str) -> int:
    """Return the byte of "byte:0x53"."""
    match = _BYTE.fullmatch(word)
    value = int(match[1], 0 if match[1][:2] in ("0x", "0X") else 10) if match else 256
    if value > 255:  # noqa: PLR2004 - a byte
        raise DeviceRefused(f"{word!r} is not a byte: write byte:0x00 to byte:0xFF.")
    return value
