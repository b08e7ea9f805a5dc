"""Digital video: the timings that arrive, and which are set; or why there are none."""

import errno
from fractions import Fraction
from typing import Any

from linuxpy.video import raw

from hardware.errors import DeviceRefused
from hardware.sources import Loss
from hardware.sources.v4l2.calls import Device
from hardware.sources.v4l2.line import Input, Line

_ANSWERS = {  # of a question for the timings
    errno.ENOLINK: Loss.NO_SIGNAL,
    errno.ENOLCK: Loss.NO_SIGNAL,
    errno.ERANGE: Loss.OUT_OF_RANGE,
    errno.EDOM: Loss.OUT_OF_RANGE,
}
_WOBBLE = Fraction(1, 50)
_POWER = int(raw.ControlID.DV_RX_POWER_PRESENT)


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


def agree(device: Device, chosen: Input) -> Line | Loss:
    """Set the timings that arrive; return what was agreed, or why nothing can be.

    Raises DeviceRefused when the device takes others, OSError as the kernel answers.
    """
    found = timings(device, chosen)
    if isinstance(found, Loss):
        return found
    if found is not None and device.ask(raw.IOC.S_DV_TIMINGS, found) is None:
        return Loss.OUT_OF_RANGE  # some drivers measure what they cannot take
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
