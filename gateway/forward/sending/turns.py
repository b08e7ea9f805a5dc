"""Whose turn it is at one destination: today's exams first, yet nothing waits for ever. No I/O.

Three exams of today, then one of the backlog; three more, then one of those that were set back. A turn that finds
its own line empty goes to the others, so that no turn is lost.
"""

from datetime import UTC

from gateway.clock import Moment
from gateway.spool.queue.deliveries import Line

_ROUND = (Line.TODAY, Line.TODAY, Line.TODAY, Line.BACKLOG, Line.TODAY, Line.TODAY, Line.TODAY, Line.SET_BACK)
MOST_BYTES = 50_000_000  # of one exam at a turn: then the stills of others need not wait for all of its clips


class Turns:
    """`line` is whose turn it is, `passed_over` the exam that comes after the others this time, or ""."""

    def __init__(self) -> None:
        self._taken = 0
        self._suspect = ""  # the exam for which the destination could not be opened
        self._worked_since = False
        self.passed_over = ""

    @property
    def line(self) -> Line:
        return _ROUND[self._taken % len(_ROUND)]

    def took(self, exam: str, *, interrupted: bool) -> None:
        """Note that the destination was open for an exam; `interrupted`: it has more, but others come first."""
        self._taken += 1
        self.passed_over = exam if interrupted else ""
        if exam == self._suspect:
            self._suspect = ""
        elif self._suspect:
            self._worked_since = True

    def failed(self, exam: str) -> bool:
        """Note that the destination could not be opened for an exam; True when the exam is to blame.

        Another exam is tried next. To blame is who failed before and after another one that succeeded.
        """
        blame = exam == self._suspect and self._worked_since
        self._suspect, self._worked_since, self.passed_over = exam, False, exam
        return blame


def today_ns(now: Moment) -> int:
    """Return when the local day began, UTC ns. A wrong clock changes the order, nothing else."""
    midnight = now.local.replace(hour=0, minute=0, second=0, microsecond=0)
    return int(midnight.astimezone(UTC).timestamp() * 1e9)
