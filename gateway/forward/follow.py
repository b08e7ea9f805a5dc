"""Repeats a step whenever the database changed. A disk that is full or fails makes it wait, not die.

A damaged index is not waited out: the thread dies, and the process's next start makes a new one.
"""

import logging
import threading
from collections.abc import Callable

from gateway.clock import Clock
from gateway.errors import DiskFailed, DiskFull, NotFound, SpoolBusy
from gateway.log import event, warn
from gateway.spool.database import Database

_log = logging.getLogger(__name__)
_LOOK_S = 0.25  # between two looks at PRAGMA data_version
_IDLE_S = 2.0  # a step is made at least so often: what waits for a time does not change the database
_TROUBLED_S = 5.0  # before the next try on a disk that is full or failed

Trouble = DiskFull | DiskFailed | SpoolBusy


class Follower:
    """One thread's work. `trouble` is why it gets nowhere at present, or None.

    While `rest` is set no step is begun; `busy` says whether one is being made.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], bool],
        *,
        database: Database,
        clock: Clock,
        stop: threading.Event,
        rest: threading.Event | None = None,
    ) -> None:
        self._name = name
        self._step = step
        self._database = database
        self._clock = clock
        self._stop = stop
        self._rest = rest or stop
        self.busy = False
        self._seen = -1
        self._due_ns = 0
        self.trouble: Trouble | None = None

    def run(self) -> None:
        """Work until stopped. For a supervised thread."""
        while not self._stop.is_set():
            self.turn()
            self._clock.wait(self._stop, _LOOK_S)

    def turn(self) -> None:
        """Take steps while there is more to do, if the database changed or it is time."""
        self.busy = True  # before `rest` is looked at: who set it then sees this
        try:
            if not self._rest.is_set() and self._is_time():
                while not self._rest.is_set() and self._step():
                    pass
                self._wait(_IDLE_S)
                self._note(None)
        except (DiskFull, DiskFailed, SpoolBusy) as error:
            self._wait(_TROUBLED_S)
            self._note(error)
        except NotFound as error:  # an exam was erased under this step; the next one does not find it
            warn(_log, "work_vanished", thread=self._name, code=error.code)
            self._wait(_IDLE_S)
        finally:
            self.busy = False

    def _is_time(self) -> bool:
        overdue = self._clock.boottime_ns() >= self._due_ns
        if self.trouble is not None:
            return overdue
        seen, self._seen = self._seen, self._database.version()  # before the step: it may miss what comes during it
        return overdue or seen != self._seen

    def _wait(self, seconds: float) -> None:
        self._due_ns = self._clock.boottime_ns() + int(seconds * 1e9)

    def _note(self, error: Trouble | None) -> None:
        code = error.code if error else ""
        if code != (self.trouble.code if self.trouble else ""):
            if error:
                warn(_log, "work_paused", thread=self._name, code=code)
            else:
                event(_log, "work_goes_on", thread=self._name)
        self.trouble = error
