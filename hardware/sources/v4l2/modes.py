"""The mode of a grabber: set, read back, and proved before the first picture is believed."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from linuxpy.video import raw

from hardware.errors import DeviceRefused
from hardware.sources import Scan
from hardware.sources.v4l2 import colours, offers
from hardware.sources.v4l2.calls import CAPTURE, Device
from hardware.sources.v4l2.layouts import BY_NUMBER, Kind, Layout
from hardware.sources.v4l2.line import Line
from hardware.sources.v4l2.offers import Offer
from hardware.sources.v4l2.wish import Wish

_RATE_TOLERANCE = Fraction(1, 50)
_LARGEST = 16384  # pixels each way: a driver that says more lies
_ANY = (1920, 1080)
_SD_WIDTH = 720
_SD_HEIGHTS = {525: 480, 625: 576}
_SINGLE = frozenset({raw.Field.ALTERNATE, raw.Field.TOP, raw.Field.BOTTOM})
_SEPARATE = frozenset({raw.Field.ALTERNATE, raw.Field.SEQ_TB, raw.Field.SEQ_BT})


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """How pictures lie in the buffers. `width`, `height`: of one buffer; a field's own, of ALTERNATE."""

    layout: Layout
    width: int
    height: int
    stride: int
    field: int
    lines: int  # of the standard, 0 of others
    matrix: str
    full_range: bool
    pixel_aspect: Fraction
    rate: Fraction | None = None  # as the device says; None when it does not

    @property
    def size(self) -> int:
        """Return the bytes of a whole buffer; 0 when its length tells nothing."""
        return self.layout.size(self.height, self.stride)

    @property
    def scan(self) -> Scan:
        return colours.scan(self.field, self.lines)


def negotiate(device: Device, line: Line, wish: Wish) -> Mode:
    """Bring the device into the best mode that it offers for this line; return the mode that it is proved to be in.

    Raises DeviceRefused when it offers none, or is in another mode than it agreed to.
    """
    refused: list[str] = []
    for offer in _candidates(device, line, wish):
        _crop_nothing(device)
        pix = _set_format(device, offer, line, wish)
        wrong = _wrong(pix, offer, line, wish)
        if wrong:
            refused.append(wrong)
            continue
        rate = _set_rate(device, offer, line, wish)
        pix = _proved(device, pix)
        aspect = _whole_picture(device, pix, line)
        return _mode(device, pix, line, aspect, rate)
    if refused:
        raise DeviceRefused(f"{device.name} agrees to nothing that can be used: {'; '.join(refused[:3])}.")
    raise _nothing_offered(device, wish)


def _nothing_offered(device: Device, wish: Wish) -> DeviceRefused:
    """Return what to say of a device of which nothing can be tried: what it offers instead."""
    sizes = {offer.size for offer in offers.of_camera(device, replace(wish, size=None)) if offer.size}
    if wish.size and sizes:
        offered = ", ".join(f"{width} x {height}" for width, height in sorted(sizes, reverse=True))
        return DeviceRefused(f"{device.name} has no size {wish.size[0]} x {wish.size[1]}. It has: {offered}.")
    offered = ", ".join(offers.names(device)) or "none"
    wanted = f" of {' or '.join(wish.formats)}" if wish.formats else ""
    return DeviceRefused(f"{device.name} offers no usable pixel format{wanted}. It offers: {offered}.")


def _candidates(device: Device, line: Line, wish: Wish) -> list[Offer]:
    if line.size is None and not line.standard:
        return offers.of_camera(device, wish)
    return [Offer(layout=layout, size=line.size) for layout in offers.layouts(device, wish)]


def _asked_size(offer: Offer, line: Line, wish: Wish) -> tuple[int, int]:
    """Return the size to ask for: that of the digital signal, unscaled; of others the wanted one.

    Of a device that takes any it is the largest usual one.
    """
    if line.size or wish.size:
        return line.size or wish.size or _ANY
    if line.lines:
        return _SD_WIDTH, _SD_HEIGHTS[line.lines]
    return offer.size or _ANY


