"""The calls of the first start: what is asked, what was answered, and the end of it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.calls.bodies import Values
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.first_start import steps
from gateway.panel.first_start.steps import Step
from gateway.panel.people.roles import AT_THE_BOX, FIRST_SET_UP
from gateway.panel.shown.answers import Json

_MOST_VALUES = 20


class FirstStartCalls:
    """`/first-start`. Nothing here stops an exam: the processes start anew when none is open."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._setting_up = context.setting_up

    def routes(self) -> list[Route]:
        return [
            Route("/first-start", self.get, methods=["GET"], who=AT_THE_BOX),
            Route("/first-start/answer", self.answer, methods=["POST"], who=FIRST_SET_UP),
            Route("/first-start/zone", self.zone, methods=["POST"], who=FIRST_SET_UP),
            Route("/first-start/draft", self.draft, methods=["POST"], who=FIRST_SET_UP),
            Route("/first-start/later", self.later, methods=["POST"], who=AT_THE_BOX),
            Route("/first-start/finish", self.finish, methods=["POST"], who=FIRST_SET_UP),
        ]

    async def get(self, request: Request) -> Response:
        del request
        return JSONResponse(await self._context.work.spool(self._state))

    async def answer(self, request: Request) -> Response:
        """Answer a question: with values, with "we have none", or not now."""
        asked = await bodies.read(request, "step", "values", "none", "skip")
        step, values = _step(asked.values), _values(asked.values)
        if bodies.flag(asked.values, "skip"):
            return await self._done(partial(self._setting_up.skip, step))
        if bodies.flag(asked.values, "none"):
            return await self._done(partial(self._setting_up.none, step))
        return await self._done(partial(self._setting_up.answer, step, values))

    async def zone(self, request: Request) -> Response:
        """Set an appliance's time zone, while it is asked whether the time is right."""
        asked = await bodies.read(request, "zone")
        zone, person = bodies.text(asked.values, "zone", required=True), acting.get()

        def make() -> None:
            self._setting_up.must_be_asked(Step.TIME)
            self._context.own_machine.set_zone(zone, person=person)
            self._setting_up.see_zone(zone)  # the question comes again, with the time as it is there

        return await self._done(make)

    async def draft(self, request: Request) -> Response:
        """Keep what was typed of another system, until it is answered."""
        asked = await bodies.read(request, "step", "values")
        return await self._done(partial(self._setting_up.draft, _step(asked.values), _values(asked.values)))

    async def later(self, request: Request) -> Response:
        """Use the box now: a patient waits. What was chosen so far is taken over."""
        await bodies.read(request)
        return await self._done(self._setting_up.later)

    async def finish(self, request: Request) -> Response:
        await bodies.read(request)
        return await self._done(self._setting_up.finish)

    async def _done(self, work: Callable[[], None]) -> Response:
        await self._context.work.spool(work)
        return JSONResponse(await self._context.work.spool(self._state))

    def _state(self) -> Json:
        progress = self._setting_up.now()
        every = steps.asked(whole=progress.whole)
        return {
            "due": self._setting_up.is_due(),
            "done": progress.done,
            "next": self._setting_up.next_open(progress),
            "steps": [{"step": step, "answer": self._setting_up.state_of(step, progress)} for step in every],
            "waits": self._context.configuring.state().waits,
        }


def _step(values: Values) -> Step:
    try:
        return Step(bodies.text(values, "step", required=True))
    except ValueError:
        raise BadValue("There is no such step.") from None


def _values(values: Values) -> dict[str, Any]:
    found = values.get("values", {})
    if not isinstance(found, dict) or len(found) > _MOST_VALUES:
        raise BadValue("values is no object, or too large.")
    return found
