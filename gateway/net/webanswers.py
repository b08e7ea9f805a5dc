"""What an HTTP status of a DICOMweb store means for a picture, and what its answer says of each. No network.

PS3.18 10.5.3 and annex I; what follows from them is this product's decision, as in `statuses`.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from gateway.errors import DeliveryError, NeedsConfiguration, NeverAccepted, TryLater
from gateway.messages import N_
from gateway.net import statuses
from gateway.net.peers import capital
from gateway.net.statuses import Meaning

_STORED, _FAILED = "00081199", "00081198"  # ReferencedSOPSequence, FailedSOPSequence
_UID, _WARNING, _FAILURE = "00081155", "00081196", "00081197"
_AVAILABILITY, _NOT_THERE = "00080056", "UNAVAILABLE"  # PS3.3 C.4.23.1.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """HTTP statuses `first` to `last`. unsure: the object may have been stored all the same."""

    first: int
    last: int
    meaning: Meaning
    code: str
    says: str
    unsure: bool = False


def _row(first: int, last: int, meaning: Meaning, code: str, says: str, *, unsure: bool = False) -> Row:
    return Row(first=first, last=last, meaning=meaning, code=code, says=says, unsure=unsure)


_LATER, _SETTING, _NEVER = Meaning.TRY_LATER, Meaning.NEEDS_CONFIGURATION, Meaning.NEVER_ACCEPTED

# The first row that fits counts.
TABLE: tuple[Row, ...] = (
    _row(300, 399, _SETTING, "moved", "redirects to another address; nothing is sent there"),
    _row(400, 400, _NEVER, "refused", "cannot read what was sent"),
    _row(401, 401, _SETTING, "not-authorized", "does not know who we are"),
    _row(403, 403, _SETTING, "not-authorized", "does not allow it"),
    _row(407, 407, _SETTING, "not-authorized", "stands behind a proxy that wants to know who we are"),
    _row(404, 405, _SETTING, "wrong-address", "has nothing that stores at this address"),
    _row(410, 410, _SETTING, "wrong-address", "has nothing that stores at this address any more"),
    _row(501, 501, _SETTING, "wrong-address", "does not store over the web"),
    _row(408, 408, _LATER, "busy", "did not get everything in time"),
    _row(425, 425, _LATER, "busy", "wants it later"),
    _row(429, 429, _LATER, "busy", "has too much to do"),
    _row(413, 413, _NEVER, "too-large", "takes nothing of this size"),
    _row(409, 409, _NEVER, "refused", "did not store it, and does not say why"),
    _row(415, 415, _NEVER, "format", "does not take it in this format"),
    _row(400, 499, _NEVER, "refused", "refuses it"),
    _row(503, 503, _LATER, "busy", "cannot work at present"),
    _row(507, 507, _LATER, "out-of-resources", "is out of resources"),
    _row(500, 599, _LATER, "server-error", "had an error", unsure=True),
)
UNKNOWN = _row(0, 999, _LATER, "unknown-status", "gave an answer that the standard does not know", unsure=True)

# Failure reasons that mean something else than in C-STORE (PS3.18 table I.2-2), or that only web archives have:
# B00E and B00F, 45070 and 45071, are from the conformance statement of Microsoft's Medical Imaging Server.
_REASONS: Mapping[int, tuple[Meaning, str, str]] = MappingProxyType(
    {
        0xC122: (_SETTING, "no-context", N_("does not take this kind of object in its format")),
        0xB00E: (Meaning.DUPLICATE, "duplicate", N_("says that it has another object of this identity")),
        0xB00F: (_LATER, "busy", N_("is still storing an object of this identity")),
    }
)
_KINDS: Mapping[Meaning, type[DeliveryError]] = MappingProxyType(
    {
        _LATER: TryLater,
        _SETTING: NeedsConfiguration,
        Meaning.NOT_THIS_CLASS: NeedsConfiguration,
        _NEVER: NeverAccepted,
        Meaning.DUPLICATE: NeverAccepted,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What an answer says of single objects: UID -> the warning, or the reason of the failure, None for none."""

    stored: Mapping[str, int | None] = field(default_factory=dict)
    failed: Mapping[str, int | None] = field(default_factory=dict)


def by_status(status: int, *, who: str) -> DeliveryError:
    """Return the error of an HTTP status that is not a success."""
    row = next((row for row in TABLE if row.first <= status <= row.last), UNKNOWN)
    error = _KINDS[row.meaning](N_(f"{capital(who)} {row.says} (HTTP {status})."), code=row.code)
    error.status = "" if row.unsure else f"HTTP {status}"
    return error


