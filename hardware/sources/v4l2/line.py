"""What is plugged into a grabber: one of its inputs, and what arrives there."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One input. `port`: its number among the digital ones, which the driver's power bits use."""

    index: int
    name: str
    standards: int  # bits; 0: not an analog one
    has_timings: bool
    port: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What arrives: of analog video the standard, of digital video the timings, of a camera neither."""

    input: Input | None = None
    standard: int = 0
    size: tuple[int, int] | None = None  # of the whole picture, both fields
    lines: int = 0  # of the standard, 525 or 625
    interlaced: bool = False
    rate: Fraction | None = None  # pictures a second
    pixel_aspect: Fraction | None = None  # as digital timings say it
