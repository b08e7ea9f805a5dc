"""The calls on a day: what became of its pictures, and the wish to have the archives asked."""

import asyncio
from datetime import date
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue, TryLater
from gateway.model import RequestState
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import LOOK, WORK
from gateway.panel.shown import days as reports
from gateway.panel.shown.answers import Json
from gateway.spool import days


class DayCalls:
    """`/days`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._required = frozenset(d.name for d in context.settings.destinations if d.required)

    def routes(self) -> list[Route]:
        return [
            Route("/days/{date}", self.get, methods=["GET"], who=LOOK),
            Route("/days/{date}/check", self.check, methods=["POST"], who=WORK),
        ]

    async def get(self, request: Request) -> Response:
        return JSONResponse(await self._report(_date(request)))

    async def check(self, request: Request) -> Response:
        """Have every archive asked; answers when they did. The day as it is known is a GET away."""
        await bodies.read(request)
        day = _date(request)
        asked = await self._ask(day)
        return JSONResponse(await self._report(day, asked))

    async def _ask(self, day: date) -> Json:
        requests, work, timing = self._context.spool.requests, self._context.work, self._context.timing
        wish = partial(requests.ask, days.REQUEST, {"date": day.isoformat()}, deadline_s=timing.day_check)
        identifier = await work.spool(wish)
        try:
            async with asyncio.timeout(timing.day_check):
                while True:
                    asked = await work.spool(lambda: requests.get(identifier))
                    if asked.state is RequestState.DONE:
                        return asked.answer
                    if asked.state is RequestState.FAILED:
                        raise TryLater(asked.answer["what"], code=asked.answer["code"])
                    await asyncio.sleep(timing.poll)
        except TimeoutError:
            raise TryLater("The archives were not asked in time.", code="too-late") from None

    async def _report(self, day: date, asked: Json | None = None) -> Json:
        exams = await self._context.work.spool(lambda: days.of(self._context.spool, day))
        return reports.report(day.isoformat(), exams, self._required, asked)


def _date(request: Request) -> date:
    try:
        return date.fromisoformat(request.path_params["date"])
    except ValueError:
        raise BadValue("This is no date; write it as 2026-11-21.") from None
