"""Dataclasses to JSON and back: the form of exam.json, sidecars and seals.

A missing key takes the field's default and an unknown key is passed over, so that neighbouring releases read
each other's files. A check value over all of it stands in each record: a letter of a patient's name that the disk
turned into another one would else be read as a name.
"""

import json
import types
import typing
import zlib
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from gateway.clock import Moment
from gateway.errors import SpoolDamaged

T = TypeVar("T")
_SCALARS = frozenset({str, int, float, bool})
_for_people = json.JSONEncoder(ensure_ascii=False).encode  # made once: json.dumps makes one a call
_CHECK = "crc32"  # of the other keys; release 0.1 wrote none and passes over it


def dump(value: Any) -> bytes:  # noqa: ANN401 - any dataclass of the model
    """Return a dataclass as JSON for people to read: each of its fields on a line."""
    plain = _plain(value)
    lines = (f' "{key}": {_for_people(item)}' for key, item in {**plain, _CHECK: _check(plain)}.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def load(kind: type[T], content: bytes | str) -> T:
    """Return the dataclass that `dump` wrote. Raises SpoolDamaged."""
    try:
        value = _unchanged(json.loads(content))
        result: T = _reader(typing.cast("typing.Hashable", kind))(value)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        # The text of the error may quote a patient; its type does not.
        raise SpoolDamaged(f"A {kind.__name__} record cannot be read ({type(error).__name__}).") from None
    return result


def _unchanged(value: dict[str, Any]) -> dict[str, Any]:
    noted = value.pop(_CHECK, None)
    if noted is not None and noted != _check(value):
        raise ValueError("not what was written")
    return value


def _check(plain: dict[str, Any]) -> str:
    """Return the check value of a record's keys and values, however they are laid out on lines."""
    return f"{zlib.crc32(json.dumps(plain).encode('ascii')):08x}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    if value is None or type(value) in _SCALARS:
        return value
    if isinstance(value, Moment):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, StrEnum):
        return value.value
    return {name: _plain(getattr(value, name)) for name in _stored(typing.cast("typing.Hashable", type(value)))}


@cache
def _stored(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 - any dataclass of the model
    """Return the fields of a dataclass that stand in its record."""
    return tuple(field.name for field in fields(kind) if not field.metadata.get("apart"))


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - whatever a field holds
    """Return a function that turns parsed JSON into `kind`."""
    origin = typing.get_origin(kind)
    if origin is types.UnionType:
        (inner,) = (_reader(part) for part in typing.get_args(kind) if part is not types.NoneType)
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        item = _reader(typing.get_args(kind)[0])
        return lambda value: tuple(item(part) for part in value)
    if is_dataclass(kind) and kind is not Moment:
        return _dataclass_reader(kind)
    return _scalar_reader(kind)


def _scalar_reader(kind: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - whatever a field holds
    if kind is Moment:
        return Moment.from_json
    if kind is float or issubclass(kind, StrEnum):
        return kind  # type: ignore[no-any-return]  # a class is called with what JSON had
    return lambda value: _exactly(kind, value)


def _dataclass_reader(kind: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - whatever a field holds
    hints = typing.get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in fields(kind)}
    required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}

    def read(value: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever a field holds
        if missing := required - value.keys():
            raise KeyError(*missing)
        return kind(**{name: readers[name](item) for name, item in value.items() if name in readers})

    return read


def _exactly(kind: type, value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    if type(value) is not kind:
        raise TypeError(kind.__name__)
    return value
