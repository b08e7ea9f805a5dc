"""Data elements as raw values: reads and writes little-endian data sets, never interprets a text.

It is strict where pydicom is lenient (a truncated data set is an error, not a shorter data set) and keeps every
value's bytes, because objects copy what the worklist server wrote.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Self

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

PIXELS = 0x7FE00001  # from here on (Extended Offset Table, Pixel Data) a header ends
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_SHORT = frozenset(
    {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST"}
    | {"TM", "UI", "UL", "US"}
)
_DEEPEST = 12
MOST = 50_000  # elements and items of one data set; each takes thirty times its eight bytes on the wire
_REMEMBERED = 4096  # look-ups in the data dictionary, which cost most of a header otherwise


class Malformed(ValueError):
    """These bytes are no data set of that transfer syntax."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """One data element. `value`: bytes as on the wire, padding included; `items`: of a sequence."""

    tag: int
    vr: str
    value: bytes = field(default=b"", repr=False)
    items: tuple["Elements", ...] = field(default=(), repr=False)

    @property
    def bare(self) -> bytes:
        """The value without its trailing padding."""
        return self.value.rstrip(b" \0")


@dataclass(frozen=True, slots=True)
class Elements:
    """A data set, or an item of a sequence, by tag."""

    by_tag: dict[int, Element] = field(default_factory=dict)

    @classmethod
    def of(cls, elements: Iterable[Element]) -> Self:
        return cls({element.tag: element for element in sorted(elements, key=lambda each: each.tag)})

    def __iter__(self) -> Iterator[Element]:
        return iter(self.by_tag.values())

    def find(self, keyword: str) -> Element | None:
        return self.by_tag.get(tag(keyword))

    def value(self, keyword: str) -> bytes:
        """Return the value without padding; empty when the element is absent."""
        found = self.find(keyword)
        return found.bare if found else b""

    def text(self, keyword: str) -> str:
        """Return a value of a VR that knows no character set (UI, CS, DA, IS ...)."""
        return self.value(keyword).decode("ascii", "replace").strip()

    def number(self, keyword: str) -> int:
        """Return a US value; 0 when it is absent or of another length."""
        value = self.by_tag.get(tag(keyword))
        return int.from_bytes(value.value, "little") if value and len(value.value) == 2 else 0  # noqa: PLR2004 - bytes

    def first(self, keyword: str) -> "Elements":
        """Return the first item of a sequence; an empty one when there is none."""
        found = self.find(keyword)
        return found.items[0] if found and found.items else Elements()

    def walk(self) -> Iterator[Element]:
        """Visit every element, those inside items too."""
        for element in self:
            yield element
            for item in element.items:
                yield from item.walk()


@lru_cache(_REMEMBERED)
def tag(keyword: str) -> int:
    """Return the tag of a keyword of the data dictionary."""
    found = tag_for_keyword(keyword)
    if found is None:
        raise KeyError(keyword)
    return found


def keyword(element: Element) -> str:
    """Name an element for a message; private ones by their tag."""
    return keyword_for_tag(element.tag) or f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X})"


@lru_cache(_REMEMBERED)
def vr_of(number: int) -> str:
    """Return the dictionary's VR; UN for unknown, private and ambiguous ones."""
    if number >> 16 & 1:  # private (PS3.5 7.1)
        return "UN"
    try:
        vr = dictionary_VR(number)
    except KeyError:
        return "UN"
    return vr if vr in _SHORT or vr in _LONG else "UN"


def parse(raw: bytes, *, explicit: bool, most: int = MOST) -> Elements:
    """Read a data set of at most `most` elements up to its pixel data. Raises Malformed, nothing else."""
    return _data_set(raw, 0, len(raw), explicit=explicit, depth=0, budget=_Budget(most))[0]


def parse_head(raw: bytes, *, explicit: bool, start: int = 0) -> tuple[Elements, int]:
    """Read a data set from byte `start` up to its pixel data; also return where these begin. Raises Malformed."""
    return _data_set(raw, start, len(raw), explicit=explicit, depth=0, budget=_Budget(MOST))


