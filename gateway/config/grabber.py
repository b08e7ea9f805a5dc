"""What the configuration may ask of a grabber: where it is plugged in, its input, standard, size and formats.

The words are those of hardware/sources/v4l2, which this part of the product must not know; a test compares them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.config import forms
from gateway.config.forms import Form, Shaped
from gateway.config.values import Check, Wrong, one_of, several, shown, words_of

KEYS = ("input", "standard", "size", "rate", "format")  # of [[source]], for v4l2: alone
STANDARDS = ("auto", "PAL", "NTSC", "SECAM", "PAL-M", "PAL-N", "PAL-60", "NTSC-443")
FORMATS = (
    *("YUYV", "UYVY", "YVYU", "VYUY", "NV12", "NV21", "YU12", "YV12"),
    *("RGB3", "BGR3", "XR24", "XB24", "BGR4", "RGB4", "MJPEG", "JPEG", "GREY"),
)
OF_PROFILES = (  # what a device profile says, and no [[source]]
    *("deinterlace", "clip_fields", "masks", "turn", "mirror", "scan", "pixel_aspect", "matrix", "range"),
    *("input_delay_ms", "no_signal_picture"),
)
_USB = re.compile(r"usb:\d+-\d+(\.\d+)*(:[0-9a-f]{4}:[0-9a-f]{4})?")
_MOVES = re.compile(r"v4l2:/dev/video\d+")
_LARGEST = 16_384


def where(words: str) -> str:
    """Check what follows "v4l2:"."""
    if _USB.fullmatch(words.lower()):
        return words.lower()
    if not words.startswith("/") or "\0" in words:
        raise Wrong(
            'must be "v4l2:/dev/v4l/by-path/...", "v4l2:usb:1-1.4" or "v4l2:usb:1-1.4:534d:2109" (port, vendor, '
            f'product), or "v4l2:/dev/video0", not {shown(f"v4l2:{words}")}'
        )
    return words


def may_move(device: str) -> bool:
    """Say whether this names whatever device is there, rather than a place to plug one in."""
    return bool(_MOVES.fullmatch(device))


def input_name(value: object) -> str:
    words = words_of(value).strip()
    if len(words) > 31 or not words.isprintable():  # noqa: PLR2004 - V4L2's longest
        raise Wrong(f'must be the name or the number of an input, such as "S-Video" or "1", not {shown(value)}')
    return words


def _size(value: object) -> tuple[int, int]:
    """Check columns and lines."""
    if isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value):  # noqa: PLR2004 - both
        width, height = value
        if 16 <= width <= _LARGEST and 16 <= height <= _LARGEST:  # noqa: PLR2004 - smaller is no picture
            return width, height
    raise Wrong(f"must be [columns, lines], such as [1920, 1080], not {shown(value)}")


size: Check = Shaped(form=Form(kind=forms.NUMBERS, count=2, high=_LARGEST), check=_size)
standard: Check = one_of(*STANDARDS)
formats: Check = several(one_of(*FORMATS))


def misplaced(good: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[str]:
    """Return the keys of a [[source]] that is no grabber and has what only a grabber can do."""
    device = good.get("device")
    if isinstance(device, str) and not device.startswith("v4l2:"):
        yield from (key for key in KEYS if key in raw)
