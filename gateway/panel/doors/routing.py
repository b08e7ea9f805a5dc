"""Routes that say who may use them (docs/decisions/0028-people-and-doors.md). The application takes no others."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from starlette import routing
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import Refused
from gateway.panel import problems
from gateway.panel.people.desk import Desk
from gateway.panel.people.roles import Caller, Door, Permit, Role, caller_of
from gateway.panel.people.sessions import COOKIE
from gateway.panel.problems import NoCaptureHere, NotPermitted, NotSignedIn, OnlyAtTheBox
from gateway.panel.words import of_call

API = "/api/v1"
IN_USE = "scopegate.in-use"  # key of an ASGI scope: touches of this page keep whoever signed in signed in
_WEBSOCKET_REFUSED = 1008  # policy violation (RFC 6455 7.4.1)
_ENDED: dict[str, Message] = {
    "http": {"type": "http.response.body", "body": b""},
    "websocket": {"type": "websocket.close", "code": _WEBSOCKET_REFUSED, "reason": NotSignedIn.code},
}


class Route(routing.Route):
    """A page or a call, and who may use it.

    `stays`: its answer goes on as long as somebody watches. `counts`: whether asking shows that whoever signed in
    is there; None = what a person does is told from what a page does by itself (`_is_of_a_person`).
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: Sequence[str],
        who: Permit,
        stays: bool = False,
        counts: bool | None = None,
    ) -> None:
        super().__init__(path, endpoint, methods=list(methods))
        self.who = who
        self.app = _Guarded(self.app, who, path, stays=stays, counts=counts)


class WebSocketRoute(routing.WebSocketRoute):
    """A WebSocket, and who may use it."""

    def __init__(self, path: str, endpoint: Callable[..., Any], *, who: Permit) -> None:
        super().__init__(path, endpoint)
        self.who = who
        self.app = _Guarded(self.app, who, path, stays=True)


class Files(routing.Mount):
    """A folder of files, and who may have them."""

    def __init__(self, path: str, app: ASGIApp, *, who: Permit) -> None:
        super().__init__(path, app)
        self.who = who
        self.app = _Guarded(self.app, who, path, stays=False)


Declared = Route | WebSocketRoute | Files


def declared(routes: Iterable[routing.BaseRoute]) -> list[routing.BaseRoute]:
    """Return routes, all of which say who may use them. Raises TypeError for one that does not."""
    found = list(routes)
    for route in found:
        if isinstance(route, Declared):
            continue
        if not isinstance(route, routing.Mount) or not route.routes:
            raise TypeError(f"{getattr(route, 'path', route)} does not say who may use it")
        declared(route.routes)
    return found


def refusal(who: Permit, caller: Caller) -> Refused | None:
    """Return why this caller does not get a route that says this, None when it does."""
    if caller.may(who):
        return None
    if who.front_only and caller.door is not Door.FRONT:
        return OnlyAtTheBox()
    if not caller.is_known:
        return NotSignedIn()
    if who.takes_pictures and caller.roles & who.roles:
        return NoCaptureHere()
    if caller.door is Door.FRONT and not caller.person:
        return NotSignedIn()  # more than a technician may
    return NotPermitted()


class _Guarded:
    """Lets through who may, and sends away who watches longer than signed in."""

    def __init__(self, app: ASGIApp, who: Permit, path: str, *, stays: bool, counts: bool | None = None) -> None:
        self._app = app
        self._who = who
        self._path = path  # the pattern, in which no number of an exam stands
        self._stays = stays
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = caller_of(scope)
        if why := refusal(self._who, caller):
            await self._refuse(why, caller, scope, receive, send)
            return
        # At the box a technician works as well, whose touches must not keep an administrator signed in.
        scope[IN_USE] = in_use = bool(caller.person) and (
            caller.door is Door.LAN or Role.TECHNICIAN not in self._who.roles
        )
        if (in_use and _is_of_a_person(scope)) if self._counts is None else self._counts:
            desk: Desk = scope["app"].state.desk
            desk.sessions.find(token_of(scope), caller.door, touch=True)
        if self._stays and caller.person:
            await self._while_signed_in(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _refuse(self, why: Refused, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        desk: Desk = scope["app"].state.desk
        if isinstance(why, NotPermitted):
            await desk.not_permitted(caller, self._path)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _WEBSOCKET_REFUSED, "reason": why.code})
        elif scope["path"].startswith(f"{API}/") or scope["method"] not in {"GET", "HEAD"}:
            await problems.of_error(why, of_call(HTTPConnection(scope)))(scope, receive, send)
        else:
            answer = await _page_instead(why, caller, Request(scope, receive))
            await answer(scope, receive, send)

    async def _while_signed_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run what stays open, and end it in good form when its person is not signed in any more."""
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        async def hearing() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive" or still_signed_in(scope):
                return message
            return {"type": "websocket.disconnect", "code": _WEBSOCKET_REFUSED}  # said too late

        task = asyncio.ensure_future(self._app(scope, hearing, noting))
        try:
            while still_signed_in(scope) and not task.done():
                await asyncio.wait({task}, timeout=scope["app"].state.look_again_s)
            if task.done():
                await task
                if still_signed_in(scope):
                    return
        finally:
            task.cancel()
            await asyncio.wait({task})
        if begun:
            with suppress(OSError, RuntimeError):  # the page may be gone already
                await send(_ENDED[scope["type"]])


def _is_of_a_person(scope: Scope) -> bool:
    """Say whether a person did this; what a page fetches by itself is no touch (Fetch Metadata, Sec-Fetch-Mode)."""
    if scope["type"] != "http":
        return False
    headers = HTTPConnection(scope).headers
    return scope["method"] not in {"GET", "HEAD"} or headers.get("sec-fetch-mode", "navigate") == "navigate"


def token_of(scope: Scope) -> str:
    """Return the token that a browser sent along, "" for none."""
    return HTTPConnection(scope).cookies.get(COOKIE[caller_of(scope).door], "")


def still_signed_in(scope: Scope) -> bool:
    desk: Desk = scope["app"].state.desk
    return desk.sessions.find(token_of(scope), caller_of(scope).door) is not None


async def _page_instead(why: Refused, caller: Caller, request: Request) -> Response:
    """Return where a person who may not see a page goes: to sign in, home, or to a page that says why."""
    path = request.url.path
    if isinstance(why, NotSignedIn):
        wanted = path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(wanted)}" if wanted != "/" else "/sign-in", 303)
    if path == "/":
        return RedirectResponse(caller.home, 303)
    answer: Response = await request.app.state.refused_page(request, why)
    return answer
