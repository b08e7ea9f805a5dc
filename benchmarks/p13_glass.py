"""P13 to P15: what a technician waits for at the screen, against what was promised; a browser before a whole box.

P13: a touch until the screen shows it (Event Timing, 8 ms steps), P13b with a processor four times slower; P13c
until the tick of a stored picture; P14: opening the live screen, with a processor four times slower; P14b: the live
screen of a box that starts; P15: how old a live picture is when it is drawn.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.glass import Glass, glass, p95
from benchmarks.harness import Bar, NotHere, Pair

_PRESSES = 40
_WATCHED_S = 4.0
_LEAST_RATE = 25


def _measuring(
    wanted_ms: float, measure: Callable[[Glass], float], *, slower: int = 1
) -> Callable[[Path], AbstractContextManager[Pair]]:
    @contextmanager
    def pair(folder: Path) -> Iterator[Pair]:
        with glass(folder) as seen:
            seen.throttle(slower)
            seen.open()
            yield Pair(ours=lambda: measure(seen), theirs=lambda: wanted_ms)

    return pair


def _shown(seen: Glass) -> float:
    seen.press(_PRESSES)
    seen.measured("stored")
    # What was shown within 16 ms is not listed.
    durations = seen.measured("touches")
    return p95([*durations, *[16.0] * (_PRESSES - len(durations))])


def _stored(seen: Glass) -> float:
    seen.press(_PRESSES)
    return p95(seen.measured("stored"))


def _opened(seen: Glass) -> float:
    return seen.open()


def _opened_after_a_start(seen: Glass) -> float:
    seen.restart()
    return seen.open()


def _age(seen: Glass) -> float:
    seen.measured("drawn")
    time.sleep(_WATCHED_S)
    drawn = seen.measured("drawn")
    if len(drawn) < _LEAST_RATE:
        raise NotHere("hardly a picture is drawn: this machine is too busy")
    rate = (len(drawn) - 1) / (drawn[-1][0] - drawn[0][0]) * 1000
    if rate < _LEAST_RATE - 1:
        raise NotHere(f"only {rate:.1f} pictures a second are drawn: this machine is too busy")
    return p95([age for _, age in drawn])


BARS = (
    Bar(
        name="P13",
        what="p95 of a touch on Capture until the screen shows it / 100 ms",
        ours="ms",
        theirs="ms promised",
        pair=_measuring(100, _shown),
        at_most=1,
        rounds=5,
    ),
    Bar(
        name="P13b",
        what="the same with a processor four times slower / 150 ms",
        ours="ms",
        theirs="ms promised",
        pair=_measuring(150, _shown, slower=4),
        at_most=1,
        rounds=5,
    ),
    Bar(
        name="P13c",
        what="p95 of a touch on Capture until the tick of a stored picture / 500 ms",
        ours="ms",
        theirs="ms promised",
        pair=_measuring(500, _stored),
        at_most=1,
        rounds=5,
        needs_disk=True,
    ),
    Bar(
        name="P14",
        what="opening the live screen with a processor four times slower / 1.5 s",
        ours="ms",
        theirs="ms promised",
        pair=_measuring(1500, _opened, slower=4),
        at_most=1,
        rounds=7,
    ),
    Bar(
        name="P14b",
        what="from the first answer of a box that starts until its live screen can be used / 3 s",
        ours="ms",
        theirs="ms promised",
        pair=_measuring(3000, _opened_after_a_start),
        at_most=1,
        rounds=5,
    ),
    Bar(
        name="P15",
        what="p95 of the age of a live picture when it is drawn / 60 ms (25 a second or more)",
        ours="ms",
        theirs="ms promised",
        pair=_measuring(60, _age),
        at_most=1,
        rounds=5,
    ),
)
