"""The PS3.10 file around a data set: preamble, meta information, and the names this product writes there."""

import struct
from dataclasses import dataclass, field

from gateway import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from gateway.dicom import elements
from gateway.dicom.elements import Element, Elements, Malformed

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"  # lossless
H264 = "1.2.840.10008.1.2.4.102"  # High Profile, level 4.1

_PREAMBLE = bytes(128) + b"DICM"
_GROUP_LENGTH = 0x00020000
_META_END = 12  # bytes of the group length element itself


@dataclass(frozen=True, kw_only=True, slots=True)
class Meta:
    """What a file says about itself; `length`: bytes in front of the data set."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    length: int = field(default=0)


def preface(meta: Meta) -> bytes:
    """Return everything in front of a file's data set (PS3.10 7.1)."""
    values = (
        (0x00020001, "OB", b"\0\1"),
        (0x00020002, "UI", meta.sop_class_uid.encode()),
        (0x00020003, "UI", meta.sop_instance_uid.encode()),
        (0x00020010, "UI", meta.transfer_syntax_uid.encode()),
        (0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode()),
        (0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode()),
    )
    group = elements.encode((Element(tag=tag, vr=vr, value=value) for tag, vr, value in values), explicit=True)
    length = Element(tag=_GROUP_LENGTH, vr="UL", value=struct.pack("<L", len(group)))
    return _PREAMBLE + elements.encode([length], explicit=True) + group


def read_meta(start: bytes) -> Meta:
    """Read the meta information from a file's first bytes (4 KiB are enough). Raises Malformed."""
    if start[128:132] != b"DICM" or len(start) < len(_PREAMBLE) + _META_END:
        raise Malformed("this is no DICOM file")
    length = struct.unpack_from("<L", start, len(_PREAMBLE) + 8)[0]
    begin = len(_PREAMBLE) + _META_END
    if start[132:140] != b"\x02\x00\x00\x00UL\x04\x00" or begin + length > len(start):
        raise Malformed("the file's meta information does not add up")
    found = _group_two(start[begin : begin + length])
    return Meta(
        sop_class_uid=found.get(0x00020002, ""),
        sop_instance_uid=found.get(0x00020003, ""),
        transfer_syntax_uid=found.get(0x00020010, ""),
        length=begin + length,
    )


def read_data_set(file: bytes) -> Elements:
    """Read a whole file's data set up to its pixel data. Raises Malformed."""
    meta = read_meta(file)
    return elements.parse(file[meta.length :], explicit=meta.transfer_syntax_uid != IMPLICIT_LE)


def _group_two(raw: bytes) -> dict[int, str]:
    """Read the meta elements; a group of two-byte and four-byte lengths without sequences."""
    found: dict[int, str] = {}
    position = 0
    while position + 8 <= len(raw):
        group, number, vr, length = struct.unpack_from("<HH2sH", raw, position)
        position += 8
        if vr in {b"OB", b"UN"} and position + 4 <= len(raw):
            length = struct.unpack_from("<L", raw, position)[0]
            position += 4
        value = raw[position : position + length]
        found[group << 16 | number] = value.rstrip(b"\0 ").decode("ascii", "replace")
        position += length
    return found
