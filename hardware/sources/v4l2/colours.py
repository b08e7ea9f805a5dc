"""What a driver says of its samples: matrix, range, order of fields, shape of a pixel."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from linuxpy.video import raw

from hardware.sources import PixelFormat, Scan

_MATRICES = {  # enum v4l2_ycbcr_encoding
    1: "bt601",
    2: "bt709",
    3: "bt601",  # xvYCC 601
    4: "bt709",  # xvYCC 709
    5: "bt601",  # sYCC
    6: "bt2020",
    7: "bt2020",  # constant luminance, taken as the other
    8: "smpte240m",
}
_OF_SPACE = {  # V4L2_MAP_YCBCR_ENC_DEFAULT; every other colour space has the matrix of BT.601
    raw.Colorspace.REC709: "bt709",
    raw.Colorspace.DCI_P3: "bt709",
    raw.Colorspace.BT2020: "bt2020",
    raw.Colorspace.SMPTE240M: "smpte240m",
}
_WIDE, _HIGH = 1280, 576  # from here on an untold picture is taken for high definition, as in files
_LINES_525, _LINES_625 = 525, 625
_PIXELS = {_LINES_525: Fraction(10, 11), _LINES_625: Fraction(59, 54)}  # of 13.5 MHz (BT.601)
_SAMPLED = (702, 704, 720)  # pixels of a line at 13.5 MHz


@dataclass(frozen=True, kw_only=True, slots=True)
class Colours:
    """Of Y'CbCr samples; `matrix`: a word of `hardware.colour.MATRICES`."""

    matrix: str
    full_range: bool


def of(pix: Any, form: PixelFormat) -> Colours:  # noqa: ANN401 - a v4l2_pix_format
    """Return matrix and range of a negotiated format."""
    matrix = _MATRICES.get(pix.ycbcr_enc) or _OF_SPACE.get(pix.colorspace, "bt601")
    if pix.ycbcr_enc == raw.YcbcrEncoding.DEFAULT and pix.colorspace == raw.Colorspace.DEFAULT:
        matrix = "bt709" if pix.width >= _WIDE or pix.height > _HIGH else "bt601"
    if form is PixelFormat.JPEG:
        return Colours(matrix="bt601", full_range=True)  # ISO/IEC 10918-5, whatever the driver says
    if pix.quantization != raw.Quantization.DEFAULT:
        return Colours(matrix=matrix, full_range=pix.quantization == raw.Quantization.FULL_RANGE)
    # As the kernel's own test pattern has it: grey is full range like RGB, which V4L2's text leaves open.
    full = form is not PixelFormat.PLANAR_YUV or pix.colorspace == raw.Colorspace.JPEG
    return Colours(matrix=matrix, full_range=full)


def scan(field: int, lines: int) -> Scan:
    """Return the order of the fields in a buffer; `lines`: of the whole standard, 525 or 625, 0 of others.

    Where a driver says only "interlaced", 525 lines send the bottom field first and all others the top one.
    """
    if field == raw.Field.INTERLACED:
        return Scan.BOTTOM_FIRST if lines == _LINES_525 else Scan.TOP_FIRST
    if field in {raw.Field.INTERLACED_TB, raw.Field.SEQ_TB}:
        return Scan.TOP_FIRST
    if field in {raw.Field.INTERLACED_BT, raw.Field.SEQ_BT}:
        return Scan.BOTTOM_FIRST
    return Scan.PROGRESSIVE


def pixel_aspect(width: int, lines: int) -> Fraction:
    """Return the width of a pixel by its height, where nobody says it."""
    return _PIXELS.get(lines, Fraction(1)) if width in _SAMPLED else Fraction(1)
