"""Settings as a person sees them: fields with their words, their values and their defaults. Changes nothing."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.config import forms
from gateway.config.dicom import ENTITY
from gateway.config.forms import Form, form_of
from gateway.config.lines import Place
from gateway.config.settings import Address, Entity
from gateway.config.table import Table
from gateway.panel.allowed import OF_THE_MACHINE
from gateway.panel.shown.setting_words import ELSEWHERE, IN_HOURS, LABELS, OF_BOX, PAGES, SYMBOLS, UNITS, WORDS

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One key on a page. `value` is what the file says, None for nothing; `inner` are the keys of a table in it."""

    place: Place
    key: str  # "destination.host"
    label: str
    form: Form
    value: Any
    default: Any
    needed: bool = False
    inner: "tuple[Field, ...]" = ()

    @property
    def is_secret(self) -> bool:
        return self.form.kind == forms.SECRET

    @property
    def now(self) -> Any:  # noqa: ANN401 - of every kind
        """Return what holds: what the file says, else the default."""
        return self.default if self.value is None else self.value

    def word(self, value: str) -> str:
        """Return what a choice is called, itself when it has no words."""
        return WORDS.get(f"{self.key}.{value}", value)

    @property
    def unit(self) -> str:
        """Return the words of its unit, with a place for the number; "" for none."""
        unit = "hours" if self.key == IN_HOURS else self.form.unit
        return UNITS.get(unit) or (f"{{number}} {SYMBOLS[unit]}" if unit in SYMBOLS else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One table, or one element of an array of tables."""

    place: Place
    name: str
    fields: tuple[Field, ...]
    kind: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A table of a page. `kinds` are those of which a new element can be; of an optional one there may be none."""

    table: str
    many: bool
    kinds: tuple[str, ...]
    entries: tuple[Entry, ...]
    optional: bool = False

    @property
    def grows(self) -> bool:
        """Say whether one can be added."""
        return self.many or (self.optional and not self.entries)


def sections(page: str, tables: Mapping[str, Table], document: Mapping[str, Any]) -> list[Section]:
    """Return what stands on a page."""
    return [_section(name, tables[name], document, keys) for name, keys in {**PAGES, **OF_BOX}[page].tables]


def elsewhere(entry: Entry) -> tuple[Field, ...]:
    """Return the services of an archive that another address than its own may give, with what it has."""
    asked = (field for field in entry.fields if field.form.kind == forms.ENTITY and entry.kind == "dicom")
    return tuple(
        dataclasses.replace(
            field,
            label=ELSEWHERE[field.key],
            value=field.value if isinstance(field.value, dict) else None,
            default=None,
            inner=tuple(_other_address(field)),
        )
        for field in asked
    )


def _other_address(field: Field) -> Iterator[Field]:
    now = field.value if isinstance(field.value, dict) else {}
    for key, check in ENTITY.items():
        yield Field(
            place=(*field.place, key),
            key=f"destination.{key}",
            label=LABELS[f"destination.{key}"],
            form=form_of(check),
            value=now.get(key),
            default=None,
            needed=True,
        )


def new(name: str, table: Table, kind: str) -> list[Field]:
    """Return what a new element of an array, or a table that is not there yet, is asked for, in this order."""
    if table.is_optional:
        return [each for field in _fields(name, table, (name,), {}) for each in field.inner or (field,)]
    raw = {"kind": kind} if kind else {}
    needed = (*table.needed, *table.needed_by_kind.get(kind, ()))
    wanted = dict.fromkeys([key for key in needed if key != "kind"])
    if name == "trigger":
        wanted |= dict.fromkeys(("still", "clip"))  # one of the two; both may be
    wanted = wanted or {"device": None}  # a tone needs nothing; which sound card may be said all the same
    found = {field.place[-1]: field for field in _fields(name, table, (name, -1), raw)}
    return [found[key] for key in wanted]


def _section(name: str, table: Table, document: Mapping[str, Any], keys: tuple[str, ...]) -> Section:
    value = document.get(name)
    if not table.many:
        raw = value if isinstance(value, dict) else {}
        fields = [field for field in _fields(name, table, (name,), raw) if not keys or field.place[-1] in keys]
        entries: tuple[Entry, ...] = (Entry(place=(name,), name="", fields=tuple(fields)),)
        entries = () if table.is_optional and not raw else entries
    else:
        parts = [part for part in value or [] if isinstance(part, dict)] if isinstance(value, list) else []
        entries = tuple(
            Entry(
                place=(name, at),
                name=_name(part),
                fields=tuple(_fields(name, table, (name, at), part)),
                kind=_kind(table, part),
            )
            for at, part in enumerate(parts)
        )
    return Section(
        table=name,
        many=table.many,
        kinds=tuple(table.needed_by_kind),
        entries=entries,
        optional=table.is_optional,
    )


def _kind(table: Table, part: Mapping[str, Any]) -> str:
    """Return of which kind an element is, "" when there are none; without a word it is the first."""
    return str(part.get("kind", next(iter(table.needed_by_kind), ""))) if table.needed_by_kind else ""


def _name(part: Mapping[str, Any]) -> str:
    return str(part.get("name") or part.get("device") or "")


def _fields(name: str, table: Table, place: Place, raw: Mapping[str, Any]) -> Iterator[Field]:
    assert table.made is not None
    defaults = {each.name: each for each in dataclasses.fields(table.made)}
    kind = _kind(table, raw)
    needed = (*table.needed, *table.needed_by_kind.get(kind, ()))
    for key, usual in table.keys.items():
        if key not in defaults or (name, key) in OF_THE_MACHINE:
            continue
        if kind and kind not in table.only_for.get(key, (kind,)):
            continue
        rule = table.by_kind.get(kind, {}).get(key, usual)
        value, here = raw.get(key), (*place, key)
        yield Field(
            place=here,
            key=f"{name}.{key}",
            label=LABELS.get(f"{name}.{key}", key),
            form=Form(kind=forms.TABLE) if isinstance(rule, Table) else form_of(rule),
            value=value,
            default=_default(defaults[key]),
            needed=key in needed,
            inner=tuple(_fields(key, rule, here, value if isinstance(value, dict) else {}))
            if isinstance(rule, Table)
            else (),
        )


def _default(field: "dataclasses.Field[Any]") -> Any:  # noqa: ANN401 - of every kind
    """Return a default as the file would have it, None for none."""
    if field.default is not dataclasses.MISSING:
        return plain(field.default)
    return None


def plain(value: Any) -> Any:  # noqa: ANN401 - of every kind
    """Return a value of the settings as the file has it."""
    if isinstance(value, Address | Path):
        return "" if value == Path() else str(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Entity):
        return {"ae_title": value.ae_title, "host": value.host, "port": value.port}
    return value


def as_json(field: Field) -> Json:
    """Return a field for a program; of a secret, whether there is one."""
    form = field.form
    said: Json = {
        "place": list(field.place),
        "key": field.key,
        "label": field.label,
        "kind": form.kind,
        "needed": field.needed,
        "is_set": field.value is not None,
    }
    if form.kind == forms.NUMBER:
        said |= {"low": form.low, "high": form.high, "unit": form.unit}
    elif form.kind in {forms.CHOICE, forms.SEVERAL}:
        said["choices"] = list(form.choices)
    elif form.kind == forms.TEXT:
        said["longest"] = form.longest
    if field.inner:
        return {**said, "fields": [as_json(each) for each in field.inner]}
    return said if field.is_secret else {**said, "value": field.value, "default": field.default}
