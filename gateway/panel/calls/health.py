"""Whether pictures can be captured safely, and how everything else is doing. Looks; changes nothing."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SIGNED_IN


class Health:
    """`/health`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [Route("/health", self.get, methods=["GET"], who=SIGNED_IN)]

    async def get(self, request: Request) -> Response:
        del request
        report = await self._context.work.spool(self._context.report.whole)
        return JSONResponse(report, 200 if report["can_capture"] else 503)
