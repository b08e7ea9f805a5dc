"""The page of everything between this box and the others. No patient is on it."""

from datetime import datetime
from typing import Any

from starlette.requests import Request

from gateway.panel.connections import Connections
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.pages.frame import Frame, Values
from gateway.panel.people.roles import SERVE
from gateway.panel.shown import names
from gateway.panel.words import capital

_MARKS = {True: "ok", None: "warn", False: "bad"}


class ConnectionPages:
    """One page."""

    def __init__(self, context: Context, frame: Frame) -> None:
        self._frame = frame
        self._clock = context.clock
        self._connections = Connections(context.spool, context.settings, context.live["forward"])

    def routes(self) -> list[Route]:
        return [self._frame.route("/service/connections", "connections.html", self._page, who=SERVE)]

    def _page(self, request: Request) -> Values:
        del request
        seen = self._connections.seen()
        if seen is None:
            return {"seen": None}
        return {"seen": seen, "begun": self._time(seen.at), "lines": [_line(each) for each in seen.lines]}

    def _time(self, at: str) -> str:
        now = self._clock.now().local
        return names.clock_time_of_day(datetime.fromisoformat(at).astimezone(now.tzinfo), now.date()) if at else ""


def _line(found: dict[str, Any]) -> dict[str, str]:
    return {
        "mark": _MARKS[found["ok"]],
        "what": capital(found["what"]),
        "says": capital(found["says"]),
        "action": found["action"],
        "code": found["code"],
    }
