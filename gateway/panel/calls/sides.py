"""The calls that say of which side of the body pictures are: single ones, those that miss it, those to come."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.model import Side
from gateway.panel.calls import bodies
from gateway.panel.calls.bodies import Values
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import WORK


class SideCalls:
    """`/captures/{uid}/laterality` and `/exams/{exam}/laterality`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [
            Route("/captures/{uid}/laterality", self.of_capture, methods=["POST"], who=WORK),
            Route("/exams/{exam}/laterality", self.of_exam, methods=["POST"], who=WORK),
        ]

    async def of_capture(self, request: Request) -> Response:
        asked = await bodies.read(request, "laterality")
        side, uid = _said(asked.values), request.path_params["uid"]
        await self._context.work.spool(partial(self._context.spool.sides.say, uid, side))
        await self._context.note("capture-laterality", capture=uid, laterality=side)
        return JSONResponse({"sop_instance_uid": uid, "laterality": side})

    async def of_exam(self, request: Request) -> Response:
        """Say it of what is taken from now on, or, with `missing`, of every picture that misses it."""
        asked = await bodies.read(request, "laterality", "missing")
        side, missing = _said(asked.values), bodies.flag(asked.values, "missing")
        exam, sides = request.path_params["exam"], self._context.spool.sides
        await self._context.exam(exam)
        if missing:
            uids = await self._context.work.spool(partial(sides.say_missing, exam, side))
        else:
            _, last = await self._context.work.spool(partial(sides.from_now_on, exam, side))
            uids = [last] if last else []
        for uid in uids:
            await self._context.note("capture-laterality", capture=uid, laterality=side)
        return JSONResponse({"exam": exam, "laterality": side, "sop_instance_uids": uids})


def _said(values: Values) -> Side:
    side = bodies.side(values)
    if side is None:
        raise BadValue("laterality is missing.")
    return side
