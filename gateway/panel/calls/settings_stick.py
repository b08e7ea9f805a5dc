"""The calls that bring settings onto a stick and read them from it, before the box. The forward process does it."""

import asyncio
import base64
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from gateway.errors import MediaError, NotFound, ScopegateError, TryLater, by_code
from gateway.messages import N_
from gateway.model import RequestState
from gateway.panel.calls import bodies
from gateway.panel.calls.bodies import Values
from gateway.panel.calls.settings import file_name
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SET_UP_AT_THE_BOX

_SAFE = N_("The settings of this box are as they were.")
OUT, IN = "settings-out", "settings-in"  # the kinds of request that forward executes


class SettingsStickCalls:
    """`/settings/stick`. Without `destination` any stick will do that the box has mounted."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._media = [each.name for each in context.settings.destinations if each.kind == "media"]

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/settings/stick/export", self.out, methods=["POST"], who=SET_UP_AT_THE_BOX),
            Route("/settings/stick/import", self.read, methods=["POST"], who=SET_UP_AT_THE_BOX),
        ]

    async def out(self, request: Request) -> Response:
        """Write the settings onto the medium; answers when they were read back."""
        asked = await bodies.read(request, "destination")
        raw = await self._context.work.spool(self._context.configuring.out)
        arguments = {
            "name": file_name(self._context.settings.station.name),
            "content": base64.b64encode(raw).decode(),
        }
        answer = await self._done(OUT, {**arguments, "destination": self._destination(asked.values)})
        await self._context.note("settings-exported")
        return JSONResponse(answer)

    async def read(self, request: Request) -> Response:
        """Read the newest file of settings on the medium; nothing is changed by it."""
        asked = await bodies.read(request, "destination")
        return JSONResponse(await self._done(IN, {"destination": self._destination(asked.values)}))

    def _destination(self, values: Values) -> str:
        name = bodies.text(values, "destination")
        if name and name not in self._media:
            raise NotFound(
                "There is no media destination of that name.",
                action='Name a [[destination]] of kind "media" of the configuration.',
            )
        return name

    async def _done(self, kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
        requests, work, timing = self._context.spool.requests, self._context.work, self._context.timing
        identifier = await work.spool(partial(requests.ask, kind, arguments, deadline_s=timing.stick))
        try:
            async with asyncio.timeout(timing.stick):
                while True:
                    asked = await work.spool(partial(requests.get, identifier))
                    if asked.state is RequestState.DONE:
                        return asked.answer
                    if asked.state is RequestState.FAILED:
                        raise as_of_settings(asked.answer)
                    await asyncio.sleep(timing.poll)
        except TimeoutError:
            raise TryLater("The delivery process does not run.", code="too-late") from None
        finally:
            await asyncio.shield(work.spool(partial(requests.drop, identifier)))


def as_of_settings(said: dict[str, Any]) -> ScopegateError:
    """Return what went wrong: of a stick, errors say that the pictures are safe, and nobody asked."""
    kind = by_code(said["code"])
    safe = _SAFE if issubclass(kind, MediaError) else ""
    return kind(said["what"], code=said["code"], safe=safe, action=said.get("action", ""))
