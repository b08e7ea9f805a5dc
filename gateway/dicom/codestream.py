"""JPEG and JPEG-LS codestreams by their markers: what they say of themselves, and whether the record agrees."""

import re
import struct
from dataclasses import dataclass
from itertools import pairwise

from gateway.errors import CodestreamBroken

BASELINE, LOSSLESS, JPEG_LS = 0xC0, 0xC3, 0xF7
UNCOMPRESSED = "uncompressed"  # a codec that has no codestream: the pixels themselves
_SOI, _EOI, _SOS, _APP0, _APP8, _APP14 = 0xD8, 0xD9, 0xDA, 0xE0, 0xE8, 0xEE
_FRAMES = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {JPEG_LS}
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # stuffed zeros and restarts are no end
_MARKER_IN_JPEG_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]", re.DOTALL)  # a bit is stuffed, not a byte (T.87 C.2)
_PROCESS = {"jpeg": BASELINE, "jpeg-lossless": LOSSLESS, "jpeg-ls": JPEG_LS}
_YCC = 1  # Adobe's colour transform
_BITS = 8
_COLOURS = 3
# Of light beside one sample of each colour: 4:4:4, 4:2:2, 4:4:0, 4:2:0, 4:1:1. What a device samples otherwise than
# 4:2:2 is YBR_FULL_422 all the same: the bit stream may differ, and that does no harm (PS3.3 C.7.6.3.1.2).
_SUBSAMPLED = frozenset({(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Codestream:
    """The facts of one JPEG picture."""

    process: int  # low byte of the frame marker: 0xC0 baseline, 0xC3 lossless, 0xF7 JPEG-LS
    precision: int
    rows: int
    columns: int
    components: tuple[int, ...]  # identifiers
    sampling: tuple[tuple[int, int], ...]  # horizontal, vertical
    predictor: int  # of the first scan: selection value of lossless JPEG
    near: int  # of JPEG-LS: the largest error that any of its scans allows
    transformed: bool  # by the colour transforms that some JPEG-LS writers know, and DICOM does not
    adobe: int | None  # colour transform, None without Adobe marker
    jfif: bool
    length: int  # bytes up to and with the end marker

    @property
    def is_ycbcr(self) -> bool:
        """Say whether decoders take three components for YCbCr: Adobe says, else JFIF, else the ids."""
        if self.adobe is not None:
            return self.adobe == _YCC
        return self.jfif or self.components != tuple(b"RGB")


def read(codestream: bytes) -> Codestream:
    """Read the markers; no pixel is decoded. Raises CodestreamBroken."""
    if codestream[:2] != bytes((0xFF, _SOI)):
        raise CodestreamBroken("A picture does not begin as a JPEG.")
    frame: tuple[int, bytes] | None = None
    scans: list[bytes] = []
    adobe, jfif, transformed, position = None, False, False, 2
    while True:
        marker, body, position = _segment(codestream, position)
        if marker == _EOI:
            break
        if marker in _FRAMES:
            frame = (marker, body)
        elif marker == _APP14 and body[:5] == b"Adobe" and len(body) >= 12:  # noqa: PLR2004 - T.872 6.5.3
            adobe = body[11]
        elif marker == _APP0 and body[:4] == b"JFIF":
            jfif = True
        elif marker == _APP8 and body[:4] == b"mrfx":
            transformed = body[4:5] != b"\0"
        elif marker == _SOS:
            scans.append(body)
            position = _end_of_scan(codestream, position, jpeg_ls=frame is not None and frame[0] == JPEG_LS)
    if frame is None or not all(scans) or not scans:
        raise CodestreamBroken("A JPEG has no picture in it.")
    return _facts(frame, scans, adobe, length=position, jfif=jfif, transformed=transformed)


def check(codestream: bytes, *, rows: int, columns: int, samples: int, codec: str) -> Codestream:
    """Compare a codestream with its record. Raises CodestreamBroken; returns the facts.

    `codec`: "jpeg-lossless" (process 14, selection value 1, RGB or grey), "jpeg-ls" (without any loss, RGB or grey)
    or "jpeg" (baseline, YCbCr, its colours sampled as the device does it, or grey).
    """
    found = read(codestream)
    if len(codestream) - found.length > 1 or codestream[found.length :].strip(b"\0"):
        raise CodestreamBroken("A picture goes on after its end.")
    if found.process != _PROCESS.get(codec) or found.precision != _BITS:
        raise CodestreamBroken("A picture is not compressed as its record says.")
    if (found.rows, found.columns, len(found.components)) != (rows, columns, samples):
        raise CodestreamBroken("A picture is not of the size that its record says.")
    if codec == "jpeg-lossless" and found.predictor != 1:
        raise CodestreamBroken("A lossless JPEG does not use selection value 1.")
    if codec == "jpeg-ls" and found.near:
        raise CodestreamBroken("A picture that should have lost nothing was compressed with loss.")
    if samples == _COLOURS and not _coded_as(found, codec):
        raise CodestreamBroken("A picture's colours are not coded as its record says.")
    if samples == _COLOURS and not _sampled_as(found, codec):
        raise CodestreamBroken("A picture's colours are not sampled as its record says.")
    return found


def own(stream: bytes, *, rows: int, columns: int, samples: int, codec: str) -> bytes:
    """Return a picture's own bytes, without the zero that made them even, after the comparison of `check`.

    codec: "uncompressed" as well. Raises CodestreamBroken.
    """
    if codec != UNCOMPRESSED:
        return stream[: check(stream, rows=rows, columns=columns, samples=samples, codec=codec).length]
    length = rows * columns * samples
    if stream[length:] not in {b"", b"\0"} or len(stream) < length:
        raise CodestreamBroken("A picture is not of the size that its record says.")
    return stream[:length]


def _coded_as(found: Codestream, codec: str) -> bool:
    if codec == "jpeg-ls":  # its components have numbers, whatever they are
        return not found.transformed and found.adobe != _YCC and not found.jfif
    return found.is_ycbcr == (codec == "jpeg")


def _sampled_as(found: Codestream, codec: str) -> bool:
    luma, *colours = found.sampling
    return all(each == (1, 1) for each in colours) and luma in (_SUBSAMPLED if codec == "jpeg" else {(1, 1)})


def _segment(codestream: bytes, position: int) -> tuple[int, bytes, int]:
    """Return marker, body and the position after it; fill bytes in front of a marker are allowed."""
    if codestream[position : position + 1] != b"\xff":
        raise CodestreamBroken("A JPEG has something else where a marker belongs.")
    while codestream[position + 1 : position + 2] == b"\xff":
        position += 1
    if codestream[position + 1 : position + 2] == bytes((_EOI,)):
        return _EOI, b"", position + 2
    if position + 4 > len(codestream):
        raise CodestreamBroken("A JPEG ends early.")
    marker, length = struct.unpack_from(">BH", codestream, position + 1)
    end = position + 2 + length
    if length < 2 or end > len(codestream):  # noqa: PLR2004 - the length counts itself
        raise CodestreamBroken("A JPEG ends early.")
    return marker, codestream[position + 4 : end], end


def _end_of_scan(codestream: bytes, position: int, *, jpeg_ls: bool) -> int:
    match = (_MARKER_IN_JPEG_LS if jpeg_ls else _MARKER_IN_SCAN).search(codestream, position)
    if match is None:
        raise CodestreamBroken("A JPEG has no end.")
    return match.start()


def _facts(
    frame: tuple[int, bytes],
    scans: list[bytes],
    adobe: int | None,
    *,
    length: int,
    jfif: bool,
    transformed: bool,
) -> Codestream:
    process, body = frame
    count = body[5] if len(body) > 5 else 0  # noqa: PLR2004 - number of components, ITU-T T.81 B.2.2
    if not count or len(body) != 6 + 3 * count or any(len(scan) < 4 + 2 * scan[0] for scan in scans):
        raise CodestreamBroken("A JPEG's header does not add up.")
    precision, rows, columns = struct.unpack_from(">BHH", body)
    starts = range(6, len(body) + 1, 3)
    third = [scan[1 + 2 * scan[0]] for scan in scans]  # selection value, or NEAR of JPEG-LS (T.87 C.2.3)
    parts = [body[start:end] for start, end in pairwise(starts)]
    return Codestream(
        process=process,
        precision=precision,
        rows=rows,
        columns=columns,
        components=tuple(part[0] for part in parts),
        sampling=tuple((part[1] >> 4, part[1] & 15) for part in parts),
        predictor=third[0],
        near=max(third) if process == JPEG_LS else 0,
        transformed=transformed,
        adobe=adobe,
        jfif=jfif,
        length=length,
    )
