"""One limit around a whole call: libraries' own limits start anew with every message or byte."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def deadline(seconds: float, expire: Callable[[], None]) -> Iterator[None]:
    """Call `expire`, in another thread, when the block takes longer than `seconds`."""
    timer = threading.Timer(seconds, expire)
    timer.name = "network-deadline"
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
