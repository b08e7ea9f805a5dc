"""Blocking work away from the event loop: a few threads that live as long as the panel.

Own pools instead of the loop's shared one, because every thread keeps its connection to the index open and the
shared pool makes and drops threads as it likes.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gateway.threads import give_way

T = TypeVar("T")

_SPOOL_THREADS = 6
_PICTURE_THREADS = 2  # decoding is the only work here that takes long; a press never waits behind it


class Work:
    """The panel's threads."""

    def __init__(self) -> None:
        self._spool = ThreadPoolExecutor(_SPOOL_THREADS, "spool")
        self._pictures = ThreadPoolExecutor(_PICTURE_THREADS, "pictures")
        self._people = ThreadPoolExecutor(1, "people")  # a hash takes 64 MB and a core: one at a time
        self._slow = ThreadPoolExecutor(1, "slow", initializer=give_way)
        self._watch = ThreadPoolExecutor(1, "watch")  # PRAGMA data_version counts for one connection

    async def spool(self, call: Callable[[], T]) -> T:
        """Run a call of the spool."""
        return await asyncio.get_running_loop().run_in_executor(self._spool, call)

    async def picture(self, call: Callable[[], T]) -> T:
        """Run the decoding of a picture."""
        return await asyncio.get_running_loop().run_in_executor(self._pictures, call)

    async def people(self, call: Callable[[], T]) -> T:
        """Run what hashes a PIN."""
        return await asyncio.get_running_loop().run_in_executor(self._people, call)

    async def slowly(self, call: Callable[[], T]) -> T:
        """Run what takes long and has time: the screen comes first; the weights of the units are for the rest."""
        return await asyncio.get_running_loop().run_in_executor(self._slow, call)

    async def watch(self, call: Callable[[], T]) -> T:
        """Run the look whether the index changed, always in the same thread."""
        return await asyncio.get_running_loop().run_in_executor(self._watch, call)

    def close(self) -> None:
        for pool in (self._spool, self._pictures, self._people, self._slow, self._watch):
            pool.shutdown(wait=True, cancel_futures=True)
