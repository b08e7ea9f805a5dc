"""What a value representation allows (PS3.5 6.2). Says whether a value may stand in an object; repairs nothing."""

import re
from datetime import date
from functools import lru_cache

_LONGEST = {"AE": 16, "LO": 64, "LT": 10240, "SH": 16, "ST": 1024, "UC": 2**32, "UT": 2**32}  # characters
_LAYOUT_ALLOWED = frozenset({"LT", "ST", "UT"})
_PATTERNS = {
    "AS": re.compile(r"\d{3}[DWMY]", re.ASCII),
    "CS": re.compile(r"[A-Z0-9_ ]{0,16}", re.ASCII),
    "DS": re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *", re.ASCII),
    "IS": re.compile(r" *[+-]?\d{1,11} *", re.ASCII),
    "TM": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?", re.ASCII),
    "UI": re.compile(r"\d+(\.\d+)*", re.ASCII),
}
_GROUPS, _COMPONENTS, _GROUP_LONGEST = 3, 5, 64
_NUMBER_LONGEST, _UID_LONGEST = 16, 64
_SHORT = 256  # characters; longer ones are not remembered, a server may send megabytes


def allowed(vr: str, text: str) -> bool:
    """Say whether one value, decoded and without padding, is of that VR. A backslash makes it two: refused.

    A UID component with a leading zero passes: an archive knows the study by this very text.
    """
    return (_short_allowed if len(text) <= _SHORT else _allowed)(vr, text)


def _allowed(vr: str, text: str) -> bool:
    if vr == "PN":
        return _person_name(text)
    if vr == "DA":
        return is_date(text)
    if vr in _PATTERNS:
        limit = _UID_LONGEST if vr == "UI" else _NUMBER_LONGEST
        return len(text) <= limit and _PATTERNS[vr].fullmatch(text) is not None
    if vr not in _LONGEST or len(text) > _LONGEST[vr]:
        return False
    return vr in _LAYOUT_ALLOWED or not re.search(r"[\\\r\n\t\f]", text)


_short_allowed = lru_cache(1024)(_allowed)  # an exam asks the same of each of its objects


def is_date(text: str) -> bool:
    """Say whether this is a day as YYYYMMDD."""
    return as_date(text) == text and text != ""


def as_date(text: str) -> str:
    """Return YYYYMMDD for that and for ACR-NEMA's YYYY.MM.DD; "" for everything else."""
    match = re.fullmatch(r"(\d{4})(\.?)(\d\d)\2(\d\d)", text, re.ASCII)
    if match is None:
        return ""
    try:
        return date(int(match[1]), int(match[3]), int(match[4])).strftime("%4Y%m%d")
    except ValueError:
        return ""


def is_uid(text: str) -> bool:
    return allowed("UI", text)


def _person_name(text: str) -> bool:
    groups = text.split("=")
    return (
        len(groups) <= _GROUPS
        and not re.search(r"[\\\r\n\t\f]", text)
        and all(len(group) <= _GROUP_LONGEST and group.count("^") < _COMPONENTS for group in groups)
    )
