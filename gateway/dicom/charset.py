"""SpecificCharacterSet: decodes and encodes DICOM text strictly. No character is lost or replaced in silence.

pydicom only warns, or says nothing, when a text does not fit its character set; so no text passes through it.
"""

import codecs
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from gateway.errors import TextDoesNotFit

UTF8 = "ISO_IR 192"
TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
REPLACED = "\N{REPLACEMENT CHARACTER}"

_JIS_X0201 = "jis-x0201"  # one byte a character; Python's shift_jis would take kanji too
_JIS_X0201_TABLE = "".join(
    chr(byte) if byte < 0x80 else chr(byte - 0xA1 + 0xFF61) if 0xA1 <= byte <= 0xDF else "\ufffe"  # noqa: PLR2004 - the standard's table
    for byte in range(256)
)
# Defined terms without code extensions (PS3.3 C.12.1.1.2) and Python's codec of each.
_SINGLE = {
    "": "ascii",
    "ISO_IR 6": "ascii",
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 13": _JIS_X0201,
    "ISO_IR 166": "iso8859-11",
    UTF8: "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
# What an escape sequence designates: (which half of the code table, codec). PS3.3 tables C.12-3 and C.12-4.
_ESCAPES = {
    b"\x1b(B": ("G0", "ascii"),
    b"\x1b(J": ("G0", "ascii"),  # JIS X 0201 romaji
    b"\x1b$B": ("G0", "iso2022_jp"),
    b"\x1b$@": ("G0", "iso2022_jp"),
    b"\x1b$(D": ("G0", "iso2022_jp_2"),
    b"\x1b)I": ("G1", _JIS_X0201),
    b"\x1b$)A": ("G1", "gb2312"),
    b"\x1b$)C": ("G1", "euc_kr"),
    b"\x1b-A": ("G1", "latin-1"),
    b"\x1b-B": ("G1", "iso8859-2"),
    b"\x1b-C": ("G1", "iso8859-3"),
    b"\x1b-D": ("G1", "iso8859-4"),
    b"\x1b-F": ("G1", "iso8859-7"),
    b"\x1b-G": ("G1", "iso8859-6"),
    b"\x1b-H": ("G1", "iso8859-8"),
    b"\x1b-L": ("G1", "iso8859-5"),
    b"\x1b-M": ("G1", "iso8859-9"),
    b"\x1b-T": ("G1", "iso8859-11"),
    b"\x1b-b": ("G1", "iso8859-15"),
}
_JIS = {"iso2022_jp": b"\x1b$B", "iso2022_jp_2": b"\x1b$(D"}
_PIECE = re.compile(rb"\x1b\$?[(),\-]?[A-Za-z@]|[\r\n\t\f\\^=]|[^\x1b\r\n\t\f\\^=]+|\x1b")
_JIS_PIECE = re.compile(rb"\x1b\$?[(),\-]?[A-Za-z@]|[^\x1b]+|\x1b")
_LAYOUT = frozenset("\r\n\t\f")  # allowed in LT, ST and UT only
_EXTENSIONS = {
    term.replace("ISO_IR", "ISO 2022 IR"): codec
    for term, codec in _SINGLE.items()
    if term.startswith("ISO_IR ") and term != UTF8
}
_MULTI_BYTE = frozenset({"ISO 2022 IR 87", "ISO 2022 IR 159", "ISO 2022 IR 149", "ISO 2022 IR 58"})

_REMEMBERED = 512  # values: an exam writes the same ones into each of its objects ...
_SHORT = 256  # ... of at most so many bytes or characters: a server may send megabytes


@dataclass(frozen=True, kw_only=True, slots=True)
class _Set:
    initial: str  # codec of a value's beginning
    extended: bool  # escape sequences may occur


def known(character_set: str) -> bool:
    """Say whether every term of a backslash-separated SpecificCharacterSet is a defined one."""
    return _set(character_set) is not None


def decode(value: bytes, character_set: str) -> str:
    """Decode a value without its trailing padding. Raises TextDoesNotFit when it is not of that set."""
    return (_decode_short if len(value) <= _SHORT else _decode_strictly)(value, character_set)


def _decode_strictly(value: bytes, character_set: str) -> str:
    text = _decode(value.rstrip(b" \0"), character_set, "strict")
    if _has_controls(text):
        raise TextDoesNotFit("A text holds control characters.")
    return text


def decode_for_display(value: bytes, character_set: str) -> str:
    """Decode whatever it is; what cannot be read becomes the replacement character. Never raises."""
    usable = character_set if known(character_set) else ""
    text = _decode(value.rstrip(b" \0"), usable, "replace")
    return "".join(REPLACED if _has_controls(each) else each for each in text)


def encode(text: str, character_set: str) -> bytes:
    """Encode a text. Raises TextDoesNotFit rather than to lose one character."""
    return (_encode_short if len(text) <= _SHORT else _encode_strictly)(text, character_set)


def _encode_strictly(text: str, character_set: str) -> bytes:
    found = _set(character_set)
    if found is None or REPLACED in text or _has_controls(text):
        raise TextDoesNotFit("A text holds characters that cannot be written.")
    try:
        value = _to_bytes(text, found.initial)
    except UnicodeEncodeError as error:
        raise TextDoesNotFit from error
    if not found.extended and _decode(value, character_set, "strict") == text:
        return value
    if found.extended and _decode(value.rstrip(b" \0"), character_set, "strict") == text.rstrip(" "):
        return value
    raise TextDoesNotFit


_decode_short = lru_cache(_REMEMBERED)(_decode_strictly)
_encode_short = lru_cache(_REMEMBERED)(_encode_strictly)


def is_plain(value: bytes) -> bool:
    """Say whether these bytes mean the same in every character set: ASCII without escape sequences."""
    return value.isascii() and b"\x1b" not in value


@lru_cache(64)
def _set(character_set: str) -> _Set | None:
    terms = [term.strip() for term in character_set.split("\\")]
    first = terms[0]
    if len(terms) == 1 and first in _SINGLE:
        return _Set(initial=_SINGLE[first], extended=False)
    codec = _SINGLE.get(first) if first not in {UTF8, "GB18030", "GBK"} else None
    codec = codec or _EXTENSIONS.get(first) or ("ascii" if first in _MULTI_BYTE else None)
    rest = all(term in _EXTENSIONS or term in _MULTI_BYTE or term in _SINGLE for term in terms[1:])
    return _Set(initial=codec, extended=True) if codec and rest else None


def _decode(value: bytes, character_set: str, errors: str) -> str:
    found = _set(character_set)
    if found is None:
        raise TextDoesNotFit("The character set is not a defined one.")
    try:
        if not found.extended:
            return _to_text(value, found.initial, errors)
        return "".join(_pieces(value, found.initial, errors))
    except (UnicodeDecodeError, ValueError) as error:
        raise TextDoesNotFit from error


def _pieces(value: bytes, initial: str, errors: str) -> list[str]:
    """Follow the escape sequences (ISO/IEC 2022 as PS3.5 6.1.2.5 limits it)."""
    low, high = "ascii", initial
    texts: list[str] = []
    position = 0
    while match := (_JIS_PIECE if low in _JIS else _PIECE).match(value, position):
        piece, position = match.group(), match.end()
        if piece in _ESCAPES:
            half, codec = _ESCAPES[piece]
            low, high = (codec, high) if half == "G0" else (low, codec)
        elif low in _JIS:
            texts.append(codecs.decode(_JIS[low] + piece, low, errors))
        else:
            texts.append(_to_text(piece, high, errors))
            if len(piece) == 1 and piece in b"\r\n\t\f\\^=":
                high = initial  # a delimiter takes everything back to the start
    return texts


def _to_text(value: bytes, codec: str, errors: str) -> str:
    if codec == _JIS_X0201:
        return codecs.charmap_decode(value, errors, _JIS_X0201_TABLE)[0]
    return value.decode(codec, errors)


def _to_bytes(text: str, codec: str) -> bytes:
    if codec == _JIS_X0201:
        return codecs.charmap_encode(text, "strict", codecs.charmap_build(_JIS_X0201_TABLE))[0]
    return text.encode(codec)


def _has_controls(text: str) -> bool:
    if text.isprintable():
        return False
    return any(unicodedata.category(each) in {"Cc", "Cs"} and each not in _LAYOUT for each in text)
