"""What is plugged into a grabber: input, standard, digital timings, and why there is no signal."""

import ctypes
import errno
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from linuxpy.video import raw

from hardware.errors import DeviceRefused
from hardware.sources import Loss
from hardware.sources.v4l2.calls import Device, text

# Sets of bits as videodev2.h forms them, by the words of the configuration, in the order in which a signal that may
# be several of them is taken for one.
STANDARDS = {
    "PAL": 0x00_00FF,  # B, G, H, I, D, K
    "NTSC": 0x00_B000,  # M of America, Japan, Korea
    "SECAM": 0xFF_0000,
    "PAL-M": 0x00_0100,
    "PAL-N": 0x00_0600,
    "PAL-60": 0x00_0800,
    "NTSC-443": 0x00_4000,
}
_OF_525, _OF_625 = 0x00_F900, 0xFF_06FF  # lines: V4L2_STD_525_60, V4L2_STD_625_50
_STATUS = {  # of an input, the gravest first
    raw.InputStatus.NO_POWER: Loss.NO_CABLE,
    raw.InputStatus.NO_SIGNAL: Loss.NO_SIGNAL,
    raw.InputStatus.NO_H_LOCK: Loss.NO_SIGNAL,
    raw.InputStatus.NO_SYNC: Loss.NO_SIGNAL,
}
_ANSWERS = {  # of a question for standard or timings
    errno.ENOLINK: Loss.NO_SIGNAL,
    errno.ENOLCK: Loss.NO_SIGNAL,
    errno.ERANGE: Loss.OUT_OF_RANGE,
    errno.EDOM: Loss.OUT_OF_RANGE,
}
_WOBBLE = Fraction(1, 50)
_POWER = int(raw.ControlID.DV_RX_POWER_PRESENT)


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


def choose(device: Device, wanted: str) -> Input | None:
    """Switch to the wanted input, or to the first; None when the device has none to choose.

    Raises DeviceRefused when there is none of that name, or when the device does not switch.
    """
    found = _inputs(device)
    if not found:
        return None
    names = [each.name.casefold() for each in found]
    if not wanted:
        chosen = found[0]
    elif wanted.casefold() in names:
        chosen = found[names.index(wanted.casefold())]
    elif wanted.isdecimal() and int(wanted) < len(found):
        chosen = found[int(wanted)]
    else:
        offered = ", ".join(f'"{each.name}"' for each in found)
        raise DeviceRefused(f'{device.name} has no input "{wanted}": it has {offered}.')
    if device.integer(raw.IOC.G_INPUT) != chosen.index:
        device.integer(raw.IOC.S_INPUT, chosen.index)
    if device.integer(raw.IOC.G_INPUT) != chosen.index:
        raise DeviceRefused(f'{device.name} does not switch to its input "{chosen.name}".')
    return chosen


def current(device: Device) -> Input | None:
    """Return the input that the device is switched to; None when it has none to choose."""
    found = {each.index: each for each in _inputs(device)}
    return found.get(device.integer(raw.IOC.G_INPUT)) if found else None


def _inputs(device: Device) -> list[Input]:
    found: list[Input] = []
    for each in device.every(raw.IOC.ENUMINPUT, raw.v4l2_input):
        has_timings = bool(each.capabilities & raw.InputCapabilities.DV_TIMINGS)
        analog = bool(each.capabilities & raw.InputCapabilities.STD)
        port = sum(other.has_timings for other in found)
        found.append(
            Input(
                index=each.index,
                name=text(each.name),
                standards=int(each.std) if analog else 0,
                has_timings=has_timings,
                port=port,
            )
        )
    return found


def agree(device: Device, chosen: Input | None, standard: str) -> Line | Loss:
    """Set the standard or the timings that arrive; return what was set, or why nothing can be.

    Raises DeviceRefused when the device does not take them.
    """
    if chosen is None:
        return Line()
    if (loss := status(device, chosen)) is not None:
        return loss
    if chosen.has_timings:
        return _agree_timings(device, chosen)
    if chosen.standards:
        return _agree_standard(device, chosen, standard)
    return Line(input=chosen)


def status(device: Device, chosen: Input) -> Loss | None:
    """Return what the device says of the signal at the input that it is switched to."""
    if chosen.has_timings:
        # What the timings say is more exact, and some drivers leave the status at 0.
        found = timings(device, chosen)
        if found is None or isinstance(found, Loss):
            return found
    told = device.ask(raw.IOC.ENUMINPUT, raw.v4l2_input(index=chosen.index))
    bits = 0 if told is None else int(told.status)
    return next((loss for bit, loss in _STATUS.items() if bits & bit), None)


# --- digital ----------------------------------------------------------------------------------------------


def timings(device: Device, chosen: Input) -> Any:  # noqa: ANN401 - linuxpy's structures are not typed
    """Return the timings that arrive (a v4l2_dv_timings), a Loss, or None when the device cannot tell."""
    asked = raw.v4l2_dv_timings()
    try:
        return device.ask(raw.IOC.QUERY_DV_TIMINGS, asked)
    except OSError as error:
        loss = _ANSWERS.get(error.errno or 0)
        if loss is None:
            if error.errno == errno.EBUSY:
                return None
            raise
        if error.errno == errno.ENOLINK and _unpowered(device, chosen):
            return Loss.NO_CABLE
        return loss


