"""The text of a configuration as changes make it: comments and order stay where they were.

What tomlkit makes is compared with what was meant; in doubt the text is left to a person.
"""

from collections.abc import Sequence
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Comment, Table, Whitespace

from gateway.config.changes import Add, Change, Plain, Put, changed, document_of, in_order
from gateway.config.lines import Place
from gateway.errors import SettingsForeign

_LONGEST = 100_000  # characters; what is longer takes tomlkit minutes, and nobody's box is so large
_MOST = 2000  # values

Node = Any  # what tomlkit parsed; its types promise less than the comparison afterwards
Tail = list[tuple[Any, Any]]


def edited(text: str, changes: Sequence[Change]) -> str:
    """Return the text with the changes made, everything else as it stood.

    Raises BadValue, SettingsForeign when the text is written so that they cannot be made with certainty.
    """
    document = document_of(text)
    if len(text) > _LONGEST or _values(document) > _MOST:
        raise SettingsForeign
    wanted = changed(document, changes)
    try:
        found = tomlkit.parse(text)
        for change in in_order(changes):
            _edit(found, change)
        made = tomlkit.dumps(found)
    except (TOMLKitError, TypeError, ValueError, LookupError, AttributeError):
        raise SettingsForeign from None
    if document_of(made) != wanted:
        raise SettingsForeign
    return made


def _values(node: Node) -> int:
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return 1 + sum(map(_values, inner))


def _edit(document: tomlkit.TOMLDocument, change: Change) -> None:
    if isinstance(change, Add):
        _append(document, change)
    elif isinstance(change, Put):
        _put(document, change)
    elif isinstance(change.place[-1], int):
        _remove(document, change.place)
    elif len(change.place) == 1:
        _remove_table(document, str(change.place[0]))
    else:
        here: Node = document
        for step in change.place[:-1]:
            if isinstance(step, str) and step not in here:
                return
            here = here[step]
        here.pop(change.place[-1], None)


def _put(document: tomlkit.TOMLDocument, change: Put) -> None:
    here: Node = document
    for step in change.place[:-1]:
        if isinstance(step, str) and step not in here:
            _insert(here, step, tomlkit.table() if here is document else tomlkit.inline_table())
        here = here[step]
    if change.place[-1] in here:
        here[change.place[-1]] = _item(change.value)
    else:
        _insert(here, str(change.place[-1]), _item(change.value))


def _append(document: tomlkit.TOMLDocument, change: Add) -> None:
    table = tomlkit.table()
    for key, value in change.values.items():
        table.add(key, _item(value))
    if change.table not in document:
        _give(_deepest(_last_before(document, "")), [(None, tomlkit.nl())])
        document.append(change.table, tomlkit.aot())
    elements = document[change.table]
    if not isinstance(elements, AoT):
        raise SettingsForeign
    before = elements[-1] if len(elements) else None
    tail = _take_tail(before)
    _give(_deepest(before), [(None, tomlkit.nl())])
    elements.append(table)
    _give(_deepest(elements[-1]), tail)


def _remove(document: tomlkit.TOMLDocument, place: Place) -> None:
    """Take an element of an array away; what stands behind it belongs to what follows and stays."""
    name, number = str(place[0]), int(place[1])
    elements = document[name]
    if not isinstance(elements, AoT):
        raise SettingsForeign
    tail = _take_tail(elements[number])
    before = elements[number - 1] if number else _last_before(document, name)
    del elements[number]
    if not len(elements):
        document.remove(name)
    _give(_deepest(before), tail)


def _remove_table(document: tomlkit.TOMLDocument, name: str) -> None:
    """Take a whole table away; what stands behind it stays."""
    if name in document:
        tail, before = _take_tail(document[name]), _last_before(document, name)
        document.remove(name)
        _give(_deepest(before), tail)


def _item(value: Plain) -> Node:
    """Return a value as it is written inside a table: on one line."""
    if isinstance(value, dict):
        made = tomlkit.inline_table()
        for key, each in value.items():
            made.append(key, _item(each))
        return made
    return tomlkit.item(value)


def _insert(here: Node, key: str, item: Node) -> None:
    """Add a key behind the last one of its table: comments behind an empty line are about what follows."""
    if not isinstance(here, Table | Container):
        here[key] = item
        return
    if isinstance(item, Table):
        tail = _take_tail(_last_before(here, "")) if isinstance(here, Container) else []
        here.append(key, item)
        _give(_deepest(here[key]), tail)
        return
    tail = _take_tail(here) if isinstance(here, Table) and _deepest(here) is here else []
    here.append(key, item)
    _give(here, tail)


def _take_tail(table: Node) -> Tail:
    """Take what stands behind the last value of a table from its first empty line on."""
    table = _deepest(table)
    if not isinstance(table, Table):
        return []
    body, at = table.value.body, 0
    for number, (key, item) in enumerate(body):
        if key is not None or not isinstance(item, Whitespace | Comment):
            at = number + 1
    while at < len(body) and not isinstance(body[at][1], Whitespace):
        at += 1
    tail = body[at:]
    del body[at:]
    return tail


def _give(table: Node, tail: Tail) -> None:
    if isinstance(table, Table):
        for _, item in tail:
            table.value.body.append((None, item))


def _deepest(table: Node) -> Node:
    """Return the table whose keys stand last below a header: what follows is behind them."""
    while isinstance(table, Table):
        inner = [item for key, item in table.value.body if key is not None and isinstance(item, Table | AoT)]
        if not inner:
            return table
        table = inner[-1][-1] if isinstance(inner[-1], AoT) else inner[-1]
    return table


def _last_before(document: Node, name: str) -> Node:
    """Return the table that stands before the first of that name; with "" the very last one."""
    found = None
    for key, item in document.body:
        if key is not None and key.key == name:
            return found
        if isinstance(item, Table):
            found = item
        elif isinstance(item, AoT) and len(item):
            found = item[-1]
    return found
