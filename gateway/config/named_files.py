"""Which files a configuration names, and where: certificates, secrets, profiles, films. Opens none of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.config import forms
from gateway.config.forms import form_of
from gateway.config.lines import Place
from gateway.config.table import Table


def files_of(tables: Mapping[str, Table], document: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield the place and the words of each file that a document names."""
    for name, table in tables.items():
        value = document.get(name)
        for number, part in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(part, dict):
                yield from _files_of(table, part, (name, number) if table.many else (name,))


def dotted(place: Place) -> str:
    """Return a place as a person names the key."""
    return ".".join(str(step) for step in place if isinstance(step, str))


def _files_of(table: Table, part: Mapping[str, Any], place: Place) -> Iterator[tuple[Place, str]]:
    for key, value in part.items():
        rule = table.keys.get(key)
        if isinstance(rule, Table) and isinstance(value, dict):
            yield from _files_of(rule, value, (*place, key))
        elif not isinstance(value, str) or rule is None or isinstance(rule, Table):
            continue
        elif key == "device" and value.startswith("file:"):
            yield (*place, key), value.removeprefix("file:")
        elif form_of(rule).kind == forms.SECRET or (form_of(rule).kind == forms.FILE and _is_file(key, value)):
            yield (*place, key), value


def _is_file(key: str, value: str) -> bool:
    return value.endswith(".toml") if key == "profile" else value not in {"", "system"}
