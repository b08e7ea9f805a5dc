"""Values of settings in words: what a field has, what a change would change. Changes nothing."""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.config import forms
from gateway.config.differences import Difference
from gateway.config.forms import form_of
from gateway.config.table import Table
from gateway.messages import N_
from gateway.panel.shown.setting_words import ELSEWHERE, LABELS, ONE, WORDS
from gateway.panel.shown.settings import Field
from gateway.panel.words import NAMES

YES = N_("Yes")
NO = N_("No")
NOT_SET = N_("Not set")
FIRST = N_("Which comes first")
KEPT = N_("Kept on this box")
THIS_SCREEN = N_("this screen: {language}")
LANGUAGE = "panel.language"
Said = Callable[[str], str]
SECRETS = frozenset({"token_file", "password_file"})


def words(field: Field, value: Any, said: Said, *, there: bool = True) -> str:  # noqa: ANN401 - of every kind
    """Return what a field's value is called; of a secret, whether there is one."""
    if field.is_secret:
        return said(KEPT if there and value else NOT_SET)
    if field.inner:
        return said(YES if value else NO)
    return _words(field.key, value, said, unit=field.unit)


def with_this_screen(field: Field, now: str, spoken: str, said: Said) -> str:
    """Return a value in words; of the box's language, also the one that this screen has, when that is another."""
    if field.key != LANGUAGE or field.now == spoken:
        return now
    return f"{now} · {said(THIS_SCREEN.format(language=NAMES.get(spoken, spoken)))}"


def typed(field: Field) -> str:
    """Return a value as it stands in a field to be typed into; nothing of a secret."""
    value: Any = field.now
    if field.is_secret or value is None or isinstance(value, bool | dict):
        return ""
    if isinstance(value, list):
        return ("; " if field.form.kind == forms.SEVERAL else " ").join(map(str, value))
    return str(value)


def label(key: str) -> str:
    """Return what a person calls a key of the file, such as "destination.tls.ca"; itself when it has no words."""
    inner = ".".join(key.split(".")[-2:])
    return LABELS.get(key) or LABELS.get(inner) or ONE.get(key, key)


def difference(each: Difference, tables: Mapping[str, Table], said: Said) -> dict[str, str]:
    """Return a difference in words: what it is about, what it was, what it becomes."""
    table, key, about, name = tables.get(each.steps[0]), each.steps[-1], "", ""
    if len(each.steps) == 1 and table and table.many:  # the elements change places
        old, new = (_words(key, value, said) for value in (each.old, each.new))
        return {"about": said(ONE[key]), "name": "", "label": said(FIRST), "old": old, "new": new}
    if table and (table.many or table.is_optional):
        about = said(ONE[each.steps[0]])
        name = each.steps[1] if table.many and len(each.steps) > 2 else ""  # noqa: PLR2004 - its place
    inner = len(each.steps) - (2 if table and table.many else 1) > 1
    full = f"{each.steps[-2]}.{key}" if inner else f"{each.steps[0]}.{key}"
    secret = key in SECRETS or (table and not inner and _is_secret(table, key))
    old, new = (
        said(KEPT if value else NOT_SET) if secret else _words(full, value, said) for value in (each.old, each.new)
    )
    label = said(LABELS.get(full, key))
    if inner and (service := f"{each.steps[0]}.{each.steps[-2]}") in ELSEWHERE:
        label = f"{said(ELSEWHERE[service])}: {said(LABELS[f'{each.steps[0]}.{key}'])}"
    return {"about": about, "name": name, "label": label, "old": old, "new": new}


def _is_secret(table: Table, key: str) -> bool:
    rule = table.keys.get(key)
    return rule is not None and not isinstance(rule, Table) and form_of(rule).kind == forms.SECRET


def _words(key: str, value: Any, said: Said, *, unit: str = "") -> str:  # noqa: ANN401 - of every kind
    found = str(value)
    if value is None or value == []:
        found = said(NOT_SET)
    elif isinstance(value, bool):
        found = said(YES if value else NO)
    elif isinstance(value, dict):
        found = " ".join(str(each) for each in value.values())
    elif isinstance(value, list):
        found = ", ".join(_words(key, each, said) for each in value)
    elif f"{key}.{value}" in WORDS:
        found = said(WORDS[f"{key}.{value}"])
    elif key == LANGUAGE:
        found = NAMES.get(found, found)
    elif unit and isinstance(value, int):
        found = said(unit.format(number=value))
    return found or said(NOT_SET)
