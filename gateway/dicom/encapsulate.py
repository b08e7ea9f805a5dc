"""Streams a PS3.10 file: pixels encapsulated, one fragment a frame, or native; one frame in memory at a time."""

import struct
from collections.abc import Iterable, Iterator, Sequence

from gateway.dicom import elements, part10
from gateway.dicom.draft import Header
from gateway.dicom.elements import Element
from gateway.errors import CodestreamBroken

_ITEM = b"\xfe\xff\x00\xe0"
_SEQUENCE_END = b"\xfe\xff\xdd\xe0" + bytes(4)
_PIXEL_DATA = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
_NATIVE = Element(tag=0x7FE00010, vr="OB")
_UNDEFINED = 0xFFFFFFFF
_ITEM_HEAD = 8


def head(header: Header) -> bytes:
    """Return a file up to its pixel data (PS3.10 7)."""
    meta = part10.Meta(
        sop_class_uid=header.sop_class_uid,
        sop_instance_uid=header.sop_instance_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
    )
    return part10.preface(meta) + header.data


def file_chunks(header: Header, lengths: Sequence[int], fragments: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the file piece by piece (PS3.10 7, PS3.5 A.4; A.2 for what is not compressed).

    `lengths`: bytes of each frame's codestream, known beforehand; `fragments`: these codestreams in order. Raises
    CodestreamBroken when the two do not agree: the file is unusable then.
    """
    if len(lengths) != header.frames:
        raise CodestreamBroken("A clip has another number of frames than its record says.")
    native = header.transfer_syntax_uid == part10.EXPLICIT_LE
    yield head(header) + (_native_head(lengths) if native else _tables(lengths))
    yield from (_native if native else _encapsulated)(_as_recorded(lengths, fragments))


def film_chunks(header: Header, size: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the file of a clip that is one stream, in one fragment, with an empty offset table (PS3.5 A.4.7).

    `size`: its bytes, an even number; `pieces`: these bytes. Raises CodestreamBroken when they do not agree.
    """
    if size % 2 or size >= _UNDEFINED:
        raise CodestreamBroken("A clip's H.264 is too long for one object.")
    yield head(header) + _PIXEL_DATA + _ITEM + bytes(4) + _ITEM + struct.pack("<L", size)
    written = 0
    for piece in pieces:
        written += len(piece)
        yield piece
    if written != size:
        raise CodestreamBroken("A clip's H.264 has another length than it had.")
    yield _SEQUENCE_END


def _as_recorded(lengths: Sequence[int], fragments: Iterable[bytes]) -> Iterator[bytes]:
    expected = iter(lengths)
    for fragment in fragments:
        if len(fragment) != next(expected, -1):
            raise CodestreamBroken("A frame's length is not the one in the record.")
        yield fragment
    if next(expected, None) is not None:
        raise CodestreamBroken("A clip ends before its last frame.")


def _encapsulated(fragments: Iterator[bytes]) -> Iterator[bytes]:
    for fragment in fragments:
        padding = len(fragment) % 2
        yield _ITEM + struct.pack("<L", len(fragment) + padding)
        yield fragment
        if padding:
            yield b"\0"
    yield _SEQUENCE_END


def _native(frames: Iterator[bytes]) -> Iterator[bytes]:
    total = 0
    for frame in frames:
        total += len(frame)
        yield frame
    if total % 2:
        yield b"\0"


def _native_head(lengths: Sequence[int]) -> bytes:
    total = sum(lengths)
    if total >= _UNDEFINED - 1:
        raise CodestreamBroken("A picture is too large to be stored uncompressed.")
    return elements.head(_NATIVE, total + total % 2, explicit=True)


def _tables(lengths: Sequence[int]) -> bytes:
    """Return what stands between header and first fragment: offset tables and the start of the pixel data.

    A clip has a Basic Offset Table while its offsets fit 32 bits, else an empty one and the Extended Offset Table
    (PS3.3 C.7.6.3.1.8); a single frame has an empty one.
    """
    offsets = [0]
    for length in lengths:
        offsets.append(offsets[-1] + _ITEM_HEAD + length + length % 2)
    offsets.pop()
    if len(lengths) == 1:
        return _PIXEL_DATA + _ITEM + struct.pack("<L", 0)
    if offsets[-1] < _UNDEFINED:
        table = struct.pack(f"<{len(offsets)}L", *offsets)
        return _PIXEL_DATA + _ITEM + struct.pack("<L", len(table)) + table
    even = [length + length % 2 for length in lengths]
    extended = [
        Element(tag=elements.PIXELS, vr="OV", value=struct.pack(f"<{len(offsets)}Q", *offsets)),
        Element(tag=elements.PIXELS + 1, vr="OV", value=struct.pack(f"<{len(even)}Q", *even)),
    ]
    return elements.encode(extended, explicit=True) + _PIXEL_DATA + _ITEM + struct.pack("<L", 0)
