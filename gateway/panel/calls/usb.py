"""The calls on what is plugged into an appliance: what there is; let in what waits, put out what was let in."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.context import Context, acting
from gateway.panel.doors.routing import Route
from gateway.panel.own_usb import OwnUsb
from gateway.panel.people.roles import FIRST_SET_UP, FIRST_SET_UP_AT_THE_BOX

_WISHES = ("let-in", "put-out")
_LONGEST = 100  # of a key: identity, and a serial number of 64


class UsbCalls:
    """`/devices/usb`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._usb: OwnUsb = context.own_machine.usb

    def routes(self) -> list[Route]:
        return [
            Route("/devices/usb", self.get, methods=["GET"], who=FIRST_SET_UP),
            Route("/devices/usb", self.ask, methods=["POST"], who=FIRST_SET_UP_AT_THE_BOX),
        ]

    async def get(self, request: Request) -> Response:
        del request
        return await self._answer()

    async def ask(self, request: Request) -> Response:
        asked = await bodies.read(request, "do", "device")
        wish = bodies.text(asked.values, "do", required=True)
        key = bodies.text(asked.values, "device", longest=_LONGEST, required=True)
        if wish not in _WISHES:
            raise BadValue(f"do is none of {', '.join(_WISHES)}.")
        await self._context.work.spool(partial(self._usb.ask, wish, key, acting.get()))
        return await self._answer()

    async def _answer(self) -> Response:
        seen = await self._context.work.spool(self._usb.seen)
        return JSONResponse({"devices": None if seen is None else list(seen)})
