"""One bar: a ratio of two things measured in turn, its median over rounds, and a verdict only when they agree.

Times of a shared machine mean nothing on their own. So each side is measured right before the other (A B A B),
the ratio is taken inside a round, and the median of the rounds is what counts.
"""

import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

LEAST_ROUNDS = 5
WILD = 0.35  # of the median: with the middle half of the rounds further apart there is no verdict


class NotHere(Exception):
    """This machine lacks what the bar needs; the text says what."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """The two sides of a bar, ready to be measured as often as one likes. Each call returns one measured value."""

    ours: Callable[[], float]
    theirs: Callable[[], float]
    facts: dict[str, str] = field(default_factory=dict)  # what was measured, for the reader


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """What is measured, what it is divided by, and where the bar lies. Without a bar it is only printed."""

    name: str
    what: str
    ours: str  # the words for the two sides, each with its unit
    theirs: str
    pair: Callable[[Path], AbstractContextManager[Pair]]
    at_most: float | None = None
    at_least: float | None = None
    stretch: float | None = None
    rounds: int = 7
    turns: int = 1  # A B alternations in a round; the median of each side counts
    needs_disk: bool = False  # flushing is part of what is measured

    def __post_init__(self) -> None:
        assert self.rounds >= LEAST_ROUNDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """The medians of one round."""

    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What came out of one bar."""

    bar: Bar
    rounds: tuple[Round, ...]
    facts: dict[str, str]

    @property
    def ratios(self) -> tuple[float, ...]:
        return tuple(each.ratio for each in self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    @property
    def spread(self) -> float:
        """Return how far the middle half of the rounds lies apart, as a part of the median."""
        lower, _, upper = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return (upper - lower) / self.median

    @property
    def verdict(self) -> str:
        """Return "held", "missed", "stretch held", "no verdict" or, without a bar, ""."""
        bar = self.bar
        if bar.at_most is None and bar.at_least is None:
            return ""
        if self.spread > WILD:
            return "no verdict"
        if not _reached(self.median, bar.at_most, bar.at_least):
            return "missed"
        if bar.stretch is None:
            return "held"
        limits = (bar.stretch, None) if bar.at_most is not None else (None, bar.stretch)
        return "stretch held" if _reached(self.median, *limits) else "held"


def measure(bar: Bar, folder: Path, *, rounds: int = 0) -> Result:
    """Measure one bar in an empty folder. Raises NotHere. The first round warms up and is thrown away."""
    with bar.pair(folder) as pair:
        _round(bar, pair)
        done = tuple(_round(bar, pair) for _ in range(max(rounds or bar.rounds, LEAST_ROUNDS)))
        return Result(bar=bar, rounds=done, facts=dict(pair.facts))


def _round(bar: Bar, pair: Pair) -> Round:
    ours, theirs = [], []
    for _ in range(bar.turns):
        ours.append(pair.ours())
        theirs.append(pair.theirs())
    return Round(ours=statistics.median(ours), theirs=statistics.median(theirs))


def _reached(value: float, at_most: float | None, at_least: float | None) -> bool:
    return (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
