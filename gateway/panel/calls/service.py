"""The calls of a service engineer: the support bundle, and a test of lamps and tones."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue, ExamOpen
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SERVE
from gateway.panel.support import journal, parts
from gateway.panel.support.bundle import bundle, file_name
from gateway.wire import ANSWERS

_COMMAND = "`scopegate support FILE.zip` on the box has it: the panel asks no devices, systems or units."
_ELSEWHERE = dict.fromkeys(("doctor.json", "units.txt"), _COMMAND)


class ServiceCalls:
    """`/service`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [
            Route("/service/bundle", self.bundle, methods=["GET"], who=SERVE),
            Route("/service/sign", self.sign, methods=["POST"], who=SERVE),
        ]

    async def bundle(self, request: Request) -> Response:
        del request
        context = self._context
        made = await context.work.spool(self._made)
        await context.note("support-bundle", bytes=len(made))
        name = file_name(context.settings.station.name, context.clock)
        return Response(
            made,
            media_type="application/zip",
            headers={"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"},
        )

    def _made(self) -> bytes:
        context = self._context
        settings, spool, clock = context.settings, context.spool, context.clock
        found = parts.of_the_spool(settings, spool=spool, clock=clock, live=context.live, report=context.report)
        missing = dict(_ELSEWHERE)
        every = [*parts.of_the_box(settings), *found, *journal.parts(missing)]
        return bundle(parts=every, spool=spool, clock=clock, missing=missing)

    async def sign(self, request: Request) -> Response:
        asked = await bodies.read(request, "answer")
        answer = bodies.text(asked.values, "answer", required=True)
        if answer not in ANSWERS:
            raise BadValue(f"answer is none of {', '.join(ANSWERS)}.")
        if await self._context.work.spool(self._context.spool.exams.open_one):
            raise ExamOpen("An exam is open: somebody would take this for an answer.", action="Finish it first.")
        await self._context.recorder.sign(answer)
        return JSONResponse({"answer": answer})
