"""The calls on procedure steps: what servers were told of the exams, and a person's say in it."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue, NotFound
from gateway.model import MessageState
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SIGNED_IN, WORK
from gateway.panel.shown import answers

_MOST = 2000


class StepCalls:
    """`/procedure-steps`: the messages of every exam; an exam's own answer lists its steps."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [
            Route("/procedure-steps", self.listing, methods=["GET"], who=SIGNED_IN),
            Route("/procedure-steps/retry", self.retry_all, methods=["POST"], who=WORK),
            Route("/procedure-steps/{message}/release", self.release, methods=["POST"], who=WORK),
        ]

    async def listing(self, request: Request) -> Response:
        words = [word for word in request.query_params.get("state", "").split(",") if word]
        if unknown := [word for word in words if word not in set(MessageState)]:
            raise BadValue(f"{len(unknown)} of these are no states of a message.")
        look = partial(
            self._context.spool.steps.list,
            states_wanted=[MessageState(word) for word in words],
            limit=bodies.query_number(request, "limit", least=1, most=_MOST, default=500),
        )
        found = await self._context.work.spool(look)
        return JSONResponse({"messages": [answers.step_message(each) for each in found]})

    async def retry_all(self, request: Request) -> Response:
        """Let everything that waits be tried at once, or what waits for one server."""
        asked = await bodies.read(request, "server")
        server = bodies.text(asked.values, "server")
        if server and server not in {each.name for each in self._context.settings.procedure_steps}:
            raise NotFound("There is no procedure step server of that name.")
        retry = partial(self._context.spool.steps.retry, server)
        return JSONResponse({"retried": await self._context.work.spool(retry)})

    async def release(self, request: Request) -> Response:
        await bodies.read(request)
        number = bodies.whole(request.path_params["message"])
        if number is None:
            raise NotFound("There is no such message.")
        released = await self._context.work.spool(partial(self._context.spool.steps.release, number))
        await self._context.note("step-message-released", message=number, step=released.step)
        return JSONResponse(answers.step_message(released))
