"""The call by which the page on the box's own screen says that it is there."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import Role, permit

_WHOEVER_IS_THERE = permit(*Role, front_only=True)


class KioskCalls:
    """`/kiosk/beat`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [Route("/kiosk/beat", self.beat, methods=["POST"], who=_WHOEVER_IS_THERE, counts=False)]

    async def beat(self, request: Request) -> Response:
        await bodies.read(request)
        self._context.kiosk.beat()
        return Response(status_code=204)
