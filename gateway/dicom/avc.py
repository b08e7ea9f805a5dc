"""What an MP4 with one H.264 stream says of itself: boxes, sequence parameter set, number of pictures.

Decodes nothing. ISO/IEC 14496-12 (boxes), 14496-15 (avcC), ITU-T H.264 7.3.2.1.1 and E.1.1.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.dicom.window import Seekable
from gateway.errors import CodestreamBroken

HIGH, LEVEL = 100, 41
_LARGEST_MOOV = 64_000_000  # bytes; ten minutes have less than one million
_PATH = (b"mdia", b"minf", b"stbl")
_CONTAINERS = {b"avc1": 78, b"stsd": 8}  # bytes before the boxes in it
_EXTENDED_SAR = 255
_WIDE = 1  # a size of 64 bits follows


@dataclass(frozen=True, kw_only=True, slots=True)
class Film:
    """The facts of one stream; sizes after cropping."""

    profile: int
    level: int  # times ten
    rows: int
    columns: int
    chroma_format: int  # 1: 4:2:0
    bits: int
    frames: int  # samples of the track
    full_range: bool
    matrix: int  # H.273; 2: not said
    square: bool  # sample aspect ratio 1:1
    brand: str


def read(file: Seekable) -> Film:
    """Return the facts of an MP4. Raises CodestreamBroken when it is none, or holds anything beside one H.264."""
    try:
        boxes = dict(_top(file))
        brand, moov = boxes[b"ftyp"], boxes[b"moov"]
        (track,) = [body for kind, body in _inside(moov) if kind == b"trak"]
        for name in _PATH:
            track = dict(_inside(track))[name]
        table = dict(_inside(track))
        entry = dict(_inside(table[b"stsd"][_CONTAINERS[b"stsd"] :]))[b"avc1"]
        config = dict(_inside(entry[_CONTAINERS[b"avc1"] :]))[b"avcC"]
        (length,) = struct.unpack_from(">H", config, 6)
        sps = config[8 : 8 + length]
        (frames,) = struct.unpack_from(">I", table[b"stsz"], 8)
        return _facts(sps, frames=frames, brand=brand[:4].decode("latin-1"))
    except (KeyError, ValueError, IndexError, struct.error) as error:
        raise CodestreamBroken("A clip's H.264 file does not add up.") from error


def check(file: Seekable, *, rows: int, columns: int, frames: int) -> Film:
    """Compare a file with the record of its clip. Raises CodestreamBroken; returns the facts."""
    found = read(file)
    if found.profile != HIGH or found.level > LEVEL:
        raise CodestreamBroken("A clip's H.264 is not of High Profile, level 4.1 at most.")
    if (found.chroma_format, found.bits) != (1, 8):
        raise CodestreamBroken("A clip's H.264 has other colours than its record says.")
    if (found.rows, found.columns) != (rows, columns) or not found.square:
        raise CodestreamBroken("A clip's H.264 is not of the size that its record says.")
    if found.frames != frames:
        raise CodestreamBroken("A clip's H.264 has another number of frames than its record says.")
    return found


def _top(file: Seekable) -> Iterator[tuple[bytes, bytes]]:
    """Yield the outermost boxes; of those that are not small, their name alone."""
    end = file.seek(0, 2)
    position = 0
    while position < end:
        file.seek(position)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == _WIDE:
            (size,) = struct.unpack(">Q", file.read(8))
            head = 16
        if size < head or position + size > end:
            raise CodestreamBroken("A clip's H.264 file does not add up.")
        wanted = kind in {b"ftyp", b"moov"} and size <= _LARGEST_MOOV
        yield kind, file.read(size - head) if wanted else b""
        position += size


def _inside(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, position)
        if size < 8 or position + size > len(content):  # noqa: PLR2004 - the size counts its own head
            raise CodestreamBroken("A clip's H.264 file does not add up.")
        yield kind, content[position + 8 : position + size]
        position += size


class _Bits:
    """The bits of a NAL unit, without what keeps start codes out of it."""

    def __init__(self, content: bytes) -> None:
        content = content.replace(b"\0\0\3", b"\0\0")
        self._bits = "".join(f"{byte:08b}" for byte in content)
        self._at = 0

    def take(self, count: int) -> int:
        self._at += count
        return int(self._bits[self._at - count : self._at], 2)

    def golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + (self.take(zeros) if zeros else 0)


def _facts(sps: bytes, *, frames: int, brand: str) -> Film:
    bits = _Bits(sps[1:])
    profile, _, level = bits.take(8), bits.take(8), bits.take(8)
    bits.golomb()
    if profile != HIGH:
        raise CodestreamBroken("A clip's H.264 is not of High Profile, level 4.1 at most.")
    chroma, luma_bits, chroma_bits = bits.golomb(), 8 + bits.golomb(), 8 + bits.golomb()
    bits.take(1)
    if bits.take(1):
        raise CodestreamBroken("A clip's H.264 has scaling lists, which this product does not write.")
    bits.golomb()
    if (order := bits.golomb()) == 0:
        bits.golomb()
    elif order == 1:
        raise CodestreamBroken("A clip's H.264 counts its pictures as this product does not.")
    bits.golomb()
    bits.take(1)
    columns, rows = 16 * (bits.golomb() + 1), 16 * (bits.golomb() + 1)
    if not bits.take(1):
        raise CodestreamBroken("A clip's H.264 is interlaced.")
    bits.take(1)
    crop = [bits.golomb() for _ in range(4)] if bits.take(1) else [0] * 4
    square, full, matrix = _vui(bits) if bits.take(1) else (False, False, 2)
    return Film(
        profile=profile,
        level=level,
        rows=rows - 2 * (crop[2] + crop[3]),
        columns=columns - 2 * (crop[0] + crop[1]),
        chroma_format=chroma,
        bits=max(luma_bits, chroma_bits),
        frames=frames,
        full_range=full,
        matrix=matrix,
        square=square,
        brand=brand,
    )


def _vui(bits: _Bits) -> tuple[bool, bool, int]:
    """Return whether pixels are square, the range full, and the matrix."""
    square = False
    if bits.take(1):
        ratio = bits.take(8)
        square = ratio == 1
        if ratio == _EXTENDED_SAR:
            square = bits.take(16) == bits.take(16)
    if bits.take(1):
        bits.take(1)
    if not bits.take(1):
        return square, False, 2
    bits.take(3)
    full = bool(bits.take(1))
    if not bits.take(1):
        return square, full, 2
    bits.take(16)
    return square, full, bits.take(8)
