"""The box's own listener, serving in a thread for as long as a test wants."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway.config.settings import Address
from gateway.net.listener import Listener
from gateway.net.peers import Timeouts


@contextmanager
def listening(*, host: str = "127.0.0.1", **more: Any) -> Iterator[Listener]:
    """Listen on a free port as SCOPEGATE, to PACS at this machine unless other `callers` are given."""
    words = {"callers": (("PACS", "127.0.0.1"),), "timeouts": Timeouts(negotiate=0.5, stall=0.5), **more}
    listener = Listener(Address(host=host, port=0), ae_title="SCOPEGATE", **words)
    listener.open()
    stop = threading.Event()
    thread = threading.Thread(target=listener.serve, args=(stop,), name="listener")
    thread.start()
    try:
        yield listener
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()
