"""Presses of the live screen over one WebSocket: their order is that of the touches, and none waits for another.

A browser opens six connections to a host; with `POST .../stills` the seventh fast press would wait for the first
to be durable, and its frame would be gone by then. The same request id means the same press on both ways.
"""

import json
from contextlib import suppress

import anyio
from anyio.abc import TaskGroup
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.errors import Busy, ScopegateError
from gateway.panel import bodies, problems
from gateway.panel.capture_calls import CaptureCalls

_MOST = 32  # presses in flight of one screen; capture itself pins fewer


class Presses:
    """`/presses`: text messages `{request_id, exam, source, frame}`, answered `{request_id, status, body}`."""

    def __init__(self, captures: CaptureCalls) -> None:
        self._captures = captures

    def routes(self) -> list[WebSocketRoute]:
        return [WebSocketRoute("/presses", self.take)]

    async def take(self, websocket: WebSocket) -> None:
        """Take presses until the page is gone; those in flight are stored all the same."""
        await websocket.accept()
        flying: set[str] = set()
        async with anyio.create_task_group() as all_of_them:
            with suppress(WebSocketDisconnect):
                while True:
                    await self._begin(await websocket.receive_text(), websocket, flying, all_of_them)

    async def _begin(self, text: str, websocket: WebSocket, flying: set[str], group: TaskGroup) -> None:
        identifier = ""
        try:
            values = bodies.parse(text)
            identifier = bodies.text(values, "request_id", required=True)
            if len(flying) >= _MOST:
                raise Busy
        except ScopegateError as error:
            await _answer(websocket, identifier, problems.status_of(error), problems.document_of(error))
            return
        flying.add(identifier)
        group.start_soon(self._store, identifier, values, websocket, flying)

    async def _store(self, identifier: str, values: bodies.Values, websocket: WebSocket, flying: set[str]) -> None:
        try:
            status, body = 201, dict(await self._captures.press(values))
        except ScopegateError as error:
            status, body = problems.status_of(error), dict(problems.document_of(error))
        finally:
            flying.discard(identifier)
        await _answer(websocket, identifier, status, body)


async def _answer(websocket: WebSocket, identifier: str, status: int, body: dict[str, str | int]) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # the page may be gone: it asks again
        await websocket.send_text(json.dumps({"request_id": identifier, "status": status, "body": body}))
