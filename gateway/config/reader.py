"""Turns the configuration file into `Settings`, or refuses it whole with every problem and its line."""

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from gateway.config import grabber, values
from gateway.config.findings import Finding, Part, Parts
from gateway.config.keys import tables
from gateway.config.lines import Lines, Place
from gateway.config.rules import findings, of_one
from gateway.config.settings import Settings, Station
from gateway.config.table import Table
from gateway.config.values import NOT_YET, Wrong, near, shown
from gateway.errors import ConfigurationError, Problem
from gateway.messages import N_

_LARGEST = 1_000_000  # bytes; a file beyond is no configuration
_SYSTEM_RUNTIME_DIR = Path("/run/scopegate")
_LONGEST_SOCKET_PATH = 107  # bytes, unix(7)
_SOCKET = "capture.sock"


def read(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Return what the file says. Raises ConfigurationError with every problem in it.

    `environment` gives XDG_RUNTIME_DIR; None is the process's own.
    """
    return _settings(path, _Reading(path, os.environ if environment is None else environment))


def read_text(raw: bytes, path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Return what a text says that would stand in the file `path`. Raises ConfigurationError, as `read`."""
    return _settings(path, _Reading(path, os.environ if environment is None else environment, raw))


def read_element(name: str, raw: dict[str, Any], *, base: Path) -> Any:  # noqa: ANN401 - the dataclass of its table
    """Return one table, or one element of an array of tables, alone: no rule across elements is applied.

    `base`: the folder that relative paths are taken from. Raises ConfigurationError, whose problems have no lines.
    """
    return _Reading(base / name, {}, b"").element(name, raw)


def read_tables(
    raw: bytes, path: Path, known: Mapping[str, Table], rules: Callable[[Parts], Iterator[Finding]]
) -> dict[str, Any]:
    """Return the tables of another file than the configuration, by their field. Raises ConfigurationError."""
    reading = _Reading(path, {}, raw, known=known, rules=rules)
    made = reading.made()
    if made is None:
        raise ConfigurationError(str(path), reading.problems())
    return made


def read_good(
    raw: bytes, path: Path, known: Mapping[str, Table], rules: Callable[[Parts], Iterator[Finding]]
) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Return the values of each table of another file that are right, and what is wrong with the file.

    A value that does not go with another one is among both. Raises ConfigurationError for what cannot be read.
    """
    reading = _Reading(path, {}, raw, known=known, rules=rules)
    if reading.is_unreadable:
        raise ConfigurationError(str(path), reading.problems())
    return reading.good(), reading.problems()


def check(path: Path, environment: Mapping[str, str] | None = None) -> list[Problem]:
    """Return every problem of the file, ordered by line; an empty list means that `read` accepts it."""
    try:
        read(path, environment)
    except ConfigurationError as error:
        return error.problems
    return []


def _settings(path: Path, reading: "_Reading") -> Settings:
    settings = reading.settings()
    if settings is None:
        raise ConfigurationError(str(path), reading.problems())
    return settings


class _Reading:
    """One file being read: collects findings until the end, then is either settings or problems."""

    def __init__(
        self,
        path: Path,
        environment: Mapping[str, str],
        raw: bytes | None = None,
        *,
        known: Mapping[str, Table] | None = None,
        rules: Callable[[Parts], Iterator[Finding]] | None = None,
    ) -> None:
        self._environment = environment
        self._tables = tables(path.resolve().parent) if known is None else known
        self._rules = rules or self._of_settings
        self._findings: list[Finding] = []
        self._unreadable: list[Problem] = []
        self._lines = Lines({})
        self._parts: dict[str, list[Part]] = {}
        document = self._document(path) if raw is None else self._bounded(raw)
        if document is not None:
            self._read(document)

    def element(self, name: str, raw: dict[str, Any]) -> Any:  # noqa: ANN401 - the dataclass of its table
        table = self._tables[name]
        assert table.made is not None
        part = self._part((name,), table, raw)
        self._findings += of_one({name: [part]})
        if self._findings:
            raise ConfigurationError(name, self.problems())
        return table.made(**_kept(table, part))

    def problems(self) -> list[Problem]:
        found = [
            Problem(line=self._lines.of_place(f.place), key=_dotted(f.place), reason=f.reason, place=f.place)
            for f in self._findings
        ]
        return self._unreadable + sorted(found, key=lambda problem: (problem.line, problem.key))

    @property
    def is_unreadable(self) -> bool:
        return bool(self._unreadable)

    def good(self) -> dict[str, dict[str, Any]]:
        """Return what is right of each table that stands alone."""
        alone = ((name, table) for name, table in self._tables.items() if not table.many)
        return {name: _kept(table, part) for name, table in alone for part in self._parts.get(name, ())}

    def settings(self) -> Settings | None:
        """Build the settings, or None when there are problems."""
        made = self.made()
        if made is None:
            return None
        settings = Settings(**made)
        runtime_dir = self._runtime_dir(settings.station)
        return replace(settings, station=replace(settings.station, runtime_dir=runtime_dir))

    def made(self) -> dict[str, Any] | None:
        """Return what each table of the file becomes, or None when there are problems."""
        if self._findings or self._unreadable:
            return None
        made: dict[str, Any] = {}
        for name, table in self._tables.items():
            if table.made and (parts := self._parts.get(name)):
                built = [table.made(**_kept(table, part)) for part in parts]
                made[table.field] = tuple(built) if table.many else built[0]
        return made

    def _document(self, path: Path) -> dict[str, Any] | None:
        """Read and parse the text; what is not TOML has one problem only."""
        try:
            with path.open("rb") as file:
                raw = file.read(_LARGEST + 1)
        except (OSError, ValueError) as error:
            self._give_up(0, "file", f"cannot be read: {values.why_not(error)}")
            return None
        return self._bounded(raw)

    def _bounded(self, raw: bytes) -> dict[str, Any] | None:
        if len(raw) > _LARGEST:
            self._give_up(0, "file", f"is larger than {_LARGEST} bytes: not a configuration")
            return None
        return self._parsed(raw)

    def _parsed(self, raw: bytes) -> dict[str, Any] | None:
        try:
            text = raw.decode("utf-8-sig")  # some editors begin a file with a byte order mark
            document = tomllib.loads(text)
        except UnicodeDecodeError as error:
            self._give_up(raw.count(b"\n", 0, error.start) + 1, "file", "is not UTF-8 text")
        except RecursionError:
            self._give_up(0, "syntax", "is nested too deeply")
        except ValueError as error:  # TOMLDecodeError is one; a number with 5000 digits is another
            self._give_up(_line_of(error, text), "syntax", _reason_of(error))
        else:
            self._lines = Lines.of(text)
            return document
        return None

    def _give_up(self, line: int, key: str, reason: str) -> None:
        self._unreadable.append(Problem(line=line, key=key, reason=reason))

    def _read(self, document: dict[str, Any]) -> None:
        for name, value in document.items():
            if name == "config_version":
                self._checked((name,), values.version, value)
            elif name in self._tables:
                self._parts[name] = list(self._table(name, self._tables[name], value))
            else:
                self._unknown((name,), ["config_version", *self._tables], value)
        self._findings += list(self._rules(self._parts))

    def _of_settings(self, parts: Parts) -> Iterator[Finding]:
        found = list(findings(parts))
        yield from found
        if not (found or self._findings):
            yield from self._runtime_fits()

    def _table(self, name: str, table: Table, value: object) -> Iterator[Part]:
        """Read a table, or each element of an array of tables; a wrong form is one problem."""
        if table.made is None:
            self._find((name,), f"[[{name}]] is {NOT_YET}")
        elif table.many and isinstance(value, list) and all(isinstance(item, dict) for item in value):
            for index, item in enumerate(value):
                yield self._part((name, index), table, item)
        elif not table.many and isinstance(value, dict):
            yield self._part((name,), table, value)
        else:
            head = f"[[{name}]]" if table.many else f"[{name}]"
            self._find((name,), f"must be written as {head} with its keys on lines below")

    def _part(self, place: Place, table: Table, raw: dict[str, Any]) -> Part:
        good: dict[str, Any] = {}
        kind = _kind(table, raw)
        for key, value in raw.items():
            here = (*place, key)
            if key not in table.keys:
                self._unknown(here, list(table.keys), value)
            elif kind and kind not in table.only_for.get(key, (kind,)):
                kinds = ", ".join(f'"{each}"' for each in table.only_for[key])
                self._find(here, f"is a key of kind {kinds} only; this one is of kind {shown(kind)}")
            else:
                rule = table.by_kind.get(kind, {}).get(key, table.keys[key])
                good |= self._checked(here, rule, value)
        for key in (*table.needed, *table.needed_by_kind.get(kind, ())):
            if key not in raw:
                self._find(place, f"{key} is missing")
        return Part(place=place, raw=raw, good=good)

    def _checked(self, place: Place, rule: values.Check | Table, value: object) -> dict[str, Any]:
        """Return the checked value under its key, or nothing and a finding."""
        if isinstance(rule, Table):
            return self._inline(place, rule, value)
        try:
            return {str(place[-1]): rule(value)}
        except Wrong as error:
            self._find(place, str(error))
            return {}

    def _inline(self, place: Place, table: Table, value: object) -> dict[str, Any]:
        """Return what an inline table becomes under its key, or nothing and findings."""
        if not isinstance(value, dict):
            self._find(place, f"must be a table with {', '.join(table.keys)}, not {shown(value)}")
            return {}
        before = len(self._findings)
        part = self._part(place, table, value)
        if table.made is None or len(self._findings) > before:
            return {}
        return {str(place[-1]): table.made(**part.good)}

    def _unknown(self, place: Place, known: list[str], value: object) -> None:
        key, meant = str(place[-1]), near(str(place[-1]), known)
        homes = ", ".join(self._head(name) for name, table in self._tables.items() if key in table.keys)
        if place[0] == "source" and key in grabber.OF_PROFILES:
            reason = 'unknown key; it belongs into a device profile: profile = "FILE.toml"'
        elif isinstance(value, dict):
            reason = f"unknown table; did you mean {meant}?" if meant else "unknown table"
        elif meant:
            reason = f"unknown key; did you mean {meant}?"
        elif homes and len(place) == 1 and not isinstance(value, list):
            reason = f"unknown key; it belongs below {homes}"
        else:
            reason = "unknown key"
        self._find(place, reason)

    def _head(self, name: str) -> str:
        return f"[[{name}]]" if self._tables[name].many else f"[{name}]"

    def _find(self, place: Place, reason: str) -> None:
        self._findings.append(Finding(place=place, reason=reason))

    def _runtime_fits(self) -> Iterator[Finding]:
        """Sockets have short names; find that out now and not when a process starts."""
        settings = self.settings()
        if settings:
            socket = settings.station.runtime_dir / _SOCKET
            if len(os.fsencode(socket)) > _LONGEST_SOCKET_PATH:
                reason = f"{shown(str(socket))} has more than {_LONGEST_SOCKET_PATH} bytes, too many for a socket"
                yield Finding(place=("station", "runtime_dir"), reason=reason)

    def _runtime_dir(self, station: Station) -> Path:
        """Resolve the default: the system's folder when it is there and ours, the user's, else the data's."""
        if station.runtime_dir != Path():
            return station.runtime_dir
        if _SYSTEM_RUNTIME_DIR.is_dir() and os.access(_SYSTEM_RUNTIME_DIR, os.W_OK | os.X_OK):
            return _SYSTEM_RUNTIME_DIR
        user = self._environment.get("XDG_RUNTIME_DIR", "")
        if user and Path(user).is_absolute() and os.access(user, os.W_OK | os.X_OK):
            return Path(user) / "scopegate"
        return station.data_dir / "run"


def _kept(table: Table, part: Part) -> dict[str, Any]:
    """Drop the neutral values of keys that this version has no use for."""
    assert table.made is not None
    known = {f.name for f in fields(table.made)}
    return {key: value for key, value in part.good.items() if key in known}


def _kind(table: Table, raw: Mapping[str, Any]) -> str:
    """Return which kind of element it is; "" when there are no kinds, or it names none of them."""
    kind = raw.get("kind", next(iter(table.needed_by_kind), ""))
    return kind if isinstance(kind, str) and kind in table.needed_by_kind else ""


def _dotted(place: Place) -> str:
    return ".".join(str(step) for step in place if isinstance(step, str)) or "file"


def _line_of(error: ValueError, text: str) -> int:
    found = re.search(r"\(at line (\d+)", str(error))
    if found:
        return int(found[1])
    return text.rstrip("\n").count("\n") + 1 if "end of document" in str(error) else 0


def _reason_of(error: ValueError) -> str:
    if not isinstance(error, tomllib.TOMLDecodeError):
        return N_("is not TOML: a number is too long")
    words = re.sub(r" \(at .*\)$", "", str(error))
    why = words[:1].lower() + words[1:]
    return N_(f"is not TOML: {why}")
