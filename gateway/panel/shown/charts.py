"""Small charts as SVG, drawn here: bars and a line, told apart without colour. Every number stands in text as well.

Widths and heights are in the units of the drawing's own box; texts are HTML beside it, so that they are translated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDE, HIGH = 600, 150
_GAP = 12
_LEAST = 3  # of a bar that is not nothing: it can be seen


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bar: where it stands and how high it is, in units from the top left."""

    x: float
    y: float
    width: float
    height: float
    value: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line through points, and the area under it."""

    points: str
    area: str


def bars(values: Sequence[int]) -> list[Bar]:
    """Return one bar a value, the largest as high as the drawing."""
    most = max([*values, 1])
    width = (WIDE - _GAP * (len(values) - 1)) / len(values)
    found = []
    for at, value in enumerate(values):
        height = max(_LEAST, value / most * HIGH) if value else 0.0
        x, y = round(at * (width + _GAP), 1), round(HIGH - height, 1)
        found.append(Bar(x=x, y=y, width=round(width, 1), height=round(height, 1), value=value))
    return found


def falling(start: float, *, per_step: float, steps: int) -> Line:
    """Return a line from `start`, a part of the whole, that loses `per_step` a step until nothing is left."""
    lasts = min(steps, start / per_step) if per_step > 0 else steps
    x, first, last = round(lasts / steps * WIDE, 1), _height(start), _height(start - per_step * lasts)
    points = f"0,{first} {x},{last}" + (f" {WIDE},{last}" if x < WIDE else "")
    return Line(points=points, area=f"0,{HIGH} {points} {WIDE},{HIGH}")


def _height(part: float) -> float:
    return round(HIGH - max(0.0, min(1.0, part)) * HIGH, 1)
