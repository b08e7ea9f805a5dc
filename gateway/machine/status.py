"""Says every few seconds how network and clock are, for the panel and `doctor`. Changes nothing itself.

What asks for more rights than looking is done by `settings` and `clock.by_hand`.
"""

import json
import logging
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.errors import MachineFailed
from gateway.log import event
from gateway.machine.clock import state as clock_state
from gateway.machine.clock.state import ClockState
from gateway.machine.network import state as network_state
from gateway.machine.network import supplicant
from gateway.machine.network.ports import SYS, wired
from gateway.machine.programs import Programs
from gateway.machine.settings import turns
from gateway.machine.settings.applying import Places
from gateway.machine.telling import tell

_log = logging.getLogger(__name__)
EVERY_S = 5.0
IMAGE = Path("/usr/lib/scopegate/image")
BATTERY = Path("/sys/class/rtc/rtc0/since_epoch")
BY_HAND = "clock-set"  # in the folder of what root says: somebody set the clock since the start


class Status:
    """One machine, looked at again and again."""

    def __init__(
        self,
        *,
        places: Places,
        programs: Programs,
        clock: Clock,
        image: Path = IMAGE,
        battery: Path = BATTERY,
        sys: Path = SYS,
    ) -> None:
        self._places = places
        self._programs = programs
        self._sys = sys
        self._clock = clock
        self._battery = clock_state.is_plausible(_epoch(battery), built(image))
        self._state: ClockState | None = None

    def look(self) -> None:
        self.clock()
        self.network()
        self.settings()

    def clock(self) -> None:
        follows = clock_state.tracking(self._asked("chronyc", "-h", "127.0.0.1", "-c", "tracking"))
        by_hand = (self._places.told / BY_HAND).exists()
        self._state = clock_state.judged(
            follows=follows, before=self._state, battery=self._battery, by_hand=by_hand
        )
        tell(
            self._places.told,
            "clock",
            {
                **asdict(self._state),
                "trusted": self._state.trusted,
                "zone": self._zone(),
                "servers": self._has_servers(),
            },
        )

    def network(self) -> None:
        applied = _json(self._places.told / "applied.json")
        ports, port = wired(self._sys), str(applied.get("port", ""))
        inner = str(applied.get("inner") or port)
        state = _text(self._places.run / "systemd/netif/state")
        found = network_state.seen(
            addresses=self._asked("ip", "-j", "address"),
            routes=self._asked("ip", "-j", "route", "show", "default"),
            neighbours=self._asked("ip", "-j", "neigh"),
            port=inner,
        )
        said: dict[str, Any] = {
            **applied,
            **asdict(found),
            "cable": any(each.cable for each in ports if each.name == port),
            "ports": [asdict(each) for each in ports],
            "dns": network_state.listed(state, "DNS"),
            "port_access": self._port_access(port),
        }
        tell(self._places.told, "network", said)

    def settings(self) -> None:
        """Have changed settings applied that nobody was told of; a trial's end does that by itself."""
        if not _json(self._places.told / "applied.json").get("until_ns") and turns.ask_again(self._places):
            event(_log, "settings_asked_again")

    # --- inside --------------------------------------------------------------------------------------------

    def _port_access(self, port: str) -> str:
        """Return how the switch answers, "" when it is not asked."""
        folder = self._places.run / supplicant.UNIT
        if not (folder / "control").exists():
            return network_state.ASKS if folder.exists() else ""
        said = self._asked(
            "wpa_cli", "-p", str(folder / "control"), "-s", str(self._places.told), "-i", port, "status"
        )
        return network_state.port_access(said)

    def _asked(self, *words: str) -> str:
        try:
            return self._programs.run(*words)
        except MachineFailed:
            return ""

    def _has_servers(self) -> bool:
        """Say whether there is a time server to follow; also when chrony does not say."""
        try:
            return self._programs.run("chronyc", "-h", "127.0.0.1", "-c", "sources") != ""
        except MachineFailed:
            return True

    def _zone(self) -> str:
        with suppress(OSError):
            where = str((self._places.told / "localtime").readlink())
            return where.removeprefix(f"{self._places.zones}/")
        return ""


def built(image: Path) -> datetime:
    """Return when the image was built: no clock that is right shows less. Its files bear that time."""
    try:
        return datetime.fromtimestamp(image.stat().st_mtime, UTC)
    except OSError:
        return datetime.fromtimestamp(0, UTC)


def _epoch(battery: Path) -> datetime | None:
    return clock_state.of_epoch(_text(battery).strip())


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
