"""The calls of the check of what is stored: begin it, end it, see how it goes."""

from dataclasses import asdict
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SERVE
from gateway.panel.stored_data.checking import Seen

_BEGIN, _STOP = "begin", "stop"


class StoredDataCalls:
    """`/service/stored-data`."""

    def __init__(self, context: Context) -> None:
        self._work = context.work
        self._stored_data = context.own_machine.stored_data

    def routes(self) -> list[Route]:
        return [
            Route("/service/stored-data", self.get, methods=["GET"], who=SERVE),
            Route("/service/stored-data", self.ask, methods=["POST"], who=SERVE),
        ]

    async def get(self, request: Request) -> Response:
        del request
        return _answer(await self._work.spool(self._stored_data.seen))

    async def ask(self, request: Request) -> Response:
        asked = await bodies.read(request, "do")
        wish = bodies.text(asked.values, "do", required=True)
        if wish not in (_BEGIN, _STOP):
            raise BadValue(f"do is neither {_BEGIN} nor {_STOP}.")
        if wish == _STOP:
            return _answer(await self._work.spool(self._stored_data.stop))
        return _answer(await self._work.spool(partial(self._stored_data.begin, acting.get())))


def _answer(seen: Seen | None) -> Response:
    return JSONResponse({"stored_data": asdict(seen) if seen else None})
