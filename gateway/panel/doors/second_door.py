"""The second door: a TLS listener for browsers of the clinic's network, shut until an administrator exists.

Bounds how many connections there are from the moment they are taken, before TLS is agreed on: whoever floods it
takes nothing from the screen of the box.
"""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.config.settings import Lan
from gateway.log import event, warn
from gateway.net import browsers
from gateway.panel.doors import connections
from gateway.panel.doors.guard import MAX_BODY
from gateway.panel.people.hosts import Names, is_address
from gateway.panel.people.roles import DOOR, Door
from gateway.panel.people.store import People

_log = logging.getLogger(__name__)
_MOST = 120
_MOST_OF_ONE = 60  # connections from one address: a clinic may have one for all its PCs
_HANDSHAKE_S = 5.0
_PATIENCE_S = 15.0  # for the rest of a request
_LOOK_S = 1.0  # whether there is an administrator by now
_AGAIN_S = 10.0  # when the address or a file cannot be used
_BACKLOG = 32
_GRACE_S = 1.0  # for answers in flight


class SecondDoor:
    """One listener. `run` never ends by itself; what keeps it shut is said once and tried again."""

    def __init__(self, *, app: ASGIApp, lan: Lan, people: People, names: Names) -> None:
        self._lan = lan
        self._people = people
        self._names = names
        self._config = _config(_through_the_second_door(app))
        self._state = ServerState()
        self._context: Any = None  # ssl.SSLContext: the panel itself knows nothing of TLS
        self._read: tuple[int, ...] = ()  # when the files that are used were written
        self._open: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._said = ""
        self.listens_at = ""  # host:port; "" while it is shut

    @property
    def address(self) -> str:
        """Return what a person types into a browser, by the first name of the certificate; "" while it is shut."""
        named = sorted(
            (name for name in self._names.certified if "*" not in name), key=lambda n: (is_address(n), n)
        )
        host, _, port = self.listens_at.rpartition(":")
        return f"https://{named[0] if named else host}:{port}" if self.listens_at else ""

    async def run(self) -> None:
        """Listen as soon as, and as long as, that is possible."""
        while not self._people.has_administrator:  # noqa: ASYNC110 - people change in a thread
            await asyncio.sleep(_LOOK_S)
        while True:
            try:
                await self._listen()
            except (OSError, ValueError) as error:
                self._say(
                    "lan_shut", why=type(error).__name__, error=getattr(error, "strerror", None) or "unusable"
                )
            finally:
                self.listens_at = ""
                await self._close()
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> None:
        self._renew()
        host, port = self._lan.listen.host, self._lan.listen.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family, backlog=_BACKLOG) as listener:
            listener.setblocking(False)
            self.listens_at = "{}:{}".format(*listener.getsockname()[:2])
            self._said = ""
            event(_log, "lan_open", listen=self.listens_at)
            while True:
                await self._take(listener)

    async def _take(self, listener: socket.socket) -> None:
        caller, where = await asyncio.get_running_loop().sock_accept(listener)
        address = str(where[0])
        if self._open.total() >= _MOST or self._open[address] >= _MOST_OF_ONE:
            caller.close()
            return
        self._open[address] += 1
        counted = _Counted(caller, lambda: self._gone(address))
        with suppress(OSError, ValueError):  # half renewed: the ones before are used
            self._renew()
        task = asyncio.ensure_future(self._secure(counted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _secure(self, caller: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: self._config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
                    config=self._config, server_state=self._state, app_state={}, _loop=loop
                ),
                caller,
                ssl=self._context,
                ssl_handshake_timeout=_HANDSHAKE_S,
                ssl_shutdown_timeout=_GRACE_S,
            )
        except OSError:  # no TLS, or none that fits; ssl.SSLError is one
            caller.close()

    def _gone(self, address: str) -> None:
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]

    def _renew(self) -> None:
        """Read certificate and key when they are others than those that are used. Raises OSError, ValueError."""
        written = tuple(_written(path) for path in (self._lan.certificate, self._lan.key))
        if written != self._read:
            context = browsers.context(self._lan.certificate, self._lan.key)
            self._names.certified = browsers.names(self._lan.certificate)
            self._context, self._read = context, written

    def _say(self, what: str, **details: str) -> None:
        if str(details) != self._said:
            warn(_log, what, listen=str(self._lan.listen), **details)
        self._said = str(details)

    async def _close(self) -> None:
        for connection in list(self._state.connections):
            connection.shutdown()
        left = {*self._state.tasks, *self._tasks}
        if left:
            await asyncio.wait(left, timeout=_GRACE_S)
        for task in left:
            task.cancel()
        for connection in list(self._state.connections):
            if connection.transport:
                connection.transport.abort()


class _Counted(socket.socket):
    """A connection that says when it is closed, whichever protocol had it last."""

    def __init__(self, taken: socket.socket, gone: Callable[[], None]) -> None:
        super().__init__(fileno=taken.detach())
        self.setblocking(False)
        self._gone: Callable[[], None] | None = gone

    def close(self) -> None:
        super().close()
        gone, self._gone = self._gone, None
        if gone:
            gone()


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns


def _through_the_second_door(app: ASGIApp) -> ASGIApp:
    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        scope[DOOR] = Door.LAN
        await app(scope, receive, send)

    return marked


def _config(app: ASGIApp) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http=connections.Door(most=_MOST, patience_s=_PATIENCE_S),  # type: ignore[arg-type]  # uvicorn only calls it
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=MAX_BODY,
        server_header=False,
        proxy_headers=False,  # whoever calls could say that somebody else does
    )
    config.load()
    return config
