"""The call that marks a picture as a key image, or takes the mark back."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.panel.calls import bodies
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route
from gateway.panel.people.roles import WORK


class KeyImageCalls:
    """`/captures/{uid}/key`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [Route("/captures/{uid}/key", self.mark, methods=["POST"], who=WORK)]

    async def mark(self, request: Request) -> Response:
        asked = await bodies.read(request, "key")
        key, uid = bodies.flag(asked.values, "key", required=True), request.path_params["uid"]
        await self._context.work.spool(partial(self._context.spool.key_images.mark, uid, key=key))
        await self._context.note("capture-key", capture=uid, key=key)
        return JSONResponse({"sop_instance_uid": uid, "key": key})