def spans(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield tag, begin and end of each element of a data set as `encode` writes it: explicit, no open lengths."""
    position = 0
    while position < len(raw):
        head = _head(raw, position, len(raw), explicit=True)
        yield head.tag, position, head.end + head.length
        position = head.end + head.length


def read_one(raw: bytes, start: int) -> tuple[Element | None, int]:
    """Read the element at byte `start`, in Explicit VR; None when it is a sequence, or not whole."""
    try:
        head = _head(raw, start, len(raw), explicit=True)
    except Malformed:
        return None, start
    end = head.end + head.length
    if head.vr in _LONG or end > len(raw):
        return None, start
    return Element(tag=head.tag, vr=head.vr, value=raw[head.end : end]), end


def encode(elements: Iterable[Element], *, explicit: bool) -> bytes:
    """Write a data set; values are padded to even length, sequences have defined lengths."""
    return joined({each.tag: encoded(each, explicit=explicit) for each in elements})


def joined(elements: Mapping[int, bytes]) -> bytes:
    """Return the data set of encoded elements, by tag, in the order of their tags."""
    return b"".join(elements[number] for number in sorted(elements))


def head(element: Element, length: int, *, explicit: bool) -> bytes:
    """Return the tag, VR and length in front of a value."""
    start = struct.pack("<HH", element.tag >> 16, element.tag & 0xFFFF)
    if not explicit:
        return start + struct.pack("<L", length)
    if element.vr in _LONG:
        return start + element.vr.encode() + struct.pack("<HL", 0, length)
    return start + element.vr.encode() + struct.pack("<H", length)


def encoded(element: Element, *, explicit: bool) -> bytes:
    """Write one element."""
    if element.vr == "SQ":
        items = (encode(item, explicit=explicit) for item in element.items)
        value = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in items)
    else:
        value = element.value + (b"\0" if element.vr in {"UI", "OB", "UN"} else b" ") * (len(element.value) % 2)
    return head(element, len(value), explicit=explicit) + value


class _Budget:
    """How many elements and items a data set may still have."""

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Malformed("there are more elements than any data set has")


def _data_set(
    raw: bytes, start: int, end: int, *, explicit: bool, depth: int, budget: _Budget
) -> tuple[Elements, int]:
    """Read elements until `end`, an item delimiter or the pixel data; also return where that was."""
    if depth > _DEEPEST:
        raise Malformed("sequences are nested too deeply")
    found: dict[int, Element] = {}
    position = start
    while position < end:
        head = _head(raw, position, end, explicit=explicit)
        number = head.tag
        if number == _ITEM_END and depth:
            return Elements(found), head.end
        if depth == 0 and number >= PIXELS:
            break
        budget.take()
        element, position = _value(raw, head, end, explicit=explicit, depth=depth, budget=budget)
        if number & 0xFFFF == 0:
            continue  # group lengths are retired and say nothing
        if number in found:
            raise Malformed("an element occurs twice")
        found[number] = element
    return Elements(dict(sorted(found.items()))), position


class _Head(NamedTuple):  # of each element one: quicker to make than a dataclass
    tag: int
    vr: str
    length: int
    end: int  # where the value begins


def _head(raw: bytes, position: int, end: int, *, explicit: bool) -> _Head:
    if position + 8 > end:
        raise Malformed("the data set ends inside an element")
    group, number = struct.unpack_from("<HH", raw, position)
    full = group << 16 | number
    if group == 0xFFFE or not explicit:  # noqa: PLR2004 - delimiters have no VR (PS3.5 7.5)
        return _Head(full, vr_of(full), struct.unpack_from("<L", raw, position + 4)[0], position + 8)
    vr = raw[position + 4 : position + 6].decode("latin-1")
    if vr in _SHORT:
        return _Head(full, vr, struct.unpack_from("<H", raw, position + 6)[0], position + 8)
    if vr not in _LONG or position + 12 > end:
        raise Malformed("an element has no known value representation")
    return _Head(full, vr, struct.unpack_from("<L", raw, position + 8)[0], position + 12)


def _value(
    raw: bytes, head: _Head, end: int, *, explicit: bool, depth: int, budget: _Budget
) -> tuple[Element, int]:
    number, vr, length, position = head.tag, head.vr, head.length, head.end
    inside = explicit and vr != "UN"  # a sequence written as UN is in Implicit VR (PS3.5 6.2.2)
    if vr == "UN":
        vr = vr_of(number)
    if length == _UNDEFINED or vr == "SQ":
        stop = end if length == _UNDEFINED else position + length
        if stop > end:
            raise Malformed("a sequence is longer than the data set")
        open_ended = length == _UNDEFINED
        items, position = _items(
            raw, position, stop, explicit=inside, open_ended=open_ended, depth=depth, budget=budget
        )
        return Element(tag=number, vr="SQ", items=items), position
    if number >> 16 in {0xFFFE, 0x0000, 0x0002} or position + length > end:
        raise Malformed("a value is longer than the data set, or in a group that has no place here")
    return Element(tag=number, vr=vr, value=raw[position : position + length]), position + length


def _items(
    raw: bytes, position: int, end: int, *, explicit: bool, open_ended: bool, depth: int, budget: _Budget
) -> tuple[tuple[Elements, ...], int]:
    items: list[Elements] = []
    while position < end:
        head = _head(raw, position, end, explicit=explicit)
        number, length, position = head.tag, head.length, head.end
        if number == _SEQUENCE_END and open_ended:
            return tuple(items), position
        if number != _ITEM:
            raise Malformed("a sequence holds something that is no item")
        stop = end if length == _UNDEFINED else position + length
        if stop > end:
            raise Malformed("an item is longer than its sequence")
        budget.take()
        item, position = _data_set(raw, position, stop, explicit=explicit, depth=depth + 1, budget=budget)
        if length != _UNDEFINED and position != stop:
            raise Malformed("an item ends early")
        items.append(item)
    if open_ended:
        raise Malformed("a sequence does not end")
    return tuple(items), position
