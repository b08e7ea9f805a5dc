"""The clock and the time zone of this machine, as far as the screen may look at them or set them."""

from pathlib import Path
from typing import Protocol

_LINK = Path("/etc/localtime")
_ZONES = "zoneinfo/"
_MOST = 3  # links: an appliance's leads to one that root sets at each start


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
