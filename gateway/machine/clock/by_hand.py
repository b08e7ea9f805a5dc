"""Sets the box's clock by hand, for a clinic without a time server, and its battery clock with it."""

import fcntl
import logging
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import MachineRequest
from gateway.log import event

_log = logging.getLogger(__name__)
REQUEST = "clock-set"
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_RTC_SET_TIME = 0x4024700A  # linux/rtc.h: _IOW('p', 0x0a, struct rtc_time), nine ints
_BATTERY = Path("/dev/rtc0")


def wanted(raw: bytes, built: datetime) -> datetime:
    """Return the time that a request names. Raises MachineRequest, also for one before the image was built."""
    try:
        found = datetime.strptime(raw.decode("ascii").strip(), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise MachineRequest from None
    if not built <= found < _LATEST:
        raise MachineRequest("The time is before this box's programs were made, or a lifetime ahead.")
    return found


def set_machine(to: datetime) -> None:
    """Set the kernel's clock. Raises OSError."""
    time.clock_settime(time.CLOCK_REALTIME, to.timestamp())


def set_battery(to: datetime, device: Path = _BATTERY) -> None:
    """Set the battery clock, if there is one that works, to UTC; without one the next start asks again."""
    words = struct.pack("9i", to.second, to.minute, to.hour, to.day, to.month - 1, to.year - 1900, 0, 0, 0)
    try:
        with device.open("rb") as rtc:
            fcntl.ioctl(rtc, _RTC_SET_TIME, words)
    except OSError as error:  # the machine's own clock is set all the same
        event(_log, "battery_clock_not_set", why=str(error.strerror))


def set_clock(to: datetime, *, machine: Callable[[datetime], None], battery: Callable[[datetime], None]) -> None:
    """Set both. The machine's comes first: it is the one that pictures bear."""
    machine(to)
    battery(to)
    event(_log, "clock_set_by_hand")
