"""A data set in the making: copied bytes beside our own texts, until their character set is chosen."""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from gateway.dicom import charset, elements, values
from gateway.dicom.elements import Element, Elements
from gateway.errors import ObjectError, TextDoesNotFit

SEVERAL = frozenset(  # of what is written here, what may have several values
    {
        "ImageType",
        "FrameTimeVector",
        "LossyImageCompressionRatio",
        "LossyImageCompressionMethod",
        "PixelAspectRatio",
    }
)
_LIMITS = {"LO": 64, "SH": 16, "ST": 1024}


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """An object without its pixel data: its data set in Explicit VR Little Endian, as it goes to the file."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    frames: int
    data: bytes = field(repr=False)


class Draft:
    """Elements by keyword. A text is either ours (str) or the order's (bytes in the order's character set)."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._values: dict[int, bytes] = {}
        self._items: dict[int, tuple[Draft, ...]] = {}

    def put(self, keyword: str, text: str = "") -> Self:
        """Write our own value; raises ObjectError when its VR does not allow it. Empty is allowed."""
        number = elements.tag(keyword)
        if text and not all(values.allowed(elements.vr_of(number), each) for each in _each(keyword, text)):
            raise ObjectError(f"{keyword} is too long or has characters that DICOM does not allow there.")
        self._texts[number] = text
        return self

    def describe(self, keyword: str, text: str) -> Self:
        """Write our own description, shortened to what its VR takes; an empty one is left out."""
        limit = _LIMITS[elements.vr_of(elements.tag(keyword))]
        if short := re.sub(r"[\\\r\n\t\f\0]", " ", text)[:limit].strip():
            self.put(keyword, short)
        return self

    def copy(self, keyword: str, element: Element) -> Self:
        """Write the order's bytes, without their padding."""
        self._values[elements.tag(keyword)] = element.bare
        return self

    def binary(self, keyword: str, *numbers: int) -> Self:
        """Write US values, or tags as AT."""
        at = elements.vr_of(elements.tag(keyword)) == "AT"
        words = [word for each in numbers for word in ((each >> 16, each & 0xFFFF) if at else (each,))]
        self._values[elements.tag(keyword)] = struct.pack(f"<{len(words)}H", *words)
        return self

    def octets(self, keyword: str, value: bytes) -> Self:
        """Write an OB value."""
        self._values[elements.tag(keyword)] = value
        return self

    def sequence(self, keyword: str, items: Sequence["Draft"]) -> Self:
        """Write a sequence; one without items, or with empty ones only, is left out."""
        if kept := tuple(item for item in items if not item.is_empty):
            self._items[elements.tag(keyword)] = kept
        return self

    def present(self, *keywords: str) -> Self:
        """Write each of these without a value, unless it has one: what is of type 2 must be there."""
        for keyword in keywords:
            number = elements.tag(keyword)
            if self.has(keyword):
                continue
            if elements.vr_of(number) == "SQ":
                self._items[number] = ()
            else:
                self._texts[number] = ""
        return self

    def has(self, keyword: str) -> bool:
        number = elements.tag(keyword)
        return any(number in each for each in (self._texts, self._values, self._items))

    @property
    def is_empty(self) -> bool:
        return not (self._texts or self._values or self._items)

    def encode(self, source: str) -> bytes:
        """Return the data set in Explicit VR Little Endian; arguments and errors as of `encoded`."""
        return elements.joined(self.encoded(source))

    def encoded(self, source: str) -> dict[int, bytes]:
        """Return the elements of the data set, by tag, each in Explicit VR Little Endian.

        `source`: the order's character set, kept when all of our own texts fit it; else everything becomes
        ISO_IR 192. Raises TextDoesNotFit when a copied text is not of its character set.
        """
        try:
            finished = self.finish(source, source)
        except TextDoesNotFit:
            finished = self.finish(charset.UTF8, source)
        return {each.tag: elements.encoded(each, explicit=True) for each in finished}

    def encode_in(self, character_set: str) -> bytes:
        """Return the data set in that character set, which its copied texts have already."""
        return elements.encode(self.finish(character_set, character_set), explicit=True)

    def finish(self, written: str, source: str) -> Elements:
        """Return the elements, texts written in one character set. Raises TextDoesNotFit."""
        found = [_text(number, text, written) for number, text in self._texts.items()]
        found += [_copied(number, value, written, source) for number, value in self._values.items()]
        found += [
            Element(tag=number, vr="SQ", items=tuple(item.finish_item(written, source) for item in items))
            for number, items in self._items.items()
        ]
        if written:
            number = elements.tag("SpecificCharacterSet")
            found.append(Element(tag=number, vr="CS", value=written.encode()))
        return Elements.of(found)

    def finish_item(self, written: str, source: str) -> Elements:
        """Return the elements of an item; it has the character set of its data set."""
        inherited = self.finish(written, source)
        number = elements.tag("SpecificCharacterSet")
        return Elements.of(each for each in inherited if each.tag != number)


def _each(keyword: str, text: str) -> list[str]:
    return text.split("\\") if keyword in SEVERAL else [text]


def _text(number: int, text: str, written: str) -> Element:
    vr = elements.vr_of(number)
    value = charset.encode(text, written) if vr in charset.TEXT_VRS else text.encode("ascii")
    return Element(tag=number, vr=vr, value=value)


def _copied(number: int, value: bytes, written: str, source: str) -> Element:
    vr = elements.vr_of(number)
    if vr in charset.TEXT_VRS:
        text = charset.decode(value, source)
        value = value if written == source else charset.encode(text, written)
    return Element(tag=number, vr=vr, value=value)
