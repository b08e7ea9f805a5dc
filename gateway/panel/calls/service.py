"""The calls of a service engineer: the support bundle, and a test of lamps and tones."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue, ExamOpen
from gateway.model import ExamState
from gateway.panel.calls import bodies
from gateway.panel.calls.health import Health
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SERVE
from gateway.panel.shown import service
from gateway.wire import ANSWERS


class ServiceCalls:
    """`/service`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._health = Health(context)

    def routes(self) -> list[Route]:
        return [
            Route("/service/bundle", self.bundle, methods=["GET"], who=SERVE),
            Route("/service/sign", self.sign, methods=["POST"], who=SERVE),
        ]

    async def bundle(self, request: Request) -> Response:
        del request
        context = self._context
        health = await context.work.spool(self._health.report)
        said = await context.work.spool(context.live["capture"].read)
        made = await context.work.spool(
            partial(
                service.bundle,
                spool=context.spool,
                settings=context.settings,
                clock=context.clock,
                health=health,
                measured=service.temperatures(said),
            )
        )
        await context.note("support-bundle", bytes=len(made))
        name = f"scopegate-{context.settings.station.name}-{context.clock.now().local:%Y%m%d-%H%M}.zip"
        return Response(
            made,
            media_type="application/zip",
            headers={"content-disposition": f'attachment; filename="{_plain(name)}"', "cache-control": "no-store"},
        )

    async def sign(self, request: Request) -> Response:
        asked = await bodies.read(request, "answer")
        answer = bodies.text(asked.values, "answer", required=True)
        if answer not in ANSWERS:
            raise BadValue(f"answer is none of {', '.join(ANSWERS)}.")
        spool = self._context.spool
        opened = partial(spool.exams.list, states_wanted=(ExamState.OPEN,), limit=1)
        if await self._context.work.spool(opened):
            raise ExamOpen("An exam is open: somebody would take this for an answer.", action="Finish it first.")
        await self._context.recorder.sign(answer)
        return JSONResponse({"answer": answer})


def _plain(name: str) -> str:
    return "".join(each if each.isascii() and (each.isalnum() or each in "-.") else "-" for each in name)
