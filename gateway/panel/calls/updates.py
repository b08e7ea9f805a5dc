"""The calls on an appliance's updates: how it stands; look at the stick, install, start anew; one that is sent."""

import asyncio
import re
from collections.abc import AsyncIterator
from functools import partial

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from gateway.errors import BadValue
from gateway.panel.calls import bodies
from gateway.panel.context import Context, acting
from gateway.panel.doors.connections import PACED
from gateway.panel.doors.routing import Route, token_of
from gateway.panel.own_updates import WISHES, OwnUpdates
from gateway.panel.own_upload import Arriving, OwnUpload
from gateway.panel.people.roles import SERVE, SET_UP, caller_of
from gateway.panel.problems import BadRequest, NotSignedIn, UpdateTooSlow

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,100}\.raucb")  # as gateway/machine/update/desk.py takes it


UPLOAD = "/update/upload"
_PIECE = 1 << 20  # bytes that are handed to the disk at once, and have to come within `Timing.piece`
_LARGEST = 1 << 62  # that a file can say of itself; what the box takes is said in words


class UpdateCalls:
    """`/update`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._updates: OwnUpdates = context.own_machine.updates
        self._upload: OwnUpload = context.own_machine.upload

    def routes(self) -> list[Route]:
        return [
            Route("/update", self.get, methods=["GET"], who=SERVE),
            Route("/update", self.ask, methods=["POST"], who=SERVE),
            Route(UPLOAD, self.may, methods=["POST"], who=SET_UP),
            Route(UPLOAD, self.put, methods=["PUT"], who=SET_UP),
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

    async def may(self, request: Request) -> Response:
        """Say whether a file would be taken, before anybody sends it."""
        asked = await bodies.read(request, "bytes")
        size = bodies.number(asked.values, "bytes", least=1, most=_LARGEST, default=0)
        if not size:
            raise BadValue("bytes is missing.")
        await self._context.work.spool(partial(self._upload.may, size))
        return await self._answer()

    async def put(self, request: Request) -> Response:
        """Take a file and have it installed."""
        size = bodies.whole(request.headers.get("content-length", ""))
        if not size:
            raise BadRequest("The request does not say how long its file is.")
        arriving = await self._context.work.spool(partial(self._upload.begin, size))
        try:
            await self._arrive(request, arriving)
            await self._context.work.spool(partial(arriving.whole, acting.get()))
        except BaseException as error:  # also of a panel that ends
            await self._context.work.spool(arriving.broken)
            if isinstance(error, ClientDisconnect):  # nobody hears it, and the journal needs no traceback
                raise BadRequest("The file did not come to its end.") from None
            raise
        return await self._answer()

    async def _arrive(self, request: Request, arriving: Arriving) -> None:
        """Hand on what comes. Raises UpdateTooSlow, NotSignedIn, and what `Arriving.take` does."""
        request.scope[PACED] = True
        token, door = token_of(request.scope), caller_of(request.scope).door
        stream = request.stream()
        while piece := await self._piece(stream):
            # Who sends something is there, and must be signed in still.
            if self._context.desk.sessions.find(token, door, touch=True) is None:
                raise NotSignedIn
            await self._context.work.spool(partial(arriving.take, piece))

    async def _piece(self, stream: AsyncIterator[bytes]) -> bytes:
        """Return what comes next, b"" at the end: one at a time is taken, and nobody keeps the next one out."""
        piece = bytearray()
        try:
            async with asyncio.timeout(self._context.timing.piece):
                async for content in stream:
                    piece += content
                    if len(piece) >= _PIECE:
                        break
        except TimeoutError:
            raise UpdateTooSlow from None
        return bytes(piece)

    async def _answer(self) -> Response:
        seen = await self._context.work.spool(self._updates.seen)
        return JSONResponse({"update": seen.update, "offers": seen.offers, "uploading": self._upload.percent})
