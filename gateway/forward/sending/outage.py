"""Tells an object that an archive refuses from an archive that refuses everything. One destination; no I/O.

An object refused for itself gets one more try, then a person. But three different objects refused in a row, with
none taken between them, are the archive's trouble: then nothing is held, and what was held before goes once more
when the archive takes an object again.
"""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType

IN_A_ROW = 3
_NOTHING: Mapping[int, bool] = MappingProxyType({})


class Verdict(Enum):
    """What becomes of an object that was refused for itself."""

    ONCE_MORE = auto()
    HOLD = auto()
    OUTAGE = auto()  # it waits with its destination


class Refusals:
    """What one destination refused since it last took something. Deliveries are named by their id.

    `noted`: the row that had not ended when the process did, delivery -> whether it is held. The rest is in memory
    only: after a restart an object may get one more try than it would have got.
    """

    def __init__(self, noted: Mapping[int, bool] = _NOTHING) -> None:
        self._in_a_row = set(noted)
        self._tried_once: set[int] = set()
        self._held = [delivery for delivery, held in noted.items() if held]
        self._let_go: set[int] = set()  # by the end of an outage; once is enough, else it would never end

    @property
    def begun(self) -> bool:
        """Whether anything was refused since something was taken."""
        return bool(self._in_a_row)

    @property
    def outage(self) -> bool:
        return len(self._in_a_row) >= IN_A_ROW

    def refused(self, delivery: int) -> Verdict:
        """Note a refusal and say what follows."""
        self._in_a_row.add(delivery)
        if self.outage:
            return Verdict.OUTAGE
        if delivery not in self._tried_once:
            self._tried_once.add(delivery)
            return Verdict.ONCE_MORE
        self._tried_once.discard(delivery)
        if delivery not in self._let_go:
            self._held.append(delivery)
        return Verdict.HOLD

    def taken(self, delivery: int) -> list[int]:
        """Note that an object was taken; return the held ones that the end of an outage lets go."""
        again = self._held if self.outage else []
        self._let_go.update(again)
        self._let_go.discard(delivery)
        self._tried_once.discard(delivery)
        self._in_a_row.clear()
        self._held = []
        return again
