"""The sRGB colour space as an ICC profile, computed from what IEC 61966-2-1 defines.

An input profile of version 2 with a matrix and curves (ICC.1:2001-04): what PS3.3 C.11.15 asks for, and what every
reader understands. The same bytes on every machine.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache

# Chromaticities of the primaries and of the white, IEC 61966-2-1 table 1.
_RED, _GREEN, _BLUE, _WHITE = (0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290)
_D50 = (0.9642, 1.0, 0.8249)  # white of the profile connection space, ICC.1 A.1
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_ENTRIES = 1024  # of the curve; linear between them it is nearer than a tenth of an 8-bit step
_HEADER = 128
_TAG = 12
_NAME = b"sRGB IEC61966-2.1"
_RIGHTS = b"No copyright, use freely"

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]


@lru_cache(1)
def srgb() -> bytes:
    """Return the profile, about 2.6 kB of a length that is even."""
    red, green, blue = _colorants()
    curve = _curve()
    parts = (
        ((b"desc",), _description(_NAME)),
        ((b"cprt",), b"text\0\0\0\0" + _RIGHTS + b"\0"),
        ((b"wtpt",), _xyz(_D50)),
        ((b"rXYZ",), _xyz(red)),
        ((b"gXYZ",), _xyz(green)),
        ((b"bXYZ",), _xyz(blue)),
        ((b"rTRC", b"gTRC", b"bTRC"), curve),
    )
    count = sum(len(names) for names, _ in parts)
    table, body, start = struct.pack(">L", count), b"", _HEADER + 4 + _TAG * count
    for names, content in parts:
        padded = content + bytes(-len(content) % 4)
        for name in names:
            table += name + struct.pack(">LL", start + len(body), len(content))
        body += padded
    return _header(start + len(body)) + table + body


def _header(size: int) -> bytes:
    return (
        struct.pack(">L4sL", size, bytes(4), 0x02400000)
        + b"scnrRGB XYZ "  # an input device: RGB to XYZ
        + struct.pack(">6H", 2026, 1, 1, 0, 0, 0)  # the same bytes for ever
        + b"acsp"
        + bytes(28)  # no platform, flags, manufacturer, model and attributes; perceptual
        + struct.pack(">3l", *map(_fixed, _D50))
        + bytes(48)
    )


def _description(name: bytes) -> bytes:
    """Return a textDescriptionType (ICC.1:2001-04 6.5.17) in ASCII alone."""
    return b"desc\0\0\0\0" + struct.pack(">L", len(name) + 1) + name + b"\0" + bytes(8) + bytes(3) + bytes(67)


def _xyz(value: Vector) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3l", *map(_fixed, value))


def _fixed(value: float) -> int:
    return round(value * 65536)


def _curve() -> bytes:
    values = (_linear(step / (_ENTRIES - 1)) for step in range(_ENTRIES))
    numbers = [round(value * 65535) for value in values]
    return b"curv\0\0\0\0" + struct.pack(f">L{_ENTRIES}H", _ENTRIES, *numbers)


def _linear(value: float) -> float:
    """Return the light of a stored value, 0 to 1 each (IEC 61966-2-1 5.2)."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - the standard's


# --- colorimetry -----------------------------------------------------------------------------------------------


def _colorants() -> tuple[Vector, Vector, Vector]:
    """Return XYZ of full red, green and blue, adapted to D50 as ICC.1 annex E tells."""
    white = _tristimulus(_WHITE)
    primaries = _columns([_tristimulus(each) for each in (_RED, _GREEN, _BLUE)])
    weights = _times(_inverse(primaries), white)
    adapt = _adaptation(white, _D50)
    red, green, blue = (
        _times(adapt, _scaled(_tristimulus(each), weight))
        for each, weight in zip((_RED, _GREEN, _BLUE), weights, strict=True)
    )
    return red, green, blue


def _adaptation(source: Vector, target: Vector) -> Matrix:
    """Return the matrix that takes colours seen under one white to another (Bradford)."""
    cone = [t / s for t, s in zip(_times(_BRADFORD, target), _times(_BRADFORD, source), strict=True)]
    rows = [_scaled(row, gain) for row, gain in zip(_BRADFORD, cone, strict=True)]
    back = _inverse(_BRADFORD)
    return _columns([_times(back, _column(rows, number)) for number in range(3)])


def _tristimulus(chromaticity: tuple[float, float]) -> Vector:
    x, y = chromaticity
    return x / y, 1.0, (1 - x - y) / y


def _times(matrix: Matrix, vector: Vector) -> Vector:
    first, second, third = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return first, second, third


def _scaled(vector: Vector, factor: float) -> Vector:
    first, second, third = vector
    return first * factor, second * factor, third * factor


def _column(rows: Sequence[Vector], number: int) -> Vector:
    return rows[0][number], rows[1][number], rows[2][number]


def _columns(vectors: Sequence[Vector]) -> Matrix:
    """Return the matrix that has these columns."""
    return _column(vectors, 0), _column(vectors, 1), _column(vectors, 2)


def _inverse(matrix: Matrix) -> Matrix:
    a, b, c = matrix
    across = (_cross(b, c), _cross(c, a), _cross(a, b))
    whole = sum(x * y for x, y in zip(a, across[0], strict=True))
    return _columns([_scaled(each, 1 / whole) for each in across])


def _cross(one: Vector, other: Vector) -> Vector:
    return (
        one[1] * other[2] - one[2] * other[1],
        one[2] * other[0] - one[0] * other[2],
        one[0] * other[1] - one[1] * other[0],
    )
