"""Events for the pages that watch. A page that does not read is dropped and comes back by itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from gateway.panel.problems import TooMany
from gateway.panel.words import Words

Event = tuple[str, dict[str, Any]]
_MOST_WATCHERS = 32
_MOST_FROM_ELSEWHERE = 24  # of these, when a browser of the network asks: the box's own screen finds a place
_MOST_UNREAD = 64
_COME_BACK = b"retry: 500\n\n"  # ms; what a page waits before it connects again


class Hub:
    """Hands each event to every subscriber; used on the event loop only."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self._closed = False

    @property
    def watchers(self) -> int:
        return len(self._queues)

    def publish(self, name: str, data: dict[str, Any]) -> None:
        for queue in list(self._queues):
            if queue.qsize() < _MOST_UNREAD:
                queue.put_nowait((name, data))
            else:
                self._queues.discard(queue)
                queue.put_nowait(None)

    def close(self) -> None:
        """End every subscription, now and from now on."""
        self._closed = True
        for queue in self._queues:
            queue.put_nowait(None)

    def check(self, *, from_elsewhere: bool = False) -> None:
        """Raise TooMany when nobody else can watch."""
        most = _MOST_FROM_ELSEWHERE if from_elsewhere else _MOST_WATCHERS
        if len(self._queues) >= most or self._closed:
            raise TooMany

    async def subscribe(self, first: list[Event], *, heartbeat_s: float, words: Words) -> AsyncIterator[bytes]:
        """Yield `first`, then every event, in that language, and `beat` when there was none for `heartbeat_s`."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield _COME_BACK
            for name, data in first:
                yield encode(name, words.of(data))
            while not self._closed:
                try:
                    async with asyncio.timeout(heartbeat_s):
                        event = await queue.get()
                except TimeoutError:
                    event = ("beat", {})
                if event is None:
                    return
                yield encode(event[0], words.of(event[1]))
        finally:
            self._queues.discard(queue)


def encode(name: str, data: dict[str, Any]) -> bytes:
    """Return one server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
