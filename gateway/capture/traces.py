"""Takes what erased exams left in the index out of it, once the box has been at rest for a while.

The index is written anew for that, and nobody can open an exam so long: it waits until no patient is near.
"""

import logging
from collections.abc import Callable

from gateway.errors import SpoolError
from gateway.log import warn
from gateway.spool.erasure import erased
from gateway.spool.files import locked
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
REST_S = 600.0  # without an open exam; between two tries it is twice as long each time


class Traces:
    """Looks now and then. `rests`: whether no exam is open, and nothing is being stored."""

    def __init__(self, spool: Spool, rests: Callable[[], bool]) -> None:
        self._spool = spool
        self._rests = rests
        self._since_ns: int | None = None  # of the rest, or of the last try in it
        self._pause_s = REST_S

    def step(self) -> None:
        """Try when it is time; what fails is tried again."""
        try:
            self._step()
        except SpoolError as error:
            warn(_log, "traces_left", code=error.code)

    def _step(self) -> None:
        now_ns = self._spool.clock.boottime_ns()
        if not self._rests():
            self._since_ns, self._pause_s = None, REST_S
        elif self._since_ns is None:
            self._since_ns = now_ns
        elif now_ns - self._since_ns >= self._pause_s * 1e9 and erased.unfinished(self._spool):
            self._since_ns, self._pause_s = now_ns, 2 * self._pause_s  # the whole index is written each time
            with locked(self._spool.layout.migration_lock):
                erased.take_up(self._spool)
