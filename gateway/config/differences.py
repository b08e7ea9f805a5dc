"""What two configurations have different, place by place, as a person is asked about it. Judges nothing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

OF_THE_SCREEN = "panel"  # the table that only the panel process reads (tests/rules/test_architecture.py)
Steps = tuple[str, ...]  # ("destination", "pacs", "host"): elements of an array by their name, else their number


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One key. `old` or `new` is None when it does not stand there, so that the default holds."""

    steps: Steps
    old: Any
    new: Any


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Return what differs, in the order of the old one, then of the new one; last, which elements change places."""
    before, after = dict(_flat(old, ())), dict(_flat(new, ()))
    found = [
        Difference(steps=steps, old=before.get(steps), new=after.get(steps))
        for steps in dict.fromkeys([*before, *after])
        if before.get(steps) != after.get(steps)
    ]
    return [*found, *_moved(old, new)]


def is_of_the_screen(found: Iterable[Difference]) -> bool:
    """Say whether nobody but the panel reads what differs."""
    return all(each.steps[0] == OF_THE_SCREEN for each in found)


def _flat(table: Mapping[str, Any], around: Steps) -> Iterator[tuple[Steps, Any]]:
    for key, value in table.items():
        here = (*around, key)
        if isinstance(value, dict):
            yield from _flat(value, here)
        elif _is_array(value):
            names = _names(value)
            for name, each in zip(names, value, strict=True):
                yield from _flat(each, (*here, name))
        else:
            yield here, value


def _moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield each array whose elements come in another order: a press that names no source is of the first one."""
    for key in old:
        if not (_is_array(old[key]) and _is_array(new.get(key))):
            continue
        before, after = _names(old[key]), _names(new[key])
        was, becomes = [each for each in before if each in after], [each for each in after if each in before]
        if was != becomes:
            yield Difference(steps=(key,), old=was, new=becomes)


def _is_array(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _names(elements: list[dict[str, Any]]) -> list[str]:
    """Return by what each element is known: its name when all have one of their own, else its number."""
    names = [str(each.get("name", "")) for each in elements]
    if all(names) and len(set(names)) == len(names):
        return names
    return [str(number + 1) for number in range(len(names))]
