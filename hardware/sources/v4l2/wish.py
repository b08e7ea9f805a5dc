"""What the configuration asks of a grabber. Empty values ask for nothing: the source then chooses."""

from dataclasses import dataclass

STANDARDS = ("auto", "PAL", "NTSC", "SECAM", "PAL-M", "PAL-N", "PAL-60", "NTSC-443")
FORMATS = (
    *("YUYV", "UYVY", "YVYU", "VYUY", "NV12", "NV21", "YU12", "YV12"),
    *("RGB3", "BGR3", "XR24", "XB24", "BGR4", "RGB4", "MJPEG", "JPEG", "GREY"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    input: str = ""  # its name or number
    standard: str = "auto"  # of an analog input: a word of `inputs.STANDARDS`, or what the signal shows
    size: tuple[int, int] | None = None  # columns, lines
    rate: int = 0  # pictures a second
    formats: tuple[str, ...] = ()  # words of `layouts.ORDER`, the best first
