"""Analog video: PAL, NTSC, SECAM and their kin; which of them arrives, and which is set."""

import ctypes
import errno
from fractions import Fraction

from linuxpy.video import raw

from hardware.errors import DeviceRefused
from hardware.sources.v4l2.calls import Device
from hardware.sources.v4l2.line import Input, Line

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
_UNHEARD = frozenset({errno.EBUSY, errno.ENOLINK, errno.ENOLCK, errno.ERANGE, errno.EDOM})


def detected(device: Device) -> int:
    """Return the standards that the signal may have, as bits; 0 when the device cannot tell now.

    A device that hears nothing may say so, or say that it may be any.
    """
    asked = ctypes.c_uint64()
    try:
        found = device.ask(raw.IOC.QUERYSTD, asked)
    except OSError as error:
        if error.errno in _UNHEARD:
            return 0
        raise
    return 0 if found is None else int(found.value)


def lines_of(standard: int) -> int:
    """Return 525 or 625; 0 of standards of both kinds, or of none."""
    few, many = bool(standard & _OF_525), bool(standard & _OF_625)
    return 0 if few == many else (525 if few else 625)


def agree(device: Device, chosen: Input, wanted: str) -> Line:
    """Set a standard, a word of STANDARDS or for "auto" that of the signal; return what was agreed.

    Raises DeviceRefused when the input does not know it or does not switch, OSError as the kernel answers.
    """
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
