"""The service page: how every part of the box is. No patient is on it."""

from typing import Any

from starlette.requests import Request

from gateway.messages import N_
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import SERVE
from gateway.panel.shown import certificates, service, tried
from gateway.panel.shown.health import OK

_GOOD = frozenset({OK, "live", "open", "off", "there", tried.TRIED})
_SYSTEMS = {"destinations": "destination", "procedure_steps": "procedure_step"}
_REPLACED = "replaced"  # another archive got what was sent under this name
_UNSURE = frozenset({"unknown", "waiting", "never-asked", "absent", _REPLACED, certificates.ENDS_SOON})
_LISTS = N_(
    {
        "processes": "Process",
        "sources": "Picture source",
        "pedals": "Pedal",
        "signs": "Lamp or tone",
        "destinations": "Destination",
        "worklists": "Worklist",
        "procedure_steps": "Procedure steps",
        "audit": "Audit repository",
        "certificates": "Certificate",
    }
)
_SINGLE = N_(
    {
        "disk": "Disk",
        "clock": "Clock",
        "heat": "Temperature",
        "power": "Power supply",
        "listener": "Reports of archives",
        "second_door": "Browsers of the network",
    }
)
_COUNTED = N_({"deliveries": "objects", "messages": "messages", "captures": "pictures"})
_ANSWERS = N_(
    {
        "stored": "Stored",
        "clip-started": "Clip starts",
        "clip-stopped": "Clip ends",
        "not-stored": "Not stored",
    }
)


class ServicePages:
    """One page, and the one on lamps and tones."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._context = context
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            self._frame.route("/service", "service.html", self._service, who=SERVE),
            self._frame.route("/service/signs", "signs.html", self._signs, who=SERVE),
        ]

    def _service(self, request: Request) -> Values:
        del request
        settings, clock = self._context.settings, self._context.clock
        report = {**self._context.report.whole(), "certificates": certificates.lines(settings, clock)}
        lines = [
            {**each, "kind": kind} for name, kind in _LISTS.items() for each in self._honest(name, report[name])
        ]
        lines += [{**report[name], "kind": kind, "name": ""} for name, kind in _SINGLE.items()]
        return {
            "lines": [{**each, "mark": _mark(each)} for each in lines],
            "counted": _COUNTED,
            "temperatures": service.temperatures(self._context.live["capture"].read()),
            "versions": service.versions(),
            "updates": self._context.own_machine.updates.there,
            "repaired": self._context.own_machine.repair.there,
            "faults": service.faults(self._context.spool),
        }

    def _honest(self, name: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return lines in which no other system is called good that never answered."""
        table = _SYSTEMS.get(name)
        if table is None:
            return lines
        entries = {each.get("name"): each for each in self._context.configuring.entries(table)}
        spool = self._context.spool
        judged = [tried.honest(spool, table, line, entries.get(line["name"], {})) for line in lines]
        return [_replaced(line) for line in judged]

    def _signs(self, request: Request) -> Values:
        del request
        signs = [{**each, "mark": _mark(each)} for each in self._context.report.whole()["signs"]]
        return {"answers": _ANSWERS, "signs": signs}


def _replaced(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of an archive, which says when another one got what was sent under its name."""
    count = line.get("sent_to_the_one_before")
    if not count or line["state"] not in _GOOD:
        return line
    what = f"Objects that only the archive of before under this name got: {count}."
    return {**line, "state": _REPLACED, "what": what, "action": "Touch this line to say which archive it is."}


def _mark(line: dict[str, Any]) -> str:
    if line["state"] == tried.NEVER_SENT:
        return "none"
    if line["state"] in _GOOD:
        return "ok"
    return "warn" if line["state"] in _UNSURE else "bad"
