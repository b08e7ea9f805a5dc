"""The calls on an appliance's updates: how it stands; look at the stick, install, start anew."""

import re
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.own_updates import WISHES, OwnUpdates
from gateway.panel.people.roles import SET_UP

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,100}\.raucb")  # as gateway/machine/update/asked.py takes it


class UpdateCalls:
    """`/update`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._updates: OwnUpdates = context.own_machine.updates

    def routes(self) -> list[Route]:
        return [
            Route("/update", self.get, methods=["GET"], who=SET_UP),
            Route("/update", self.ask, methods=["POST"], who=SET_UP),
        ]

    async def get(self, request: Request) -> Response:
        del request
        return await self._answer()

    async def ask(self, request: Request) -> Response:
        asked = await bodies.read(request, "do", "file")
        wish = bodies.text(asked.values, "do", required=True)
        file = bodies.text(asked.values, "file")
        if wish not in WISHES:
            raise BadValue(f"do is none of {', '.join(WISHES)}.")
        if bool(_NAME.fullmatch(file)) != (wish == "install") or (file and wish != "install"):
            raise BadValue("file is the name of an update on the stick, and only for install.")
        await self._context.work.spool(partial(self._updates.ask, wish, file, acting.get()))
        return await self._answer()

    async def _answer(self) -> Response:
        seen = await self._context.work.spool(self._updates.seen)
        return JSONResponse({"update": seen.update, "offers": seen.offers})
