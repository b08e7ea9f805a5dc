"""What the configuration asks of a grabber. Empty values ask for nothing: the source then chooses."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    input: str = ""  # its name or number
    standard: str = "auto"  # of an analog input: a word of `inputs.STANDARDS`, or what the signal shows
    size: tuple[int, int] | None = None  # columns, lines
    rate: int = 0  # pictures a second
    formats: tuple[str, ...] = ()  # words of `layouts.ORDER`, the best first
