"""The start of a process on a disk that is full or fails: tried again until it succeeds, and said meanwhile."""

import logging
from collections.abc import Callable
from typing import TypeVar

from gateway.errors import DiskFailed, DiskFull, SpoolBusy, SpoolError
from gateway.log import event, warn

T = TypeVar("T")

_log = logging.getLogger(__name__)
_AGAIN_S = 1.0


def insist(
    begin: Callable[[], T],
    *,
    stopped: Callable[[], bool],
    say: Callable[[SpoolError], None],
    wait: Callable[[float], object],
) -> T | None:
    """Return what `begin` returns, trying again while the disk refuses; None when `stopped` before.

    `say` gets the reason after every try, `wait` the seconds until the next.
    """
    told = ""
    while not stopped():
        try:
            begun = begin()
        except (DiskFull, DiskFailed, SpoolBusy) as error:
            if told != error.code:
                warn(_log, "start_waits", code=error.code)
            told = error.code
            say(error)
        else:
            if told:
                event(_log, "start_goes_on")
            return begun
        wait(_AGAIN_S)
    return None
