"""Keeps the data folder in order: the reserve whole, the index's log with room, and the news of a disk that fails.

A box that stores nothing would not notice that its disk fails: a small file is written every minute.
"""

from gateway.clock import Clock
from gateway.spool.spool import Spool

_PROBE_S = 60.0


class Housekeeping:
    """One step: room for records, the reserve, a probe."""

    def __init__(self, *, spool: Spool, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock
        self._probe = spool.layout.probe("disk")
        self._due_ns = 0

    def step(self) -> bool:
        """Look after the disk. Raises DiskFull or DiskFailed, and then tries at every step until it works."""
        self._spool.reserve.ease()
        self._spool.reserve.renew()
        if self._clock.boottime_ns() >= self._due_ns:
            self._spool.files.probe(self._probe)
            self._due_ns = self._clock.boottime_ns() + int(_PROBE_S * 1e9)
        return False
