"""A capture's codestreams wherever they lie: in the media file, in a clip's frames, or in the sealed object."""

import struct
from dataclasses import dataclass
from pathlib import Path

from gateway.dicom import elements, part10
from gateway.dicom.elements import Malformed
from gateway.errors import SpoolDamaged
from gateway.model import Capture, MediaKind
from gateway.spool import clips
from gateway.spool.paths import Layout
from gateway.spool.spool import Spool

_LENGTH_BYTES = 4  # before each codestream of a clip's frames
_START = 1 << 20  # bytes; a header of ours is shorter
_PIXEL_DATA_HEAD = 12  # tag, VR and length in explicit VR
_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
_OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})
_PIXEL_DATA = 0x7FE00010


@dataclass(frozen=True, kw_only=True, slots=True)
class Frames:
    """Where each codestream of a capture lies: (offset, length) in one file; a length may count a padding byte."""

    path: Path
    places: tuple[tuple[int, int], ...]
    film: bool = False  # one place has all frames of a clip, as an MP4

    def read(self, number: int) -> bytes:
        """Return codestream `number`, counted from 0."""
        offset, length = self.places[number]
        with self.path.open("rb") as file:
            file.seek(offset)
            codestream = file.read(length)
        if len(codestream) != length:
            raise SpoolDamaged("A picture's file is shorter than its record says.")
        return codestream


def frames_of(spool: Spool, capture: Capture) -> Frames:
    """Find a capture's codestreams. Raises SpoolDamaged when neither media nor object is there.

    The media file goes when the object is sealed, so a file that is just gone is looked for once more.
    """
    try:
        return _frames_in_media(spool.layout, capture)
    except FileNotFoundError:
        sealed = spool.objects.of_capture(capture.sop_instance_uid)
        if sealed is None:
            raise SpoolDamaged("The files of this picture are not on the disk any more.") from None
        return frames_in_object(spool.objects.path(sealed))


def media_file(spool: Spool, capture: Capture) -> Path | None:
    """Return the file as recorded, or None when only the sealed object is left."""
    path = spool.layout.media(capture.exam, capture.media)
    return path if path.exists() else None


def as_recorded(frames: Frames, capture: Capture) -> list[tuple[bytes, int, int]]:
    """Return (prefix, offset, length) of each piece of `frames.path` that together give the media file again.

    Of a clip that became H.264 the one MP4 is what is left.
    """
    pieces = []
    if frames.film:  # the frames as recorded are gone
        return [(b"", *place) for place in frames.places]
    for offset, padded in frames.places:
        length = _unpadded(frames, offset, padded) if capture.kind is MediaKind.CLIP else capture.bytes
        prefix = struct.pack(">I", length) if capture.kind is MediaKind.CLIP else b""
        pieces.append((prefix, offset, length))
    return pieces


def frames_in_object(path: Path) -> Frames:
    """Index the fragments of a sealed object, one a frame (PS3.5 A.4), or its plain one. Raises SpoolDamaged."""
    places: list[tuple[int, int]] = []
    try:
        with path.open("rb") as file:
            start = file.read(_START)
            meta = part10.read_meta(start)
            _, end = elements.parse_head(start, explicit=True, start=meta.length)
            position = _first_item(start, end)
            if meta.transfer_syntax_uid == part10.EXPLICIT_LE:
                (length,) = struct.unpack_from("<L", start, position - 4)
                return Frames(path=path, places=((position, length),))
            while True:
                file.seek(position)
                group, number, length = struct.unpack("<HHL", file.read(8))
                if group << 16 | number != _ITEM:
                    break
                places.append((position + 8, length))
                position += 8 + length
    except (OSError, Malformed, struct.error) as error:
        raise SpoolDamaged("A sealed object cannot be read.") from error
    # The first item is the offset table.
    return Frames(path=path, places=tuple(places[1:]), film=meta.transfer_syntax_uid == part10.H264)


def _first_item(start: bytes, position: int) -> int:
    while True:
        group, number, _, length = struct.unpack_from("<HH4sL", start, position)
        tag = group << 16 | number
        if tag == _PIXEL_DATA:
            return position + _PIXEL_DATA_HEAD
        if tag not in _OFFSET_TABLES:
            raise SpoolDamaged("A sealed object has no pictures.")
        position += _PIXEL_DATA_HEAD + length


def _frames_in_media(layout: Layout, capture: Capture) -> Frames:
    path = layout.media(capture.exam, capture.media)
    if capture.kind is MediaKind.STILL:
        return Frames(path=path, places=((0, path.stat().st_size),))
    _, entries = clips.read_index(layout.index(capture.exam, capture.sop_instance_uid))
    path.stat()
    return Frames(path=path, places=tuple((e.offset + _LENGTH_BYTES, e.length) for e in entries))


def _unpadded(frames: Frames, offset: int, length: int) -> int:
    """Return a codestream's length without the zero that made it even."""
    with frames.path.open("rb") as file:
        file.seek(offset + max(0, length - 3))
        return length - 1 if file.read(3) == b"\xff\xd9\x00" else length
