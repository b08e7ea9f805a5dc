"""The calls of the look at everything between this box and the others: begin it, see what was found."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.connections import Connections, Seen
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SERVE
from gateway.panel.shown.answers import Json
from gateway.panel.words import Words, of_call

_BEGIN = "begin"


class ConnectionCalls:
    """`/service/connections`. Opens no connection itself."""

    def __init__(self, context: Context) -> None:
        self._work = context.work
        self._connections = Connections(context.spool, context.settings, context.live["forward"])

    def routes(self) -> list[Route]:
        return [
            Route("/service/connections", self.get, methods=["GET"], who=SERVE),
            Route("/service/connections", self.ask, methods=["POST"], who=SERVE),
        ]

    async def get(self, request: Request) -> Response:
        seen = await self._work.spool(self._connections.seen)
        return JSONResponse({"connections": _said(seen, of_call(request)) if seen else None})

    async def ask(self, request: Request) -> Response:
        asked = await bodies.read(request, "do")
        if bodies.text(asked.values, "do", required=True) != _BEGIN:
            raise BadValue(f"do is {_BEGIN}.")
        await self._work.spool(partial(self._connections.begin, acting.get()))
        return await self.get(request)


def _said(seen: Seen, language: Words) -> Json:
    """Return a look in the words of whoever reads it."""
    spoken = ("what", "says", "action")
    return {
        "state": seen.state,
        "at": seen.at,
        "early": seen.early,
        "what": language.said(seen.what),
        "lines": [{**line, **{key: language.said(line[key]) for key in spoken}} for line in seen.lines],
    }
