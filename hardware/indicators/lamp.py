"""What one lamp shows: that a press was seen, and each answer as a pattern of its own. Policy; switches nothing."""

from collections.abc import Callable, Sequence
from typing import Protocol

from hardware.indicators import PRESSED, Answer, Cue

# Seconds lit, dark, lit, dark ...; after the last one it is dark.
PATTERNS: dict[Cue, tuple[float, ...]] = {
    PRESSED: (6.0,),  # until the answer, which comes within 5 s
    Answer.STORED: (0.6,),
    Answer.CLIP_STARTED: (0.15, 0.15, 0.6),  # short, long
    Answer.CLIP_STOPPED: (0.6, 0.15, 0.15),  # long, short
    Answer.NOT_STORED: (0.1, 0.1) * 15,  # flickers for 3 s
}
REFRESH_S = 0.5  # the lamp is set anew that often: another program that opens its port may have switched it


class Switch(Protocol):
    """What a lamp hangs on. Each method may raise DeviceMissing or DeviceRefused."""

    def open(self) -> None:
        """Make ready, dark."""

    def set(self, on: bool) -> None:  # noqa: FBT001 - a lamp is on or off
        """Switch the lamp."""

    def close(self) -> None:
        """Switch it off and let go; harmless when it is not open."""


class Lamp:
    """Shows the newest cue at once. "Not stored" gives way to a new press only: it must be seen."""

    def __init__(self, *, switch: Switch, clock_ns: Callable[[], int]) -> None:
        self._switch = switch
        self._clock_ns = clock_ns
        self._cue: Cue = ""
        self._since_ns = 0

    def open(self) -> None:
        self._cue = ""
        self._switch.open()

    def perform(self, cues: list[Cue]) -> float:
        now = self._clock_ns()
        for cue in cues:
            if cue not in PATTERNS:
                continue  # it is heard and read: in the lamp it would cover up an answer
            if cue not in (Answer.NOT_STORED, PRESSED) and self._refusing(now):
                continue
            self._cue, self._since_ns = cue, now
        lit, left = _at(PATTERNS.get(self._cue, ()), (now - self._since_ns) / 1e9)
        self._switch.set(lit)
        return min(left, REFRESH_S)

    def close(self) -> None:
        self._switch.close()

    def _refusing(self, now: int) -> bool:
        return self._cue == Answer.NOT_STORED and now - self._since_ns < sum(PATTERNS[Answer.NOT_STORED]) * 1e9


def _at(pattern: Sequence[float], age: float) -> tuple[bool, float]:
    """Return whether a lamp is lit so many seconds into a pattern, and how long that lasts."""
    for number, seconds in enumerate(pattern):
        if age < seconds:
            return number % 2 == 0, seconds - age
        age -= seconds
    return False, REFRESH_S
