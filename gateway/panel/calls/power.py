"""The calls on switching the box off: now, once everything was sent, or not after all."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import SIGNED_IN, Role, permit
from gateway.panel.shown.answers import Json

AT_THIS_BOX = permit(
    Role.TECHNICIAN, Role.ADMINISTRATOR, front_only=True
)  # nobody switches it off from another floor


class PowerCalls:
    """`/power`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [
            Route("/power", self.get, methods=["GET"], who=SIGNED_IN),
            Route("/power/off", self.off, methods=["POST"], who=AT_THIS_BOX),
            Route("/power/stay", self.stay, methods=["POST"], who=AT_THIS_BOX),
        ]

    async def get(self, request: Request) -> Response:
        del request
        return await self._answer()

    async def off(self, request: Request) -> Response:
        asked = await bodies.read(request, "when")
        when = bodies.text(asked.values, "when", required=True)
        if when not in {"now", "sent"}:
            raise BadValue('when is neither "now" nor "sent".')
        power = self._context.power
        await self._context.work.spool(power.now if when == "now" else power.when_sent)
        return await self._answer()

    async def stay(self, request: Request) -> Response:
        await bodies.read(request)
        self._context.power.stay()
        return await self._answer()

    async def _answer(self) -> Response:
        power = self._context.power
        left = await self._context.work.spool(power.left)
        said: Json = {
            "can_switch_off": power.there,
            "off_when_sent": power.waits,
            "objects_left": left.objects,
            "unmade": left.unmade,
        }
        return JSONResponse(said)
