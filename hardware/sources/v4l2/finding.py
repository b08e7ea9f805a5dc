"""Which node a configured grabber has now. Knows sysfs and the notation; opens nothing.

/dev/v4l/by-path/...      where it is plugged in, as udev names it: stays over replugging and restarts
usb:1-1.4                 where it is plugged in, as the kernel names it: bus, then port by port
usb:1-1.4:534d:2109       the same, and refused when another device is plugged in there
/dev/video0               whatever has this number at the moment
"""

import re
from dataclasses import dataclass
from pathlib import Path

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.sysfs import text
from hardware.usb import usb_of

SYS = Path("/sys/class/video4linux")
DEV = Path("/dev")
USB = re.compile(r"usb:(\d+-\d+(?:\.\d+)*)(?::([0-9a-f]{4}:[0-9a-f]{4}))?")
_NUMBERED = re.compile(r"video\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One video node. `port` and `identity` ("534d:2109") are empty when it is on no USB bus."""

    node: Path
    name: str
    index: int = 0  # among the nodes of one device
    port: str = ""
    identity: str = ""


def nodes(sys: Path = SYS, dev: Path = DEV) -> list[Found]:
    """Return every video node that the kernel has now, those of one device in its own order."""
    try:
        entries = [entry for entry in sys.iterdir() if _NUMBERED.fullmatch(entry.name)]
    except OSError:
        return []
    return sorted(
        (_found(entry, dev) for entry in entries), key=lambda each: (each.port, each.index, each.node.name)
    )


class Place:
    """Where a grabber is plugged in. `look` is asked anew at each opening, so nothing is remembered of a node."""

    def __init__(self, where: str, *, sys: Path = SYS, dev: Path = DEV) -> None:
        """Raises DeviceRefused for words that name no place."""
        self.where = where
        self._usb = USB.fullmatch(where.lower())
        if self._usb is None and not where.startswith("/"):
            raise DeviceRefused(
                f"{where!r} names no video adapter: write v4l2:/dev/v4l/by-path/..., v4l2:usb:1-1.4 or "
                "v4l2:/dev/video0."
            )
        self._sys, self._dev = sys, dev

    def look(self) -> list[Path]:
        """Return the nodes that may be it, the likeliest first.

        Raises DeviceMissing when nothing is plugged in there, DeviceRefused when it is another device.
        """
        if self._usb is None:
            path = Path(self.where)
            if not path.exists():
                raise DeviceMissing(f"There is no video adapter at {self.where}: plug it in.")
            return [path]
        port, identity = self._usb.groups()
        there = [each for each in nodes(self._sys, self._dev) if each.port == port]
        if not there:
            raise DeviceMissing(f"No video adapter is plugged into USB port {port}: plug it in there.")
        right = [each for each in there if identity in {None, each.identity}]
        if not right:
            raise DeviceRefused(
                f"Another video adapter is plugged into USB port {port}: {there[0].name} "
                f"({there[0].identity}) where {identity} is configured."
            )
        return [each.node for each in right]


def _found(entry: Path, dev: Path) -> Found:
    try:
        usb = usb_of(entry)
    except OSError:
        usb = None  # it goes while it is looked at
    index = text(entry / "index")
    return Found(
        node=dev / entry.name,
        name=text(entry / "name") or entry.name,
        index=int(index) if index.isdecimal() else 0,
        port=usb.port if usb else "",
        identity=usb.identity if usb else "",
    )
