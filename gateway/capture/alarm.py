"""Whether the disk takes what this process gives it: one alarm for all pictures, ended by a write that succeeds."""

import logging

from gateway.errors import DiskFailed, DiskFull, ScopegateError, SpoolError
from gateway.log import event, warn
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)


class Alarm:
    """`trouble` is why the disk refused the last time, None when it took something since."""

    def __init__(self, *, spool: Spool) -> None:
        self._spool = spool
        self._probe = spool.layout.probe("capture")
        self.trouble: SpoolError | None = None

    def note(self, error: ScopegateError | None) -> None:
        """Take note of how a write ended; what is not the disk's fault says nothing about the disk."""
        if error is None:
            if self.trouble:
                event(_log, "disk_works_again")
            self.trouble = None
        elif isinstance(error, DiskFull | DiskFailed):
            if self.trouble is None:
                warn(_log, "disk_refuses", code=error.code)
            self.trouble = error

    def step(self) -> None:
        """While there is trouble, try whether it is over: nobody may press for hours."""
        if self.trouble is None:
            return
        try:
            self._spool.files.probe(self._probe)
        except SpoolError as error:
            self.note(error)
        else:
            self.note(None)
