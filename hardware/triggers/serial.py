"""A pedal on a serial port: bytes that it sends, and lines that it switches. Everything else is ignored."""

import re
from collections.abc import Callable, Hashable

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.serial_port import LINES, Connect, Port, SerialPort
from hardware.triggers import Press
from hardware.triggers.edges import Edges
from hardware.triggers.words import actions_of

_BYTE = re.compile(r"byte:(0[xX][0-9a-fA-F]{1,2}|[0-9]{1,3})")
POLL_S = 0.005  # lines wake nobody: they are looked at that often, and bytes of a flood are read as seldom


class SerialTrigger:
    """Presses from the bytes and the lines of one serial port.

    still, clip: "byte:0x53", "byte:83", "cts", "dsr", "cd" or "ri", or "" for none. A byte that follows the same
    byte within 50 ms belongs to the same press, however often it comes; a line presses when it goes on (`Edges`).
    The time of a press is that of the read or of the poll that saw it. Raises DeviceRefused for other words.
    """

    def __init__(
        self,
        *,
        device: str,
        clock_ns: Callable[[], int],
        wait: Callable[[float], None],
        still: str = "byte:0x53",
        clip: str = "byte:0x43",
        connect: Connect = SerialPort,
    ) -> None:
        self._device = device
        self._clock_ns = clock_ns
        self._wait = wait
        self._connect = connect
        actions = actions_of(device, still=still, clip=clip, meaning=_contact)
        self._lines = frozenset(each for each in actions if isinstance(each, str))
        self._edges = Edges(actions)
        self._port: Port | None = None

    def open(self) -> None:
        self.close()
        self._port = self._connect(self._device)
        try:
            self._edges.begin(self._port.lines() if self._lines else ())
        except (DeviceMissing, DeviceRefused):
            self.close()
            raise

    def read(self, timeout: float) -> Press | None:
        give_up = self._clock_ns() + round(timeout * 1e9)
        while (press := self._edges.next()) is None:
            left = max(0.0, (give_up - self._clock_ns()) / 1e9)
            came = self._look(min(left, POLL_S) if self._lines else left)
            if (press := self._edges.next()) is not None:
                return press
            if self._clock_ns() >= give_up or not (came or self._lines):
                return None  # also when a port chatters without end
            if came:
                self._wait(POLL_S)
        return press

    def close(self) -> None:
        self._edges.begin()
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def _look(self, seconds: float) -> bool:
        """Note what the port says within `seconds`; True when bytes came."""
        if self._port is None:
            raise DeviceMissing(f"The pedal on {self._device} is not open.")
        # The port wakes the reader with the first byte, so the time taken after it is the press's own.
        received = self._port.received(seconds)
        now = self._clock_ns()
        for byte in dict.fromkeys(received):  # they share their time, and a line may chatter at any speed
            self._edges.pulse(byte, now)
        if self._lines:
            on = self._port.lines()
            now = self._clock_ns()
            for line in self._lines:
                self._edges.level(line, closed=line in on, time_ns=now)
        return bool(received)


def _contact(word: str) -> Hashable:
    """Return the byte of "byte:0x53", or the line itself. Raises DeviceRefused."""
    if word in LINES:
        return word
    match = _BYTE.fullmatch(word)
    value = int(match[1], 0 if match[1][:2] in ("0x", "0X") else 10) if match else 256
    if value > 255:  # noqa: PLR2004 - a byte
        raise DeviceRefused(
            f"{word!r} is not a byte or a line: write byte:0x00 to byte:0xFF, or {', '.join(LINES)}."
        )
    return value
