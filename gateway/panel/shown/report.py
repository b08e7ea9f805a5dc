"""The report on the whole box: whether pictures can be captured safely, and how everything else is doing.

Looks, at the index and at what the processes say of themselves; changes nothing and needs no panel around it.
"""

from collections.abc import Mapping, Sequence

from gateway.clock import Clock
from gateway.config.settings import Settings
from gateway.panel.shown.answers import Json
from gateway.panel.shown.health import OK, BoxHealth, Lines
from gateway.panel.shown.peer_health import PeerHealth
from gateway.spool.disk.room import Level
from gateway.spool.processes.live import LiveState
from gateway.spool.spool import Spool

_NO_ROOM = frozenset({Level.FULL, Level.FAILED})
_NO_SOURCE = {
    "code": "no-source",
    "what": "No picture source is set up.",
    "action": "Set one up: More, Settings, Picture sources.",
}


class Report:
    """Asked over and over by one panel, it knows since when each thing is in its state."""

    def __init__(self, *, spool: Spool, settings: Settings, clock: Clock, live: Mapping[str, LiveState]) -> None:
        self._settings = settings
        self._live = live
        lines = Lines(clock)
        self._box = BoxHealth(spool=spool, settings=settings, clock=clock, lines=lines)
        self._peers = PeerHealth(spool=spool, settings=settings, lines=lines)

    def whole(self) -> Json:
        """Return the state of everything, each with what to do. Blocks for a few file reads."""
        capture, forward, panel = (self._live[name].read() for name in ("capture", "forward", "panel"))
        processes = [self._box.process("capture", capture), self._box.process("forward", forward)]
        disk, sources = self._box.disk(capture, forward), self._box.sources(capture)
        why = _why_not(processes[0], disk, sources)
        settings = self._settings
        return {
            "can_capture": why is None,
            "why": why,
            "processes": processes,
            "sources": sources,
            "pedals": self._box.attached("pedal", "IN-01", settings.triggers, capture, "pedals"),
            "signs": self._box.attached("sign", "IN-02", settings.signs, capture, "signs"),
            "destinations": self._peers.destinations(forward),
            "worklists": self._peers.worklists(),
            "procedure_steps": self._peers.procedure_steps(forward),
            "audit": self._peers.audit(forward),
            "disk": disk,
            "clock": self._box.clock(),
            "heat": self._box.heat(capture),
            "power": self._box.power(capture),
            "listener": self._box.listener(forward),
            "second_door": self._box.second_door(panel),
            "making": (forward or {}).get("film"),
        }

    def alarm(self) -> Json | None:
        """Return the gravest line about the box alone, which every page shows; None when all is well.

        Blocks for a few file reads. `screen`: its code of the screens; `bad`: nothing new is stored.
        """
        capture, forward = self._live["capture"].read(), self._live["forward"].read()
        disk, heat, power = self._box.disk(capture, forward), self._box.heat(capture), self._box.power(capture)
        full = disk["state"] in _NO_ROOM
        ranked = (
            {**disk, "screen": "STO-02", "bad": True} if full else None,
            {**heat, "screen": "SYS-03", "bad": False},
            {**disk, "screen": "STO-01", "bad": False},
            {**power, "screen": "SYS-04", "bad": False},
        )
        return next((line for line in ranked if line and line["what"]), None)


def _why_not(capture: Json, disk: Json, sources: Sequence[Json]) -> Json | None:
    """Return what keeps pictures from being captured, None when nothing does."""
    if any(source["state"] == "live" for source in sources):
        sources = []
    elif not sources and capture["state"] == OK:
        return _NO_SOURCE
    ranked = (capture if capture["state"] != OK else None, disk if disk["state"] in _NO_ROOM else None, *sources)
    line = next((each for each in ranked if each), None)
    return line and {key: line[key] for key in ("code", "what", "action")}
