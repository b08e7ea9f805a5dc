"""The calls on an appliance's own network and time: look, try, change, keep, set the clock."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from gateway.config.editing import Trial
from gateway.errors import BadValue, SettingsWrong
from gateway.messages import N_
from gateway.panel import problems
from gateway.panel.calls import bodies
from gateway.panel.calls.settings import changes_of, outcome, problem_of, revision_of
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.own_machine import OwnMachine
from gateway.panel.people.roles import SET_UP, SET_UP_AT_THE_BOX, Door, caller_of
from gateway.panel.words import of_call

Json = dict[str, Any]
_LONGEST_PIN = 64
_TIME = "%Y-%m-%dT%H:%M"
_COSTS = N_(
    {
        "here": "It is made at once. What is being sent goes on by itself afterwards.",
        "tried": (
            "It is tried for three minutes. Sign in again, at the box's new address if it gets another one, and"
            " touch Keep it on the page of the network; otherwise the box takes it back by itself."
        ),
        "time": "It holds at once.",
    }
)


class MachineCalls:
    """`/machine`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._machine = context.own_machine

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/machine", self.get, methods=["GET"], who=SET_UP),
            Route("/machine/check", self.check, methods=["POST"], who=SET_UP),
            Route("/machine/change", self.change, methods=["POST"], who=SET_UP),
            Route("/machine/keep", self.keep, methods=["POST"], who=SET_UP),
            Route("/machine/clock", self.clock, methods=["POST"], who=SET_UP_AT_THE_BOX),
            Route("/machine/start-pin", self.start_pin, methods=["POST"], who=SET_UP_AT_THE_BOX),
            Route("/machine/start-pin/remove", self.no_start_pin, methods=["POST"], who=SET_UP_AT_THE_BOX),
        ]

    async def get(self, request: Request) -> Response:
        del request
        return JSONResponse(await self._context.work.spool(partial(_now, self._machine)))

    async def check(self, request: Request) -> Response:
        """Say what changes would change and what is wrong with them. Writes nothing."""
        asked = await bodies.read(request, "changes", "revision")
        changes, revision = changes_of(asked.values), revision_of(asked.values)
        trial = await self._context.work.spool(partial(self._machine.tried, changes, revision))
        language, which = of_call(request), _cost(trial, caller_of(request.scope).door)
        said = {**outcome(trial, self._machine.tables, language)}
        said["starts_anew"] = {"which": which, "what": language.said(_COSTS[which])}
        return JSONResponse(said)

    async def change(self, request: Request) -> Response:
        asked = await bodies.read(request, "changes", "revision")
        changes, revision, person = changes_of(asked.values), revision_of(asked.values), acting.get()
        over_network = caller_of(request.scope).door is not Door.FRONT

        def make() -> Json:
            trial = self._machine.tried(changes, revision)
            written = self._machine.make(trial, revision, over_network=over_network, person=person)
            return {"written": written, **_now(self._machine)}

        try:
            return JSONResponse(await self._context.work.spool(make))
        except SettingsWrong as error:
            language = of_call(request)
            wrong = [problem_of(each, language) for each in error.problems]
            document = {**problems.document_of(error, language), "problems": wrong}
            return JSONResponse(document, problems.status_of(error), media_type=problems.MEDIA_TYPE)

    async def keep(self, request: Request) -> Response:
        """Keep the network that is being tried."""
        await bodies.read(request)
        await self._context.work.spool(partial(self._machine.keep, person=acting.get()))
        return JSONResponse(await self._context.work.spool(partial(_now, self._machine)))

    async def clock(self, request: Request) -> Response:
        """Set the clock to the time that somebody reads from another one."""
        asked = await bodies.read(request, "local")
        words = bodies.text(asked.values, "local", longest=len("2026-11-27T09:30"), required=True)
        try:
            local = datetime.strptime(words, _TIME)  # noqa: DTZ007 - of the box's own zone
        except ValueError:
            raise BadValue("local is not a time such as 2026-11-27T09:30.") from None
        await self._context.work.spool(partial(self._machine.set_clock, local, person=acting.get()))
        return JSONResponse(await self._context.work.spool(partial(_now, self._machine)))

    async def start_pin(self, request: Request) -> Response:
        """Have every start of the box ask for a PIN before the disk is opened."""
        return await self._pin_of_start(request, self._context.own_machine.data.start_pin, "start-pin-set")

    async def no_start_pin(self, request: Request) -> Response:
        return await self._pin_of_start(request, self._context.own_machine.data.no_start_pin, "start-pin-removed")

    async def _pin_of_start(self, request: Request, change: Callable[[str], None], what: str) -> Response:
        asked = await bodies.read(request, "pin")
        pin = bodies.text(asked.values, "pin", longest=_LONGEST_PIN, required=True)
        await self._context.work.people(partial(change, pin))
        await self._context.note(what)
        return JSONResponse(dict(self._context.own_machine.data.seen() or {}))


def _cost(trial: Trial, door: Door) -> str:
    """Return a word of `_COSTS`."""
    if all(each.steps[0] == "time" for each in trial.differences):
        return "time"
    return "here" if door is Door.FRONT else "tried"


def _now(machine: OwnMachine) -> Json:
    seen, state = machine.seen(), machine.state()
    return {
        "revision": state.revision,
        "writable": state.writable,
        "network": dict(seen.network),
        "clock": dict(seen.clock),
        "tried_s": seen.seconds_left,
    }