def by_reason(reason: int | None, *, who: str) -> tuple[Meaning, DeliveryError]:
    """Return what the reason of a failure means, and the error for it."""
    rule = statuses.rule_for(reason if reason is not None else -1)
    if rule.meaning in {Meaning.STORED, Meaning.STORED_WITH_WARNING}:  # a success, listed as a failure
        rule = statuses.UNKNOWN
    meaning, code, says = _REASONS.get(reason or 0, (rule.meaning, rule.code, rule.says))
    shown = f"{reason:04X}" if reason is not None else "not given"
    error = _KINDS[meaning](N_(f"{capital(who)} {says} (reason {shown})."), code=code)
    error.status = shown if reason is not None else "failed"
    return meaning, error


def warning(reason: int) -> str:
    """Return what an archive did to an object that it stored."""
    rule = statuses.rule_for(reason)
    return (
        rule.says
        if rule.meaning is Meaning.STORED_WITH_WARNING and rule.code != "warning"
        else N_(f"found fault with it (warning {reason:04X})")
    )


def read(body: bytes, content_type: str) -> Said:
    """Return what a store's answer says, in JSON or XML. Raises ValueError when it is none."""
    try:
        sequences = _from_xml(body) if "xml" in content_type or body.lstrip()[:1] == b"<" else _from_json(body)
        return Said(
            stored={item[_UID]: _number(item.get(_WARNING)) for item in sequences(_STORED) if item.get(_UID)},
            failed={item[_UID]: _number(item.get(_FAILURE)) for item in sequences(_FAILED) if item.get(_UID)},
        )
    except (ET.ParseError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError("not an answer of a store") from error


Sequences = Callable[[str], Iterator[dict[str, str]]]  # tag of a sequence -> its items: tag -> first value


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """An object that an archive lists. study: "" when it does not say; there: False when nobody can have it."""

    uid: str
    study: str
    there: bool


def found_in(body: bytes) -> list[Listed]:
    """Return the objects of a QIDO answer in JSON.

    Raises ValueError when it is none.
    """
    try:
        entries = json.loads(body) if body.strip() else []
    except (RecursionError, UnicodeDecodeError) as error:
        raise ValueError("not an answer to a search") from error
    if not isinstance(entries, list):
        raise ValueError("not an answer to a search")  # noqa: TRY004 - foreign text, not a caller's mistake
    return [
        Listed(uid=uid, study=_first(entry, "0020000D"), there=_first(entry, _AVAILABILITY) != _NOT_THERE)
        for entry in entries
        if (uid := _first(entry, "00080018"))
    ]


def _from_json(body: bytes) -> Sequences:
    """PS3.18 annex F; some servers put the one data set into a list."""
    whole = json.loads(body)
    if isinstance(whole, list) and len(whole) == 1:
        whole = whole[0]
    if not isinstance(whole, dict):
        raise ValueError("not a data set")  # noqa: TRY004 - foreign text, not a caller's mistake

    def items(tag: str) -> Iterator[dict[str, str]]:
        for item in _values(whole, tag):
            yield {each: _first(item, each) for each in (_UID, _WARNING, _FAILURE)}

    return items


def _values(item: Any, tag: str) -> list[Any]:  # noqa: ANN401 - whatever JSON holds
    element = item.get(tag) if isinstance(item, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _first(item: Any, tag: str) -> str:  # noqa: ANN401 - whatever JSON holds
    values = _values(item, tag)
    return str(values[0]).strip() if values and isinstance(values[0], str | int) else ""


def _from_xml(body: bytes) -> Sequences:
    """PS3.19 A.1. A document type is refused: entities are how XML attacks its reader."""
    text = body.decode("utf-8-sig")  # no other encoding, in which a document type could hide
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("XML with a document type")
    root = ET.fromstring(text)  # noqa: S314 - no document type, no entities; the caller bounds its length

    def items(tag: str) -> Iterator[dict[str, str]]:
        for sequence in root.iterfind(f"{{*}}DicomAttribute[@tag='{tag}']"):
            for item in sequence.iterfind("{*}Item"):
                yield {
                    attribute.get("tag", ""): (attribute.findtext("{*}Value") or "").strip()
                    for attribute in item.iterfind("{*}DicomAttribute")
                }

    return items


def _number(words: str | None) -> int | None:
    return int(words) if words and words.isdecimal() and len(words) < 6 else None  # noqa: PLR2004 - a US value


def as_markdown() -> str:
    """Print the table as the documents show it."""
    lines = ["| HTTP | the archive | the box | code |", "|---|---|---|---|"]
    for row in TABLE:
        name = str(row.first) if row.first == row.last else f"{row.first}-{row.last}, if not named"
        unsure = "; asks first whether it is there" if row.unsure else ""
        lines.append(f"| {name} | {row.says} | {row.meaning}{unsure} | `{row.code}` |")
    return "\n".join(lines) + "\n"
