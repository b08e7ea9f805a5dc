"""A secret belongs to the address that it was given for: for another one a person gives it anew. Opens no file."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.config.forms import SECRET, form_of
from gateway.config.lines import Place
from gateway.config.named_files import dotted, files_of
from gateway.config.table import Table
from gateway.errors import Problem
from gateway.messages import N_

_PORTS = {"http": 80, "https": 443}
Origin = tuple[str, str, int] | str
PathOf = Callable[[str], Path]  # what a file is called -> where it lies


def origin(url: object) -> Origin:
    """Return scheme, host and port of an address (RFC 6454, 4); of what is none, what it says."""
    try:
        parts = urlsplit(str(url))
        return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return str(url)


def lent(
    tables: Mapping[str, Table], known: Iterable[Mapping[str, Any]], document: Mapping[str, Any], path: PathOf
) -> Iterator[Problem]:
    """Yield each secret of a document that the `known` documents keep, and none of them for this address."""
    kept: dict[Path, set[Origin]] = {}
    for each in known:
        for _, words, url in _secrets(tables, each):
            kept.setdefault(path(words), set()).add(origin(url))
    for place, words, url in _secrets(tables, document):
        if origin(url) not in kept.get(path(words), {origin(url)}):
            reason = N_("belongs to the address that it was given for: type it again for the new one")
            yield Problem(line=0, key=dotted(place), place=place, reason=reason)


def _secrets(tables: Mapping[str, Table], document: Mapping[str, Any]) -> Iterator[tuple[Place, str, object]]:
    """Yield the place of each secret, its file and the address that it is sent to."""
    for place, words in files_of(tables, document):
        rule = tables[str(place[0])].keys.get(str(place[-1]))
        if rule is not None and not isinstance(rule, Table) and form_of(rule).kind == SECRET:
            yield place, words, document[str(place[0])][place[1]].get("url")
