"""Device profiles: what is known of one kind of device, as data. One TOML file each; the errors name file and key.

A profile says what the device cannot say itself: how its picture lies in the delivered one, which colours it means,
how late it comes. docs/devices.md lists the keys.
"""

import base64
import binascii
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from hardware.colour import MATRICES
from hardware.errors import DeviceRefused, ProfileBroken
from hardware.looks import CARD_BYTES
from hardware.sources import Scan
from hardware.sources.v4l2.wish import FORMATS, STANDARDS, Wish
from hardware.views import Box, View
from hardware.views.shape import TURNS

_HERE = Path(__file__).parent
LONGEST_DELAY_MS = 1000
_LARGEST = 16_384
_ODDEST = Fraction(1, 4)  # pixel
_FASTEST = 240  # pictures a second
_MOST = 64  # of anything: each mask is drawn in every picture
_RANGES = {"limited": False, "full": True}
_FIELDS = {"progressive": Scan.PROGRESSIVE, "top-first": Scan.TOP_FIRST, "bottom-first": Scan.BOTTOM_FIRST}


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One kind of device.

    `input_delay_ms`: from the scanner's screen to the grabber's time stamp; `card`: what the device shows without
    signal, as `hardware.looks.card_of` returns it.
    """

    title: str = ""
    view: View = field(default_factory=View)
    wish: Wish = field(default_factory=Wish)
    input_delay_ms: int = 0
    card: bytes = b""


def names() -> list[str]:
    """Return the profiles that come with the product."""
    return sorted(path.stem for path in _HERE.glob("*.toml"))


def text_of(name: str) -> str:
    """Return the file of a profile that comes with the product, to begin another one with."""
    return (_HERE / f"{name}.toml").read_text("utf-8")


def load(name: str) -> Profile:
    """Return the profile of that name, or of the file that ends in ".toml"; "" is a device that says all itself.

    Raises ProfileBroken with every problem, DeviceRefused when there is no such profile.
    """
    if not name:
        return Profile()
    path = Path(name) if name.endswith(".toml") else _HERE / f"{name}.toml"
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise DeviceRefused(f"There is no device profile {name!r}: there are {', '.join(names())}.") from error
    except (OSError, ValueError, RecursionError) as error:  # a TOMLDecodeError is a ValueError
        raise ProfileBroken(path, [f"it cannot be read ({error})"]) from error
    return _Reader(raw).profile(path)


class Unfit(Exception):
    """A value is not what its key takes."""


class _Reader:
    """Takes one file's values apart and collects what is wrong with them."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self._problems: list[str] = []
        self._known: set[str] = set()

    def profile(self, path: Path) -> Profile:
        size = self._take("size", _pair, None)
        crop, masks = self._take("crop", _box, None), self._take("masks", _several(_box), ())
        view = View(
            size=size,
            deinterlace=self._take("deinterlace", _flag, True),
            clip_fields=self._take("clip_fields", _one_of("both", "one"), "both"),
            crop=crop,
            masks=masks,
            turn=self._take("turn", _one_of(*TURNS), 0),
            mirror=self._take("mirror", _flag, False),
            scan=self._take("scan", _word(_FIELDS), None),
            pixel_aspect=self._take("pixel_aspect", _ratio, None),
            matrix=self._take("matrix", _one_of(*MATRICES), None),
            full_range=self._take("range", _word(_RANGES), None),
        )
        wish = Wish(
            input=self._take("input", _text, ""),
            standard=self._take("standard", _one_of(*STANDARDS), "auto"),
            size=size,
            rate=self._take("rate", _number(0, _FASTEST), 0),
            formats=self._take("formats", _several(_one_of(*FORMATS)), ()),
        )
        title = self._take("title", _text, "")
        delay = self._take("input_delay_ms", _number(0, LONGEST_DELAY_MS), 0)
        card = self._take("no_signal_picture", _card, b"")
        self._boxes_fit(view)
        self._problems += [f"{key} is no key of a profile" for key in self._raw if key not in self._known]
        if self._problems:
            raise ProfileBroken(path, self._problems)
        return Profile(title=title, view=view, wish=wish, input_delay_ms=delay, card=card)

    def _take(self, key: str, check: Callable[[Any], Any], default: Any) -> Any:  # noqa: ANN401 - TOML's values
        self._known.add(key)
        if key not in self._raw:
            return default
        try:
            return check(self._raw[key])
        except Unfit as error:
            self._problems.append(f"{key} {error}")
            return default

    def _boxes_fit(self, view: View) -> None:
        if (view.crop or view.masks) and not view.size:
            self._problems.append("crop and masks need the size that they are for")
        elif view.crop and view.size and not view.crop.inside(*view.size):
            self._problems.append("crop does not lie inside the size")
        elif view.size and any(mask.x >= view.size[0] or mask.y >= view.size[1] for mask in view.masks):
            self._problems.append("masks lie outside the size")


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit("must be true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unfit("must be a text")
    return value


def _number(least: int, most: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Unfit(f"must be a whole number from {least} to {most}")
        return value

    return check


def _numbers(value: object, count: int, least: int) -> list[int]:
    if not isinstance(value, list) or len(value) != count:
        raise Unfit(f"must be a list of {count} numbers")
    return [_number(least, _LARGEST)(each) for each in value]


def _pair(value: object) -> tuple[int, int]:
    width, height = _numbers(value, 2, 1)
    return width, height


def _ratio(value: object) -> Fraction:
    found = Fraction(*_numbers(value, 2, 1))
    if not _ODDEST <= found <= 1 / _ODDEST:
        raise Unfit("must be a pixel that is at most four times as long as wide, or as wide as long")
    return found


def _box(value: object) -> Box:
    x, y, width, height = _numbers(value, 4, 0)
    if not (width and height):
        raise Unfit("must have a width and a height")
    return Box(x=x, y=y, width=width, height=height)


def _several(check: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    def checked(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > _MOST:
            raise Unfit(f"must be a list of at most {_MOST}")
        return tuple(map(check, value))

    return checked


def _card(value: object) -> bytes:
    try:
        card = base64.b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unfit("is not as it was written by the product") from error
    if len(card) != CARD_BYTES:
        raise Unfit("is not as it was written by the product")
    return card


def _one_of(*allowed: str | int) -> Callable[[object], str | int]:
    def check(value: object) -> str | int:
        if value not in allowed or isinstance(value, bool):
            raise Unfit(f"must be one of {', '.join(map(str, allowed))}")
        return next(each for each in allowed if each == value)

    return check


def _word(meanings: Mapping[str, Any]) -> Callable[[object], Any]:
    return lambda value: meanings[str(_one_of(*meanings)(value))]
