"""What a grabber offers: pixel formats, sizes, rates; and what is tried first. Changes nothing in the device."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from linuxpy.video import raw

from hardware.sources.v4l2.calls import CAPTURE, Device
from hardware.sources.v4l2.layouts import ORDER, Layout
from hardware.sources.v4l2.wish import Wish

_USUAL_RATE = 30  # enough for every scanner; twice as many pictures tell nothing more and cost twice the disk
_ENOUGH = Fraction(24)  # a picture format slower than this is taken only when nothing else is offered
_LARGEST = (1920, 1080)  # of what is chosen without being asked


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One format at one size. `size` None: the driver takes what it is asked for. `rates` empty: unknown."""

    layout: Layout
    size: tuple[int, int] | None
    rates: tuple[Fraction, ...] = ()

    def rate(self, wanted: int) -> Fraction | None:
        """Return the offered rate that serves best: the highest up to the wanted one, else the lowest."""
        most = Fraction(wanted or _USUAL_RATE)
        fitting = [rate for rate in self.rates if rate <= most * Fraction(101, 100)]
        return max(fitting) if fitting else min(self.rates, default=None)

    def is_quick(self, wanted: int) -> bool:
        rate = self.rate(wanted)
        return rate is None or rate >= min(_ENOUGH, Fraction(wanted) * Fraction(99, 100) if wanted else _ENOUGH)


def layouts(device: Device, wish: Wish) -> list[Layout]:
    """Return the formats that the device offers and this program knows, the preferred ones first."""
    numbers = [int(each.pixelformat) for each in device.every(raw.IOC.ENUM_FMT, _description)]
    words = wish.formats or tuple(ORDER)
    return [ORDER[word] for word in words if ORDER[word].number in numbers]


def names(device: Device) -> list[str]:
    """Return the names of every format that the device offers, also of those that are of no use."""
    numbers = [int(each.pixelformat) for each in device.every(raw.IOC.ENUM_FMT, _description)]
    known = {layout.number: word for word, layout in ORDER.items()}
    return [known.get(number) or number.to_bytes(4, "little").decode("ascii", "replace") for number in numbers]


def of_camera(device: Device, wish: Wish) -> list[Offer]:
    """Return what can be tried, the best first, of a device that makes pictures of any size it offers."""
    found = [offer for layout in layouts(device, wish) for offer in _sizes(device, layout)]
    if wish.size:
        found = [offer for offer in found if offer.size in {wish.size, None}]
    quick = [offer for offer in found if offer.is_quick(wish.rate)]
    return sorted(quick or found, key=lambda offer: _order(offer, wish, quick=bool(quick)))


def _order(offer: Offer, wish: Wish, *, quick: bool) -> tuple[Fraction | int, ...]:
    width, height = offer.size or wish.size or _LARGEST
    fits = width <= _LARGEST[0] and height <= _LARGEST[1]
    words = wish.formats or tuple(ORDER)
    place = [ORDER[word] for word in words].index(offer.layout)
    area = -width * height if fits else width * height  # of those that are too large the smallest
    slow = 0 if quick else -(offer.rate(wish.rate) or 0)
    return (slow, 0 if fits else 1, area, place)


def _description() -> Any:  # noqa: ANN401 - linuxpy's structures are not typed
    return raw.v4l2_fmtdesc(type=CAPTURE)


def _sizes(device: Device, layout: Layout) -> Iterator[Offer]:
    number = layout.number
    given = False
    for each in device.every(raw.IOC.ENUM_FRAMESIZES, lambda: raw.v4l2_frmsizeenum(pixel_format=number)):
        if each.type != raw.Frmsizetypes.DISCRETE:
            break
        given = True
        size = (int(each.discrete.width), int(each.discrete.height))
        if min(size) > 0:
            yield Offer(layout=layout, size=size, rates=_rates(device, number, size))
    if not given:
        yield Offer(layout=layout, size=None)


def _rates(device: Device, number: int, size: tuple[int, int]) -> tuple[Fraction, ...]:
    def asked() -> Any:  # noqa: ANN401 - linuxpy's structures are not typed
        return raw.v4l2_frmivalenum(pixel_format=number, width=size[0], height=size[1])

    found: set[Fraction] = set()
    for each in device.every(raw.IOC.ENUM_FRAMEINTERVALS, asked):
        if each.type == raw.Frmivaltypes.DISCRETE:
            found |= _as_rate(each.discrete)
            continue
        shortest = _as_rate(each.stepwise.min)
        return tuple(
            sorted({Fraction(_USUAL_RATE), *shortest} if max(shortest, default=0) > _USUAL_RATE else shortest)
        )
    return tuple(sorted(found))


def _as_rate(interval: Any) -> set[Fraction]:  # noqa: ANN401 - a v4l2_fract
    return (
        {Fraction(interval.denominator, interval.numerator)}
        if interval.numerator and interval.denominator
        else set()
    )
