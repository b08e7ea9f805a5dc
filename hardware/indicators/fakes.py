"""Lamps and sound cards for tests: they remember what they did, are slow, hang, and are unplugged."""

from collections.abc import Callable

from hardware.errors import DeviceMissing
from hardware.indicators import Answer, Cue
from hardware.indicators.sounds import seconds_of


class Recorded:
    """All lamps and loudspeakers together: remembers every answer and counts the presses."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.presses = 0
        self.warnings = 0

    def pressed(self) -> None:
        self.presses += 1

    def show(self, answer: Answer) -> None:
        self.answers.append(answer)

    def ends_soon(self) -> None:
        self.warnings += 1


class FakeOutput:
    """Remembers every cue that reached it. plugged: whether it can be opened and used."""

    def __init__(self) -> None:
        self.cues: list[Cue] = []
        self.plugged = True
        self.opened = self.closed = 0

    def open(self) -> None:
        self._check()
        self.opened += 1

    def perform(self, cues: list[Cue]) -> float:
        self._check()
        self.cues += cues
        return 0.5

    def close(self) -> None:
        self.closed += 1

    def _check(self) -> None:
        if not self.plugged:
            raise DeviceMissing("The lamp was unplugged.")


class FakeSwitch:
    """A lamp that remembers each change with its time. slow_s: how long each switching takes."""

    def __init__(self, *, clock_ns: Callable[[], int], wait: Callable[[float], None], slow_s: float = 0.0) -> None:
        self._clock_ns = clock_ns
        self._wait = wait
        self._slow_s = slow_s
        self.plugged = True
        self.lit = False
        self.changes: list[tuple[int, bool]] = []  # ns, lit
        self.opened = 0

    def open(self) -> None:
        self._check()
        self.opened += 1
        self._become(on=False)

    def set(self, on: bool) -> None:  # noqa: FBT001 - a lamp is on or off
        self._check()
        self._wait(self._slow_s)
        self._become(on=on)

    def close(self) -> None:
        self._become(on=False)

    def _become(self, *, on: bool) -> None:
        if on != self.lit:
            self.lit = on
            self.changes.append((self._clock_ns(), on))

    def _check(self) -> None:
        if not self.plugged:
            raise DeviceMissing("The lamp was unplugged.")


class FakePlayer:
    """A sound card that remembers what it played and when. hangs: it never comes to an end."""

    def __init__(self, *, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._until_ns = 0
        self.plugged = True
        self.hangs = False
        self.played: list[tuple[int, bytes]] = []

    def start(self, wav: bytes) -> None:
        self.played.append((self._clock_ns(), wav))
        self._until_ns = self._clock_ns() + round(seconds_of(wav) * 1e9)

    def playing(self) -> bool:
        if not self.plugged:
            raise DeviceMissing("There is no sound card.")
        return self.hangs or self._clock_ns() < self._until_ns

    def stop(self) -> None:
        self._until_ns = 0
