"""What the configuration asks of a grabber. Empty values ask for nothing: the source then chooses.

The words for standards stand in `analog` once more, whose tables of linuxpy a profile is read without.
"""

from dataclasses import dataclass

from hardware.sources.v4l2.layouts import ORDER

STANDARDS = ("auto", "PAL", "NTSC", "SECAM", "PAL-M", "PAL-N", "PAL-60", "NTSC-443")
FORMATS = tuple(ORDER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is asked of one grabber, by the configuration or by the profile of its kind."""

    input: str = ""  # its name or number
    standard: str = "auto"  # of an analog input: a word of `analog.STANDARDS`, or what the signal shows
    size: tuple[int, int] | None = None  # columns, lines
    rate: int = 0  # pictures a second
    formats: tuple[str, ...] = ()  # words of FORMATS, the best first
