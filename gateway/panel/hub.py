"""Events for the pages that watch. A page that does not read is dropped and comes back by itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from gateway.panel.problems import TooMany

_MOST_WATCHERS = 32
_MOST_UNREAD = 64
_COME_BACK = b"retry: 500\n\n"  # ms; what a page waits before it connects again


class Hub:
    """Hands each event to every subscriber; used on the event loop only."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._closed = False

    @property
    def watchers(self) -> int:
        return len(self._queues)

    def publish(self, name: str, data: dict[str, Any]) -> None:
        message = encode(name, data)
        for queue in list(self._queues):
            if queue.qsize() < _MOST_UNREAD:
                queue.put_nowait(message)
            else:
                self._queues.discard(queue)
                queue.put_nowait(None)

    def close(self) -> None:
        """End every subscription, now and from now on."""
        self._closed = True
        for queue in self._queues:
            queue.put_nowait(None)

    def check(self) -> None:
        """Raise TooMany when nobody else can watch."""
        if len(self._queues) >= _MOST_WATCHERS or self._closed:
            raise TooMany

    async def subscribe(self, first: list[bytes], *, heartbeat_s: float) -> AsyncIterator[bytes]:
        """Yield `first`, then every event, and `beat` when there was none for `heartbeat_s`."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield _COME_BACK
            for message in first:
                yield message
            while not self._closed:
                try:
                    async with asyncio.timeout(heartbeat_s):
                        message_or_end = await queue.get()
                except TimeoutError:
                    message_or_end = encode("beat", {})
                if message_or_end is None:
                    return
                yield message_or_end
        finally:
            self._queues.discard(queue)


def encode(name: str, data: dict[str, Any]) -> bytes:
    """Return one server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
