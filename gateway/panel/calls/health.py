"""Whether pictures can be captured safely, and how everything else is doing. Looks; changes nothing."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SIGNED_IN
from gateway.panel.shown.answers import Json
from gateway.panel.shown.health import OK, BoxHealth, Lines
from gateway.panel.shown.peer_health import PeerHealth
from gateway.spool.room import Level

_NO_ROOM = frozenset({Level.FULL, Level.FAILED})
_NO_SOURCE = {
    "code": "no-source",
    "what": "No picture source is set up.",
    "action": "Set one up: More, Settings, Picture sources.",
}


class Health:
    """`/health`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        lines, settings = Lines(context.clock), context.settings
        self._box = BoxHealth(spool=context.spool, settings=settings, clock=context.clock, lines=lines)
        self._peers = PeerHealth(spool=context.spool, settings=settings, lines=lines)

    def routes(self) -> list[Route]:
        return [Route("/health", self.get, methods=["GET"], who=SIGNED_IN)]

    async def get(self, request: Request) -> Response:
        del request
        report = await self._context.work.spool(self.report)
        return JSONResponse(report, 200 if report["can_capture"] else 503)

    def report(self) -> Json:
        """Return the state of everything, each with what to do. Blocks for a few file reads."""
        capture, forward, panel = (self._context.live[name].read() for name in ("capture", "forward", "panel"))
        processes = [self._box.process("capture", capture), self._box.process("forward", forward)]
        disk, sources = self._box.disk(capture, forward), self._box.sources(capture)
        why = _why_not(processes[0], disk, sources)
        settings = self._context.settings
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
        capture, forward = self._context.live["capture"].read(), self._context.live["forward"].read()
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
