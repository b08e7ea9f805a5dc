"""The calls on practice: whether it runs and where, its beginning, its end."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.panel.calls import bodies
from gateway.panel.calls.power import AT_THIS_BOX
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SIGNED_IN


class PracticeCalls:
    """`/practice`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [
            Route("/practice", self.get, methods=["GET"], who=SIGNED_IN),
            Route("/practice/begin", self.begin, methods=["POST"], who=AT_THIS_BOX),
            Route("/practice/end", self.end, methods=["POST"], who=AT_THIS_BOX),
        ]

    async def get(self, request: Request) -> Response:
        del request
        return await self._answer()

    async def begin(self, request: Request) -> Response:
        await bodies.read(request)
        await self._context.work.spool(self._context.practice.begin)
        return await self._answer()

    async def end(self, request: Request) -> Response:
        await bodies.read(request)
        await self._context.work.spool(self._context.practice.end)
        return await self._answer()

    async def _answer(self) -> Response:
        practice = self._context.practice
        state, address = await self._context.work.spool(lambda: (practice.state, practice.address))
        return JSONResponse({"state": state, "address": address or practice.back})