def _set_format(device: Device, offer: Offer, line: Line, wish: Wish) -> Any:  # noqa: ANN401 - a v4l2_pix_format
    """Return what the device answers. One that gives each field by itself is asked for a field's height."""
    width, height = _asked_size(offer, line, wish)
    field = raw.Field.INTERLACED if line.interlaced else raw.Field.ANY
    for _ in range(2):
        asked = raw.v4l2_format(type=CAPTURE)
        pix = asked.fmt.pix
        pix.width, pix.height, pix.field, pix.pixelformat = width, height, field, offer.layout.number
        device.call(raw.IOC.S_FMT, asked)
        if pix.field not in _SINGLE or pix.height * 2 <= height + 1:
            break
        height, field = height // 2, pix.field
    return pix


def _wrong(pix: Any, offer: Offer, line: Line, wish: Wish) -> str:  # noqa: ANN401 - a v4l2_pix_format
    """Say what is wrong with the format that the device agreed to; nothing when it can be used."""
    asked, layout = _asked_size(offer, line, wish), offer.layout
    height = pix.height * (2 if pix.field in _SINGLE else 1)
    if pix.pixelformat != layout.number:
        return f"it offers {layout.fourcc} and then gives {_code(pix.pixelformat)}"
    if not (0 < pix.width <= _LARGEST and 0 < height <= _LARGEST):
        return f"it gives {layout.fourcc} of {pix.width} x {pix.height}"
    if (pix.width, height) != asked and (wish.size or line.size):
        return f"it gives {pix.width} x {height} in {layout.fourcc} where {asked[0]} x {asked[1]} was asked for"
    if layout.kind is not Kind.JPEG and 0 < pix.bytesperline < layout.stride(pix.width):
        return f"its lines of {layout.fourcc} are shorter than their pixels"
    if layout.kind is Kind.JPEG and pix.field in _SEPARATE:
        return f"it gives the fields of {layout.fourcc} by themselves"
    return ""


def _set_rate(device: Device, offer: Offer, line: Line, wish: Wish) -> Fraction | None:
    """Set the rate of a device that has a choice; return the one that it then says.

    What comes from a scanner has the scanner's rate. Raises DeviceRefused when the configuration names a rate and a
    device with a choice says another one.
    """
    told = device.ask(raw.IOC.G_PARM, raw.v4l2_streamparm(type=CAPTURE))
    if line.rate or told is None:
        return line.rate
    wanted = Fraction(wish.rate) if wish.rate else offer.rate(0)
    if told.parm.capture.capability & raw.Capability.TIMEPERFRAME and wanted:
        told.parm.capture.timeperframe.numerator = wanted.denominator
        told.parm.capture.timeperframe.denominator = wanted.numerator
        device.ask(raw.IOC.S_PARM, told)
        told = device.ask(raw.IOC.G_PARM, raw.v4l2_streamparm(type=CAPTURE)) or told
    interval = told.parm.capture.timeperframe
    rate = Fraction(interval.denominator, interval.numerator) if interval.numerator else None
    if wish.rate and rate and abs(rate - wish.rate) > wish.rate * _RATE_TOLERANCE:
        raise DeviceRefused(
            f"{device.name} gives {float(rate):g} pictures a second where {wish.rate} are configured."
        )
    return rate


def _proved(device: Device, agreed: Any) -> Any:  # noqa: ANN401 - a v4l2_pix_format
    """Return the format as the device says it once more. Raises DeviceRefused when that is another one."""
    found = device.call(raw.IOC.G_FMT, raw.v4l2_format(type=CAPTURE)).fmt.pix
    if (found.width, found.height, found.pixelformat) != (agreed.width, agreed.height, agreed.pixelformat):
        raise DeviceRefused(
            f"{device.name} agreed to {agreed.width} x {agreed.height} in {_code(agreed.pixelformat)} and is set "
            f"to {found.width} x {found.height} in {_code(found.pixelformat)}."
        )
    return found


# --- the whole picture, and nothing beside it -------------------------------------------------------------


def _selection(device: Device, target: int) -> Any:  # noqa: ANN401 - a v4l2_rect, or None
    found = device.ask(raw.IOC.G_SELECTION, raw.v4l2_selection(type=CAPTURE, target=target))
    return None if found is None else found.r


