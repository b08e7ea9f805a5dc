"""How many connections the panel keeps, and for how long one may be silent in the middle of a request.

Every connection is a file of the process, and the index, the pictures and capture's socket need files too. Those
who say nothing, or a byte now and then, are sent away; pages that watch are not.
"""

import asyncio
import logging
import math
import socket
from dataclasses import dataclass
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.log import warn

_log = logging.getLogger(__name__)
_UNFINISHED = (h11.IDLE, h11.SEND_BODY)  # the caller still has to say something
_SAID_AGAIN_S = 60.0
PACED = "scopegate.paced"  # key of an ASGI scope: its route says how slowly a long request may come, and answers
BACKLOG = 64  # connections that asyncio takes at once, before anything can refuse one


@dataclass(kw_only=True, slots=True)
class Door:
    """What all connections of one panel share; makes one for uvicorn when called."""

    most: int = 200  # a browser opens six, and one for each live picture
    patience_s: float = 5.0  # for the rest of a request; over loopback it comes at once
    said: float = -math.inf  # when it was last said that there are too many

    def __call__(self, *args: Any, **values: Any) -> "Connection":  # noqa: ANN401 - uvicorn's own, handed on
        connection = Connection(*args, **values)
        connection.door = self
        return connection


class Connection(H11Protocol):
    """uvicorn's connection with a bound on their number and on the time that a request may take to arrive."""

    door: Door
    _looked_at: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) <= self.door.most:
            self.loop.call_later(self.door.patience_s, self._look)
            return
        transport.abort()
        if self.loop.time() - self.door.said > _SAID_AGAIN_S:
            self.door.said = self.loop.time()
            warn(_log, "connections_too_many", most=self.door.most)

    def _look(self) -> None:
        """End this connection when it waits for the rest of the same request as at the last look."""
        if self not in self.connections:
            return  # it ended, or became a WebSocket
        waits = self.conn.their_state in _UNFINISHED and not self._is_paced
        waits_for = (self.cycle or self) if waits else None  # which request has to go on
        if waits_for is not None and waits_for == self._looked_at:
            self.transport.abort()
            return
        self._looked_at = waits_for
        self.loop.call_later(self.door.patience_s, self._look)

    @property
    def _is_paced(self) -> bool:
        return bool(self.cycle and PACED in self.cycle.scope and not self.cycle.response_complete)


class WebServer(uvicorn.Server):
    """uvicorn, which leaves no connection open once it has ended.

    It asks each to end and waits a grace for answers in flight; who came meanwhile or takes longer stays connected
    to nobody.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the loop lets go of them