def _unpowered(device: Device, chosen: Input) -> bool:
    """Say whether nothing feeds 5 V into this connector: no cable, or a device that is off."""
    power = device.control(_POWER)
    return power is not None and not power >> chosen.port & 1


def _agree_timings(device: Device, chosen: Input) -> Line | Loss:
    found = timings(device, chosen)
    if isinstance(found, Loss):
        return found
    if found is not None:
        device.call(raw.IOC.S_DV_TIMINGS, found)
    agreed = device.call(raw.IOC.G_DV_TIMINGS, raw.v4l2_dv_timings())
    line = _line(agreed, chosen)
    if found is not None and not same(line, found):
        wanted = _line(found, chosen)
        raise DeviceRefused(f"{device.name} does not take the signal of {_spoken(wanted)}: set another one.")
    return line


def _line(found: Any, chosen: Input) -> Line:  # noqa: ANN401 - a v4l2_dv_timings
    bt = found.bt
    return Line(
        input=chosen,
        size=(int(bt.width), int(bt.height)),
        interlaced=bool(bt.interlaced),
        rate=_rate(bt),
        pixel_aspect=_pixel_aspect(bt),
    )


def same(line: Line, found: Any) -> bool:  # noqa: ANN401 - a v4l2_dv_timings
    """Say whether these timings are the agreed ones; a measured rate wobbles."""
    other = _line(found, line.input) if line.input else line
    if (line.size, line.interlaced) != (other.size, other.interlaced):
        return False
    return not line.rate or not other.rate or abs(line.rate - other.rate) <= line.rate * _WOBBLE


def _rate(bt: Any) -> Fraction | None:  # noqa: ANN401 - a v4l2_bt_timings
    across = bt.width + bt.hfrontporch + bt.hsync + bt.hbackporch
    down = bt.height + bt.vfrontporch + bt.vsync + bt.vbackporch
    if bt.interlaced:
        down += bt.il_vfrontporch + bt.il_vsync + bt.il_vbackporch
    return Fraction(int(bt.pixelclock), across * down) if bt.pixelclock and across * down else None


def _pixel_aspect(bt: Any) -> Fraction | None:  # noqa: ANN401 - a v4l2_bt_timings
    """Return the width of a pixel by its height, where a standard gives the picture's."""
    across, down = bt.picture_aspect.numerator, bt.picture_aspect.denominator
    if not bt.flags & raw.DVTimingsFlag.HAS_PICTURE_ASPECT or not (across and down and bt.width and bt.height):
        return None
    return Fraction(across * bt.height, down * bt.width)


def _spoken(line: Line) -> str:
    width, height = line.size or (0, 0)
    return f"{width} x {height}{' interlaced' if line.interlaced else ''} at {float(line.rate or 0):.4g}/s"


# --- analog -----------------------------------------------------------------------------------------------


def detected(device: Device) -> int:
    """Return the standards that the signal may have, as bits; 0 when the device cannot tell now.

    A device that hears nothing may say so, or say that it may be any.
    """
    asked = ctypes.c_uint64()
    try:
        found = device.ask(raw.IOC.QUERYSTD, asked)
    except OSError as error:
        if error.errno in {errno.EBUSY, *_ANSWERS}:
            return 0
        raise
    return 0 if found is None else int(found.value)


def lines_of(standard: int) -> int:
    """Return 525 or 625; 0 of standards of both kinds, or of none."""
    few, many = bool(standard & _OF_525), bool(standard & _OF_625)
    return 0 if few == many else (525 if few else 625)


def _agree_standard(device: Device, chosen: Input, wanted: str) -> Line:
    standard = STANDARDS[wanted] if wanted != "auto" else _from_signal(device, chosen)
    if standard:
        if not standard & chosen.standards:
            raise DeviceRefused(f'The input "{chosen.name}" of {device.name} does not know {wanted}.')
        device.call(raw.IOC.S_STD, ctypes.c_uint64(standard & chosen.standards))
    told = device.ask(raw.IOC.G_STD, ctypes.c_uint64())
    agreed = 0 if told is None else int(told.value)
    if standard and not agreed & standard:
        raise DeviceRefused(f'The input "{chosen.name}" of {device.name} does not switch to {wanted}.')
    lines = lines_of(agreed)
    return Line(
        input=chosen,
        standard=agreed,
        lines=lines,
        interlaced=True,
        rate={525: Fraction(30000, 1001), 625: Fraction(25)}.get(lines),
    )


def _from_signal(device: Device, chosen: Input) -> int:
    """Return the standard of the signal; 0, to keep what is set, when the device cannot tell one of them."""
    seen = detected(device) & chosen.standards
    if not lines_of(seen):
        return 0
    return next(bits for bits in STANDARDS.values() if seen & bits)