def _crop_nothing(device: Device) -> None:
    """Let the device take the whole of what arrives, whatever another program left it with."""
    whole = _selection(device, raw.SelectionTarget.CROP_DEFAULT)
    if whole is not None:
        device.ask(raw.IOC.S_SELECTION, raw.v4l2_selection(type=CAPTURE, target=raw.SelectionTarget.CROP, r=whole))


def _whole_picture(device: Device, pix: Any, line: Line) -> Fraction | None:  # noqa: ANN401 - a v4l2_pix_format
    """Let the picture fill the buffer; return the shape of a pixel as the driver says it, None when it does not.

    A format that was set earlier, on another input, may leave a rectangle behind: buffers of the right size then
    have a small picture in their corner. Raises DeviceRefused when it stays.
    """
    wanted = raw.v4l2_rect(left=0, top=0, width=pix.width, height=pix.height)
    if _selection(device, raw.SelectionTarget.COMPOSE) is not None:
        asked = raw.v4l2_selection(type=CAPTURE, target=raw.SelectionTarget.COMPOSE, r=wanted)
        device.ask(raw.IOC.S_SELECTION, asked)
        found = _selection(device, raw.SelectionTarget.COMPOSE)
        if found is not None and _sides(found) != _sides(wanted):
            raise DeviceRefused(
                f"{device.name} puts a picture of {found.width} x {found.height} into buffers of {pix.width} x "
                f"{pix.height}: set another size."
            )
        _proved(device, pix)
    crop, whole = (
        _selection(device, target) for target in (raw.SelectionTarget.CROP, raw.SelectionTarget.CROP_DEFAULT)
    )
    if crop is not None and whole is not None and _sides(crop) != _sides(whole):
        raise DeviceRefused(
            f"{device.name} takes {crop.width} x {crop.height} out of {whole.width} x {whole.height}: choose the "
            "size that arrives."
        )
    return _told_aspect(device, pix, crop) if line.lines else None


def _sides(rect: Any) -> tuple[int, int, int, int]:  # noqa: ANN401 - a v4l2_rect
    return rect.left, rect.top, rect.width, rect.height


def _told_aspect(device: Device, pix: Any, crop: Any) -> Fraction | None:  # noqa: ANN401 - a v4l2_pix_format and a v4l2_rect
    """Return the width of a pixel by its height, scaling included; None when the driver says nothing of it."""
    told = device.ask(raw.IOC.CROPCAP, raw.v4l2_cropcap(type=CAPTURE))
    if told is None or not (told.pixelaspect.numerator and told.pixelaspect.denominator):
        return None
    source = crop if crop is not None else told.defrect
    if not (source.width and source.height):
        return None
    # V4L2 gives height by width; a picture scaled to more pixels has narrower ones.
    unscaled = Fraction(told.pixelaspect.denominator, told.pixelaspect.numerator)
    if unscaled == 1:
        return None  # what a driver says that never thought of it
    height = pix.height * (2 if pix.field == raw.Field.ALTERNATE else 1)
    return unscaled * Fraction(source.width, pix.width) / Fraction(source.height, height)


def _mode(device: Device, pix: Any, line: Line, told: Fraction | None, rate: Fraction | None) -> Mode:  # noqa: ANN401 - a v4l2_pix_format
    layout = BY_NUMBER[pix.pixelformat]
    if pix.field in _SEPARATE and pix.height % 2 and pix.field != raw.Field.ALTERNATE:
        raise DeviceRefused(f"{device.name} gives two fields in {pix.height} lines, an odd number.")
    colour = colours.of(pix, layout.format)
    aspect = told or line.pixel_aspect or colours.pixel_aspect(pix.width, line.lines)
    if pix.field in {raw.Field.TOP, raw.Field.BOTTOM} and told is None:
        aspect /= 2  # every other line is missing
    return Mode(
        layout=layout,
        width=pix.width,
        height=pix.height,
        stride=pix.bytesperline or layout.stride(pix.width),
        field=pix.field,
        lines=line.lines,
        matrix=colour.matrix,
        full_range=colour.full_range,
        pixel_aspect=aspect,
        rate=rate,
    )


def _code(number: int) -> str:
    return int(number).to_bytes(4, "little").decode("ascii", "replace")
