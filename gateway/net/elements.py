"""Reads the outline of a data set in bytes that nobody has checked: tags and raw values, no meaning.

Refuses, with `Unreadable`, bytes that do not hold together. pydicom reads what is accepted; this decides
what a foreign system's answer is worth before anything depends on it.
"""

import struct
from collections.abc import Iterator

_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_ITEM = 0xFFFEE000
_ITEM_END = 0xFFFEE00D
_SEQUENCE_END = 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_DEEPEST = 16  # sequences in sequences; a worklist item has three


class Unreadable(ValueError):
    """The bytes are not a data set."""


def elements(data: bytes, *, explicit: bool) -> dict[int, bytes]:
    """Return raw values by tag, little endian; a sequence's value is all of its items, as they stand."""
    return dict(_walk(data, explicit=explicit))


def items(value: bytes, *, explicit: bool) -> list[dict[int, bytes]]:
    """Return the items of a sequence's raw value."""
    found = []
    at = 0
    while at < len(value):
        tag, length = _item_header(value, at)
        if tag == _SEQUENCE_END:
            break
        if tag != _ITEM:
            raise Unreadable("no item")
        end = _end_of_items(value, at, explicit=explicit, depth=1)
        content = value[at + 8 : end - 8] if length == _UNDEFINED else value[at + 8 : end]
        found.append(elements(content, explicit=explicit))
        at = end
    return found


def _walk(data: bytes, *, explicit: bool) -> Iterator[tuple[int, bytes]]:
    at, before = 0, -1
    while at < len(data):
        tag, start, end = _element(data, at, explicit=explicit, depth=0)
        if tag <= before:  # PS3.5 7.1: ascending; garbage rarely is
            raise Unreadable("tags do not ascend")
        yield tag, data[start:end]
        at, before = end, tag


def _element(data: bytes, at: int, *, explicit: bool, depth: int) -> tuple[int, int, int]:
    """Return tag, start and end of the value of the element at `at`."""
    try:
        group, number = struct.unpack_from("<HH", data, at)
        vr = data[at + 4 : at + 6]
        if not explicit:
            start, length = at + 8, struct.unpack_from("<L", data, at + 4)[0]
        elif vr in _LONG:
            start, length = at + 12, struct.unpack_from("<L", data, at + 8)[0]
        elif len(vr) == 2 and vr.isalpha() and vr.isupper():  # noqa: PLR2004 - a VR is two letters
            start, length = at + 8, struct.unpack_from("<H", data, at + 6)[0]
        else:
            raise Unreadable("no VR")
    except struct.error as error:
        raise Unreadable("cut short") from error
    if length == _UNDEFINED:
        return group << 16 | number, start, _end_of_sequence(data, start, explicit=explicit, depth=depth + 1)
    if start + length > len(data):
        raise Unreadable("cut short")
    return group << 16 | number, start, start + length


def _end_of_sequence(data: bytes, at: int, *, explicit: bool, depth: int) -> int:
    while True:
        tag, _ = _item_header(data, at)
        if tag == _SEQUENCE_END:
            return at + 8
        if tag != _ITEM:
            raise Unreadable("no item")
        at = _end_of_items(data, at, explicit=explicit, depth=depth)


def _end_of_items(data: bytes, at: int, *, explicit: bool, depth: int) -> int:
    """Return the end of the one item at `at`."""
    if depth > _DEEPEST:
        raise Unreadable("too deep")
    _, length = _item_header(data, at)
    at += 8
    if length != _UNDEFINED:
        if at + length > len(data):
            raise Unreadable("cut short")
        return at + length
    while _item_header(data, at)[0] != _ITEM_END:
        _, _, at = _element(data, at, explicit=explicit, depth=depth)
    return at + 8


def _item_header(data: bytes, at: int) -> tuple[int, int]:
    if at + 8 > len(data):
        raise Unreadable("cut short")
    group, number, length = struct.unpack_from("<HHL", data, at)
    return group << 16 | number, length
