"""Versions as RAUC compares them (semver.org): numbers, and what came before a release is older than it."""

import re

_FORM = re.compile(
    r"(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:-([0-9A-Za-z.-]{1,64}))?(?:\+[0-9A-Za-z.-]{1,64})?"
)
Order = tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]


def order(version: str) -> Order:
    """Return what versions are sorted by. Raises ValueError."""
    found = _FORM.fullmatch(version)
    if not found:
        raise ValueError("not a version")
    major, minor, patch, before = found.groups()
    parts = tuple(_part(part) for part in before.split(".")) if before else ()
    return (int(major), int(minor or 0), int(patch or 0)), not parts, parts


def newest(*versions: str) -> str:
    """Return the newest; what is no version is older than all."""
    return max(versions, key=_known)


def _known(version: str) -> tuple[bool, Order]:
    try:
        return True, order(version)
    except ValueError:
        return False, order("0")


def _part(text: str) -> tuple[bool, int, str]:
    return (False, int(text), "") if text.isdigit() else (True, 0, text)
