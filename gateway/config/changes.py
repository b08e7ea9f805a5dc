"""What is changed in a configuration: values, and what becomes of the document by them.

Judges no value: `editing` does, with the whole text. How the text changes is `writing`'s matter.
"""

import copy
import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.config.lines import Place
from gateway.errors import BadValue, SettingsForeign

Node = Any  # a table or an array of a document
_DEEPEST = 4  # tables and arrays within each other, the document too
Plain = str | int | bool | list[Any] | dict[str, Any]  # what tomllib returns, as far as the configuration has it


@dataclass(frozen=True, kw_only=True, slots=True)
class Put:
    """Give a key a value; tables on the way are made."""

    place: Place
    value: Plain


@dataclass(frozen=True, kw_only=True, slots=True)
class Drop:
    """Take a key, a table, or one element of an array of tables away; what is not there is no error."""

    place: Place


@dataclass(frozen=True, kw_only=True, slots=True)
class Add:
    """Add an element to an array of tables, as its last."""

    table: str
    values: Mapping[str, Plain]


Change = Put | Drop | Add


def document_of(text: str) -> dict[str, Any]:
    """Return what a text says, unchecked. Raises SettingsForeign for what is no TOML, or nests deeper than ours."""
    try:
        found = tomllib.loads(text)
    except (ValueError, RecursionError):
        raise SettingsForeign from None
    if _nests(found, _DEEPEST):
        raise SettingsForeign
    return found


def _nests(node: Node, levels: int) -> bool:
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return any(levels == 0 or _nests(each, levels - 1) for each in inner)


def changed(document: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """Return the document as the changes make it. Raises BadValue for a place that it cannot have.

    Places are those of the document before: an element that goes does not renumber those of other changes.
    """
    made: dict[str, Any] = copy.deepcopy(dict(document))
    for change in in_order(changes):
        if isinstance(change, Add):
            made.setdefault(change.table, [])
            _elements(made[change.table]).append(copy.deepcopy(dict(change.values)))
        elif isinstance(change, Put):
            _around(made, change.place, make=True)[change.place[-1]] = copy.deepcopy(change.value)
        else:
            _drop(made, change.place)
    return {key: value for key, value in made.items() if value != []}


def in_order(changes: Sequence[Change]) -> list[Change]:
    """Return values first, then elements that go from the last to the first, then new ones."""
    puts = [each for each in changes if isinstance(each, Put)]
    drops = sorted((each for each in changes if isinstance(each, Drop)), key=_depth, reverse=True)
    return [*puts, *drops, *(each for each in changes if isinstance(each, Add))]


def _depth(change: Drop) -> tuple[int, int]:
    """Return keys before elements, and elements by their number."""
    last = change.place[-1]
    return (1, 0) if isinstance(last, str) else (0, last)


# --- in the plain document -------------------------------------------------------------------------------


def _around(made: dict[str, Any], place: Place, *, make: bool) -> Node:
    """Return what holds the last step of a place. Raises BadValue."""
    here: Any = made
    for step, after in itertools.pairwise(place):
        if isinstance(step, int):
            if not isinstance(here, list) or not 0 <= step < len(here):
                raise BadValue("There is no such entry in the configuration.", action="Look at the list again.")
            here = here[step]
        elif isinstance(here, dict):
            if step not in here and make and isinstance(after, str):
                here[step] = {}
            here = here.get(step)
        if not isinstance(here, dict | list):
            raise BadValue("There is no such entry in the configuration.", action="Look at the list again.")
    return here


def _drop(made: dict[str, Any], place: Place) -> None:
    if isinstance(place[-1], int):
        _around(made, (*place, ""), make=False)  # it is there
        del _around(made, place, make=False)[place[-1]]
        return
    try:
        around = _around(made, place, make=False)
    except BadValue:
        if any(isinstance(step, int) for step in place):
            raise
        return
    if not isinstance(around, dict):  # an array of tables, where a table is looked for
        raise SettingsForeign
    around.pop(place[-1], None)


def _elements(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise SettingsForeign
    return value
