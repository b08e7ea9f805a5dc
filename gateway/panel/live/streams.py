"""What stays connected: server-sent events, and the live picture over a WebSocket."""

import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.errors import Busy, ScopegateError, SpoolError
from gateway.panel.context import Context
from gateway.panel.doors.routing import Route, WebSocketRoute
from gateway.panel.live import recorder
from gateway.panel.live.changes import Changes
from gateway.panel.people.roles import LOOK, SIGNED_IN, Door, caller_of
from gateway.panel.words import of_call

_HEAD = struct.Struct(">QQ")  # sequence, capture time in ns
_WIDTH = 960
_WIDEST = 1920
_MOST_FROM_ELSEWHERE = 16  # viewers of the network, of the 24 that capture has: the box's own screen finds a place
_TRY_AGAIN_LATER = 1013  # RFC 6455's registry
_POLICY = 1008


class Streams:
    """`/events` and `/preview/{source}`."""

    def __init__(self, context: Context, changes: Changes) -> None:
        self._context = context
        self._changes = changes
        self._sources = {source.name for source in context.settings.sources}
        self._from_elsewhere = 0  # who watch the live picture

    def routes(self) -> list[Route | WebSocketRoute]:
        return [
            Route("/events", self.events, methods=["GET"], who=SIGNED_IN, stays=True),
            WebSocketRoute("/preview/{source}", self.preview, who=LOOK),
        ]

    async def events(self, request: Request) -> Response:
        self._context.hub.check(from_elsewhere=caller_of(request.scope).door is not Door.FRONT)
        first, heartbeat_s = list(self._changes.first().items()), self._context.timing.heartbeat
        stream = self._context.hub.subscribe(first, heartbeat_s=heartbeat_s, words=of_call(request))
        return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def preview(self, websocket: WebSocket) -> None:
        """Relay pictures: one at a time, the next one when the page says that it has drawn the last."""
        await websocket.accept()
        source = websocket.path_params["source"]
        if source not in self._sources:
            await websocket.close(_POLICY, "no such source")
            return
        if caller_of(websocket.scope).door is Door.FRONT:
            await self._show(websocket, source)
            return
        if self._from_elsewhere >= _MOST_FROM_ELSEWHERE:
            await _close(websocket, Busy.code)
            return
        self._from_elsewhere += 1
        try:
            await self._context.work.spool(lambda: self._note(websocket))
            await self._show(websocket, source)
        finally:
            self._from_elsewhere -= 1

    def _note(self, websocket: WebSocket) -> None:
        """Note whose exam is looked at; the live picture does not depend on the index."""
        with suppress(SpoolError):
            if opened := self._context.spool.exams.open_one():
                self._context.desk.looks.at(websocket, opened.id)

    async def _show(self, websocket: WebSocket, source: str) -> None:
        width = websocket.query_params.get("width", "")
        wanted = min(int(width), _WIDEST) if width.isascii() and width.isdecimal() and len(width) < 6 else _WIDTH  # noqa: PLR2004
        try:
            pictures = await self._context.recorder.preview(source, wanted)
        except ScopegateError as error:
            await _close(websocket, error.code)
            return
        try:
            await _relay(websocket, pictures)
        finally:
            pictures.close()


async def _relay(websocket: WebSocket, pictures: recorder.Pictures) -> None:
    """Relay until the page or the recorder is gone; the page is told of the latter."""
    reasons: list[str] = []
    async with anyio.create_task_group() as both:

        async def until_gone(step: Callable[[WebSocket, recorder.Pictures], Awaitable[None]]) -> None:
            try:
                await step(websocket, pictures)
            except ScopegateError as error:
                reasons.append(error.code)
            except WebSocketDisconnect:
                pass
            both.cancel_scope.cancel()

        both.start_soon(until_gone, _send)
        both.start_soon(until_gone, _credit)
    if reasons:
        await _close(websocket, reasons[0])


async def _send(websocket: WebSocket, pictures: recorder.Pictures) -> None:
    while True:
        message = await pictures.next()
        head = _HEAD.pack(message.header["sequence"], message.header["time_ns"])
        await websocket.send_bytes(head + message.body)


async def _credit(websocket: WebSocket, pictures: recorder.Pictures) -> None:
    while True:
        await websocket.receive_text()
        await pictures.credit()


async def _close(websocket: WebSocket, code: str) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # the page may be gone already
        await websocket.close(_TRY_AGAIN_LATER, code)
