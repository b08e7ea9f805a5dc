"""Names that can be mistaken for each other. Warns too often rather than too seldom; decides nothing."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Protocol

from gateway.model import Patient

_SPELLINGS = (
    ("ae", "e"),
    ("oe", "o"),
    ("ue", "u"),
    ("ai", "ei"),
    ("ay", "ei"),
    ("ey", "ei"),
    ("ie", "i"),
    ("ck", "k"),
    ("ph", "f"),
    ("th", "t"),
    ("dt", "t"),
    ("tz", "z"),
    ("v", "f"),
    ("w", "f"),
    ("y", "i"),
)
_LONGEST = 64  # letters of a component group (PS3.5 6.2); comparing takes the square of them
_LONG_ENOUGH = 4  # in shorter names one letter is no slip of the pen
_FAR = 2


class OfPatient(Protocol):
    """An entry of the worklist, or an exam."""

    @property
    def patient(self) -> Patient: ...


class Names:
    """The names of a list, kept so that each is compared only with those that may be like it."""

    def __init__(self, items: Iterable[OfPatient]) -> None:
        self._by_key: dict[str, list[OfPatient]] = {}
        for item in items:
            for key in _keys(item.patient.name):
                self._by_key.setdefault(key, []).append(item)

    def like(self, patient: Patient, *, most: int = 2) -> list[OfPatient]:
        """Return one of each other patient whose family name looks or sounds like this one's."""
        found: dict[str, OfPatient] = {}
        for item in (item for key in _keys(patient.name) for item in self._by_key.get(key, ())):
            if (item.patient.id, item.patient.issuer) == (patient.id, patient.issuer):
                continue
            if item.patient.id not in found and alike(patient.name, item.patient.name):
                found[item.patient.id] = item
                if len(found) == most:
                    break
        return list(found.values())


def alike(one: str, other: str) -> bool:
    """Say whether two PNs have a family name in common, up to spelling, in any of their groups."""
    return any(_alike(a, b) for a in _families(one) for b in _families(other))


def distance(one: str, other: str) -> int:
    """Count the letters to change, add, drop or swap with their neighbour (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def folded(text: str) -> str:
    """Return a text without case and accents, for searching and comparing."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


def finds(sought: str, fields: str) -> bool:
    """Say whether every word of `sought` begins a word of `fields`: names, IDs, numbers, with spaces."""
    words = folded(fields.replace("^", " ").replace("=", " ")).split()
    return all(
        any(word.startswith(each) or (not each.isascii() and each in word) for word in words)
        for each in folded(sought).replace(",", " ").split()
    )


def _families(name: str) -> set[str]:
    families = (group.split("^")[0] for group in name.split("=")[:2])
    return {letters for family in families if (letters := re.sub(r"[\W_]+", "", folded(family[:_LONGEST])))}


def _keys(name: str) -> list[str]:
    """Return words of which two names that are alike share at least one.

    Names one letter or one swap apart become the same when each loses the right letter, or one of them loses it.
    """
    families = sorted(_families(name))
    short = [
        family[:at] + family[at + 1 :]
        for family in families
        if len(family) >= _LONG_ENOUGH
        for at in range(len(family))
    ]
    return list(dict.fromkeys([*families, *("~" + _sound(family) for family in families), *short]))


def _alike(one: str, other: str) -> bool:
    if one == other or _sound(one) == _sound(other):
        return True
    shorter = min(len(one), len(other))
    return shorter >= _LONG_ENOUGH and distance(one, other) < _FAR


def _sound(family: str) -> str:
    """Return what is left of a name when ways of spelling the same sound are made one."""
    for spelling, sound in _SPELLINGS:
        family = family.replace(spelling, sound)
    return re.sub(r"(.)\1", r"\1", family)
