"""The time zone of this machine, as the screen shows it."""

from pathlib import Path
from typing import Protocol

_LINK = Path("/etc/localtime")
_ZONES = "zoneinfo/"
_MOST = 3  # links: an appliance's leads to one that root sets at each start


class Timekeeping(Protocol):
    """What knows this machine's time zone."""

    def zone(self) -> str:
        """Return the zone's name, such as "Europe/Zurich"; "" when nobody knows."""


class OfTheMachine:
    """The zone that the machine's C library goes by (localtime(5))."""

    def __init__(self, link: Path = _LINK) -> None:
        self._link = link

    def zone(self) -> str:
        where = self._link
        for _ in range(_MOST):
            try:
                where = where.parent / where.readlink()
            except OSError:
                return ""
            _, found, name = str(where).partition(_ZONES)
            if found:
                return name
        return ""
