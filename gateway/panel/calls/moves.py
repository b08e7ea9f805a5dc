"""The call that moves pictures to the exam that they are of, until either exam is released."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.calls.bodies import Values
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import WORK
from gateway.spool import moving

_MOST = 1000


class MoveCalls:
    """`/exams/{exam}/move`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [Route("/exams/{exam}/move", self.move, methods=["POST"], who=WORK)]

    async def move(self, request: Request) -> Response:
        asked = await bodies.read(request, "captures", "to")
        exam, uids = request.path_params["exam"], _uids(asked.values)
        target = await self._context.exam(bodies.text(asked.values, "to", required=True))
        # Only capture knows which numbers it gave to stills that are still on their way.
        numbers = await self._context.recorder.numbers(target.id, len(uids))
        move = partial(moving.move, self._context.spool, exam, uids, target.id, numbers=numbers)
        for capture in await self._context.work.spool(move):
            await self._context.note("capture-moved", capture=capture.sop_instance_uid, exam=exam, to=target.id)
        return JSONResponse({"exam": exam, "to": target.id, "captures": uids})


def _uids(values: Values) -> list[str]:
    found = values.get("captures")
    if (
        not isinstance(found, list)
        or not all(isinstance(uid, str) for uid in found)
        or not 1 <= len(found) <= _MOST
    ):
        raise BadValue(f"captures is not a list of 1 to {_MOST} pictures.")
    return found
