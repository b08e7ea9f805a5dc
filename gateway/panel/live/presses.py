"""Presses of the live screen over one WebSocket: their order is that of the touches, and none waits for another.

A browser opens six connections to a host; with `POST .../stills` the seventh fast press would wait for the first
to be durable, and its frame would be gone by then. The same request id means the same press on both ways.
"""

import json
from contextlib import suppress

import anyio
from anyio.abc import TaskGroup
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.errors import Busy, ScopegateError
from gateway.panel import problems
from gateway.panel.calls import bodies
from gateway.panel.calls.captures import CaptureCalls
from gateway.panel.doors.routing import WebSocketRoute
from gateway.panel.people.roles import CAPTURE, caller_of
from gateway.panel.words import of_call

_MOST = 32  # presses in flight of one screen; capture itself pins fewer


class Presses:
    """`/presses`: text messages `{request_id, exam, source, frame}`, answered `{request_id, status, body}`."""

    def __init__(self, captures: CaptureCalls) -> None:
        self._captures = captures

    def routes(self) -> list[WebSocketRoute]:
        return [WebSocketRoute("/presses", self.take, who=CAPTURE)]

    async def take(self, websocket: WebSocket) -> None:
        """Take presses until the page is gone; those in flight are stored all the same."""
        await websocket.accept()
        page = _Page(websocket)
        async with anyio.create_task_group() as all_of_them:
            with suppress(WebSocketDisconnect):
                while True:
                    await self._begin(await websocket.receive_text(), page, all_of_them)

    async def _begin(self, text: str, page: "_Page", group: TaskGroup) -> None:
        identifier = ""
        try:
            values = bodies.parse(text)
            identifier = bodies.text(values, "request_id", required=True)
            if len(page.flying) >= _MOST:
                raise Busy
        except ScopegateError as error:
            await page.refuse(identifier, error)
            return
        page.flying.add(identifier)
        group.start_soon(self._store, identifier, values, page)

    async def _store(self, identifier: str, values: bodies.Values, page: "_Page") -> None:
        try:
            stored = await self._captures.press(values, page.door)
        except ScopegateError as error:
            page.flying.discard(identifier)
            await page.refuse(identifier, error)
        else:
            page.flying.discard(identifier)
            await page.answer(identifier, 201, dict(stored))


class _Page:
    """One connection, and which of its presses have no answer yet."""

    def __init__(self, websocket: WebSocket) -> None:
        self.flying: set[str] = set()
        self.door = caller_of(websocket.scope).door
        self._websocket = websocket
        self._language = of_call(websocket)

    async def refuse(self, identifier: str, error: ScopegateError) -> None:
        body = problems.document_of(error, self._language)
        await self.answer(identifier, problems.status_of(error), body)

    async def answer(self, identifier: str, status: int, body: dict[str, str | int]) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the page may be gone: it asks again
            await self._websocket.send_text(json.dumps({"request_id": identifier, "status": status, "body": body}))
