"""The calls of the hardware self-test: begin it, say that a corner was touched, see how it goes."""

from dataclasses import asdict
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SERVE, Door, caller_of
from gateway.panel.self_test.running import Seen

_BEGIN, _FELT = "begin", "felt"


class SelfTestCalls:
    """`/service/self-test`."""

    def __init__(self, context: Context) -> None:
        self._work = context.work
        self._self_test = context.own_machine.self_test

    def routes(self) -> list[Route]:
        return [
            Route("/service/self-test", self.get, methods=["GET"], who=SERVE),
            Route("/service/self-test", self.ask, methods=["POST"], who=SERVE),
        ]

    async def get(self, request: Request) -> Response:
        del request
        return _answer(await self._work.spool(self._self_test.seen))

    async def ask(self, request: Request) -> Response:
        asked = await bodies.read(request, "do", "corner")
        wish = bodies.text(asked.values, "do", required=True)
        corner = bodies.text(asked.values, "corner")
        if wish not in (_BEGIN, _FELT) or bool(corner) != (wish == _FELT):
            raise BadValue(f"do is {_BEGIN}, or {_FELT} with a corner.")
        if wish == _FELT:
            return _answer(await self._work.spool(partial(self._self_test.felt, corner)))
        at_screen = caller_of(request.scope).door is Door.FRONT
        return _answer(await self._work.spool(partial(self._self_test.begin, by="panel", at_screen=at_screen)))


def _answer(seen: Seen | None) -> Response:
    return JSONResponse({"self_test": asdict(seen) if seen else None})
