"""The listener for the clinic's monitoring: `GET /metrics`, for callers of private networks. Leads nowhere else."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from ipaddress import ip_address

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.config.settings import Address
from gateway.log import event, warn
from gateway.panel.doors import connections

_log = logging.getLogger(__name__)
_MOST = 8  # connections: a monitoring system needs one
_PATIENCE_S = 5.0  # for the rest of a request
_AGAIN_S = 10.0  # when the address cannot be used
_BACKLOG = 8


class Monitoring:
    """One listener. `run` never ends by itself; what keeps it shut is said once and tried again."""

    def __init__(self, *, listen: Address, text: Callable[[], Awaitable[bytes]]) -> None:
        self._listen = listen
        self._text = text
        self._state = ServerState()
        self._said = False
        self.listens_at = ""  # host:port; "" while it is shut

    async def run(self) -> None:
        """Listen as soon as, and as long as, that is possible."""
        while True:
            try:
                await self._serve()
            except OSError as error:
                if not self._said:
                    warn(_log, "metrics_shut", listen=str(self._listen), error=error.strerror or "unusable")
                self._said = True
            finally:
                self.listens_at = ""
                for connection in list(self._state.connections):
                    connection.transport.abort()
            await asyncio.sleep(_AGAIN_S)

    async def _serve(self) -> None:
        host, port = self._listen.host, self._listen.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        config, loop = _config(self), asyncio.get_running_loop()
        with socket.create_server((host, port), family=family, backlog=_BACKLOG) as listener:
            server = await loop.create_server(
                lambda: config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
                    config=config, server_state=self._state, app_state={}, _loop=loop
                ),
                sock=listener,
            )
            self.listens_at = "{}:{}".format(*listener.getsockname()[:2])
            self._said = False
            event(_log, "metrics_open", listen=self.listens_at)
            async with server:
                await server.serve_forever()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await (await self._answer(scope))(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        client = scope.get("client")
        if not client or not is_private(client[0]):
            return Response(status_code=HTTPStatus.FORBIDDEN)
        if scope["path"] != "/metrics":
            return Response(status_code=HTTPStatus.NOT_FOUND)
        if scope["method"] not in {"GET", "HEAD"}:
            return Response(status_code=HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "GET, HEAD"})
        content = await self._text()
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        return Response(content, headers={**headers, "content-type": CONTENT_TYPE_LATEST})


def is_private(host: str) -> bool:
    """Say whether an address is of this machine or of a network that the internet does not route."""
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return found.is_private or found.is_loopback or found.is_link_local


def _config(app: Monitoring) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http=connections.Door(most=_MOST, patience_s=_PATIENCE_S),  # type: ignore[arg-type]  # uvicorn only calls it
        ws="none",
        server_header=False,
        proxy_headers=False,  # whoever calls could say that somebody else does
    )
    config.load()
    return config
