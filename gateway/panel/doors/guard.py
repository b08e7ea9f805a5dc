"""What every request must pass: host, origin, size. What every answer carries: its protecting headers.

A page of the internet can reach a loopback address, or one of the clinic, through DNS rebinding or a form; it
cannot fake `Host`, `Origin` (RFC 6454) and `Sec-Fetch-Site` (Fetch Metadata). Finds out who asks; routes decide.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import Refused
from gateway.panel import problems
from gateway.panel.context import acting
from gateway.panel.people.desk import Desk
from gateway.panel.people.hosts import Names
from gateway.panel.people.roles import CALLER, DOOR, Caller, Door
from gateway.panel.people.sessions import COOKIE
from gateway.panel.problems import TooLarge, WrongHost, WrongOrigin
from gateway.panel.words import of_call

MAX_BODY = 64 * 1024  # bytes; the largest request is a typed patient
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_WEBSOCKET_REFUSED = 1008  # policy violation (RFC 6455 7.4.1)
_SECURITY = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with none at all a form of ours would have the origin "null"
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


_CHANGES_NOTHING = frozenset({"GET", "HEAD"})
_OURS = frozenset({"same-origin", "none"})  # "none": a person typed the address


class Guard:
    """ASGI middleware around the whole application. `names`: those of the second door's certificate.

    `uploads`: paths whose routes bound what they PUT by themselves, through the second door alone.
    """

    def __init__(
        self, app: ASGIApp, *, desk: Desk, names: Names, captures: bool, uploads: frozenset[str] = frozenset()
    ) -> None:
        self._app = app
        self._desk = desk
        self._names = names
        self._captures = captures  # through the second door
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope[CALLER] = caller = self._caller(scope)
        acting.set(caller.person)
        refusal = self._refusal(scope, headers)
        if refusal and scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _WEBSOCKET_REFUSED, "reason": refusal.code})
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                _protect(MutableHeaders(scope=message), scope["path"])
            await send(message)

        if refusal:
            await problems.of_error(refusal, of_call(HTTPConnection(scope)))(scope, receive, protected)
        elif caller.door is Door.LAN and scope["path"] in self._uploads and scope.get("method") == "PUT":
            await self._app(scope, receive, protected)
        elif _length(headers) > MAX_BODY:
            await problems.of_error(TooLarge(), of_call(HTTPConnection(scope)))(scope, receive, protected)
        else:
            await self._app(scope, _counted(receive), protected)

    def _caller(self, scope: Scope) -> Caller:
        door = scope.get(DOOR, Door.FRONT)
        client = scope.get("client")
        return self._desk.caller(
            HTTPConnection(scope).cookies.get(COOKIE[door], ""),
            door=door,
            address=client[0] if client and door is Door.LAN else "",
            captures=door is Door.FRONT or self._captures,
        )

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> Refused | None:
        """Return what is wrong with where this request comes from."""
        front = scope[CALLER].door is Door.FRONT
        host = headers.get("host", "")
        name, here = _name(host), (scope.get("server") or ("",))[0]
        if not (name in LOOPBACK_NAMES if front else self._names.fit(name, here)):
            return WrongHost()
        origin = headers.get("origin")
        if origin is not None and (_place(origin) != host or not (front or origin.startswith("https://"))):
            return WrongOrigin()
        looked_at = scope["type"] == "http" and scope["method"] in _CHANGES_NOTHING
        arrives = looked_at and headers.get("sec-fetch-mode") == "navigate"  # over a link, which may stand anywhere
        return None if arrives or headers.get("sec-fetch-site", "none") in _OURS else WrongOrigin()


def _name(host: str) -> str:
    """Return the name in a Host header, without its port; "" when it is none."""
    try:
        return urlsplit("//" + host).hostname or ""
    except ValueError:
        return ""


def _place(origin: str) -> str:
    """Return host and port of an Origin header; "" when it is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _length(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isdecimal() else 0


def _counted(receive: Receive) -> Receive:
    """Refuse a body that grows beyond the limit without saying its length: TooLarge inside the application."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if message["type"] == "http.request" and total > MAX_BODY:
            raise TooLarge
        return message

    return counted


def _protect(headers: MutableHeaders, path: str) -> None:
    for name, value in _SECURITY.items():
        headers[name] = value
    headers["cache-control"] = "no-cache" if path.startswith("/static/") else "no-store"
