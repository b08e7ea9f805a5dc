"""The clock and the time zone of this machine, as far as the screen may look at them or set them."""

from pathlib import Path
from typing import Protocol

_LINK = Path("/etc/localtime")
_ZONES = "zoneinfo/"


class Timekeeping(Protocol):
    """What knows, and perhaps sets, this machine's time."""

    @property
    def settable(self) -> bool:
        """Say whether the screen may set it."""

    def zone(self) -> str:
        """Return the zone's name, such as "Europe/Zurich"; "" when nobody knows."""


class OfTheMachine:
    """The time of a machine whose administrator sets it: it is shown and not changed (systemd's timedatectl)."""

    settable = False

    def zone(self) -> str:
        try:
            where = str(_LINK.readlink())
        except OSError:
            return ""
        _, found, name = where.partition(_ZONES)
        return name if found else ""
