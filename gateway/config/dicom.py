"""What DICOM allows as a single value: texts, AE titles, modalities, character sets, transfer syntaxes, IDs."""

import re
import string

from gateway.config import forms, values
from gateway.config.forms import Form, Shaped
from gateway.config.settings import Entity
from gateway.config.values import NOT_YET, Check, Wrong, near, shown, words_of

_OPERATOR_LONGEST = 64  # of a component group of a PN (PS3.5 6.2)
_CARETS = 4  # between its five components
TEMPORARY_ID_FIELDS = {"station": "", "date": "20261121", "time": "235959", "random4": "0000"}

_CODE = re.compile(r"[A-Z0-9_]{2,16}")  # a DICOM code string of more than a letter (PS3.5 6.2)

# Defined terms of Specific Character Set (PS3.3 C.12.1.1.2): alone, or with code extensions.
_ALONE = frozenset({"ISO_IR 192", "GB18030", "GBK"})
_SINGLE_BYTE = ("100", "101", "109", "110", "144", "127", "126", "138", "148", "203", "13", "166")
_PLAIN = frozenset(f"ISO_IR {number}" for number in _SINGLE_BYTE)
_EXTENDED = frozenset(f"ISO 2022 IR {number}" for number in (*_SINGLE_BYTE, "6", "87", "159", "149", "58"))

TRANSFER_SYNTAXES = {  # those of this version, in the words of people
    "1.2.840.10008.1.2.4.70": "JPEG Lossless SV1",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.102": "H.264 High Profile level 4.1",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
}
_SYNTAX_ROOT = "1.2.840.10008.1.2."


def text(limit: int, *, empty: bool = True, ascii_only: bool = False) -> Check:
    """Return a check for a DICOM text of at most `limit` characters (SH 16, LO 64: PS3.5 6.2)."""

    def check(value: object) -> str:
        words = words_of(value)
        if not words.strip() and not empty:
            raise Wrong("must not be empty")
        if len(words) > limit:
            raise Wrong(f"has {len(words)} characters; DICOM allows {limit}")
        if "\\" in words or not words.isprintable():
            raise Wrong("must not contain a backslash or control characters: DICOM separates values with them")
        if ascii_only and not words.isascii():
            raise Wrong("must be plain ASCII: it is written into objects of every character set")
        return words.strip()

    return Shaped(form=Form(longest=limit), check=check)


def code_string(*, empty: bool) -> Check:
    """Return a check for a modality (PS3.3 C.7.3.1.1.1)."""

    def check(value: object) -> str:
        words = words_of(value)
        if not (empty and not words) and not _CODE.fullmatch(words):
            raise Wrong(f"must be a DICOM modality such as US, ES, XC or OT, not {shown(value)}")
        return words

    return Shaped(form=Form(longest=16), check=check)


def ae_title(*, empty: bool = False) -> Check:
    """Return a check for an AE title: 1 to 16 characters, no backslash (PS3.5 6.2)."""

    def check(value: object) -> str:
        words = words_of(value)
        if empty and not words:
            return words
        if not words.strip():
            raise Wrong("must not be empty")
        if len(words) > 16:  # noqa: PLR2004 - PS3.5 6.2
            raise Wrong(f"has {len(words)} characters; an AE title has at most 16")
        if "\\" in words or not words.isascii() or not words.isprintable():
            raise Wrong("must be printable ASCII without a backslash")
        if words != words.strip():
            raise Wrong("must not begin or end with a space")
        return words

    return Shaped(form=Form(longest=16), check=check)


ENTITY: dict[str, Check] = {"ae_title": ae_title(), "host": values.peer_host, "port": values.number(1, 65535)}


def _entity(value: object) -> Entity | bool:
    """Check a service of an archive: true, false, or the other address that gives it."""
    if not isinstance(value, dict):
        return bool(values.flag(value))
    if value.keys() != ENTITY.keys():
        raise Wrong("must be true, false or { ae_title, host, port }")
    made = {}
    for key, check in ENTITY.items():
        try:
            made[key] = check(value[key])
        except Wrong as error:
            raise Wrong(f"its {key} cannot be used: {error}") from None
    return Entity(**made)


entity: Check = Shaped(form=Form(kind=forms.ENTITY), check=_entity)


def charset(value: object) -> str:
    """Check a Specific Character Set; several values are separated by backslashes (PS3.3 C.12.1.1.2)."""
    words = words_of(value)
    terms = words.split("\\")
    if not words or (len(terms) == 1 and words in _ALONE | _PLAIN | _EXTENDED):
        return words
    if len(terms) > 1 and all(term in _EXTENDED or (not term and at == 0) for at, term in enumerate(terms)):
        return words
    if meant := near(words, [*_ALONE, *_PLAIN, *_EXTENDED]):
        raise Wrong(
            'must be a DICOM character set such as "ISO_IR 100", "ISO_IR 192" or "GB18030", '
            f"not {shown(words)}; did you mean {meant}?"
        )
    raise Wrong(
        f'must be a DICOM character set such as "ISO_IR 100", "ISO_IR 192" or "GB18030", not {shown(words)}'
    )


def _transfer_syntaxes(value: object) -> tuple[str, ...]:
    """Check a list of transfer syntax UIDs, in the order in which they are proposed."""
    if not isinstance(value, list) or not all(isinstance(uid, str) for uid in value):
        raise Wrong("must be a list of transfer syntax UIDs in quotes")
    if strange := [uid for uid in value if uid not in TRANSFER_SYNTAXES]:
        known = ", ".join(f"{uid} ({words})" for uid, words in TRANSFER_SYNTAXES.items())
        uid = strange[0]
        if uid.startswith(_SYNTAX_ROOT):
            raise Wrong(f"{shown(uid)} is {NOT_YET}; known here: {known}")
        raise Wrong(f"{shown(uid)} is not a transfer syntax; known here: {known}")
    if len(set(value)) != len(value):
        raise Wrong("names a transfer syntax twice")
    return tuple(value)


transfer_syntaxes: Check = Shaped(
    form=Form(kind=forms.SEVERAL, choices=tuple(TRANSFER_SYNTAXES)), check=_transfer_syntaxes
)


def operator(value: object) -> str:
    """Check the name of somebody who works here: it becomes OperatorsName, a PN of one group."""
    words = words_of(value).strip()
    if not words.strip("^ ") or len(words) > _OPERATOR_LONGEST or not words.isprintable():
        raise Wrong(f"must be 1 to {_OPERATOR_LONGEST} characters, not {shown(value)}")
    if any(sign in words for sign in "\\=") or words.count("^") > _CARETS:
        raise Wrong(
            f'must be written as "Family^Given" or in one piece, without backslash and =, not {shown(value)}'
        )
    return words


def temporary_id(value: object) -> str:
    """Check the template of temporary patient IDs, apart from its length, which hangs on the station."""
    words = words_of(value)
    try:
        parts = list(string.Formatter().parse(words))
    except ValueError:
        raise Wrong("has a brace without its partner") from None
    fields = [field for _, field, _, _ in parts if field is not None]
    for literal, field, form, conversion in parts:
        if field is not None and (field not in TEMPORARY_ID_FIELDS or form or conversion):
            raise Wrong(f"{{{field}}} is not a field; {{station}}, {{date}}, {{time}} and {{random4}} are")
        if not literal.isascii() or not literal.isprintable() or set(literal) & set("\\^=*?{}"):
            raise Wrong("must be plain ASCII without \\ ^ = * ? and braces: it is written as a patient's name")
    if "random4" not in fields:
        raise Wrong("must contain {random4}, so that no ID comes twice")
    return words
