"""The calls on who works here."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.model import Exam
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import WORK
from gateway.spool.spool import Spool

_LONGEST = 64


class OperatorCalls:
    """`/operator`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [
            Route("/operator", self.get, methods=["GET"], who=WORK),
            Route("/operator", self.choose, methods=["POST"], who=WORK),
        ]

    async def get(self, request: Request) -> Response:
        del request
        return JSONResponse(await self._context.work.spool(self._answer))

    async def choose(self, request: Request) -> Response:
        """Say who works here; an exam that is open is theirs from now on."""
        asked = await bodies.read(request, "name")
        name = bodies.text(asked.values, "name", longest=_LONGEST)
        self._context.operators.choose(name)
        exam = await self._context.work.spool(partial(_operated, self._context.spool, name))
        await self._context.note("operator-chosen", operator=name, exam=exam.id if exam else "")
        return JSONResponse(await self._context.work.spool(self._answer))

    def _answer(self) -> dict[str, object]:
        return {"name": self._context.operator(), "names": list(self._context.operators.names)}


def _operated(spool: Spool, name: str) -> Exam | None:
    exam = spool.exams.open_one()
    return spool.exams.operated(exam.id, name) if exam else None
