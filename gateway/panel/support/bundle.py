"""The support bundle: one zip with the state of the box, and a manifest of what is in it and what is not.

The panel's key and `scopegate support` make the same; the command adds what only a program outside the three
processes may ask. Logs and live states may quote other systems: every text is searched for the patients of this box
first. Without an index nobody knows them, and what could name one is left out.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.clock import Clock
from gateway.errors import SpoolError
from gateway.panel.support.without import REMOVED, without
from gateway.spool.erasure import patient_words
from gateway.spool.spool import Spool

MANIFEST = "manifest.json"
MOST = 500_000  # signs of one text; of a longer one the end is kept
_NEVER = (
    "Pictures, orders, exams.",
    f"Names, IDs, birth dates and accession numbers of patients: {REMOVED} stands there.",
    "Passwords, tokens, accounts, keys of certificates, PINs, names of operators.",
)
_NOT_SAFE = "Left out: the index cannot be read, so nobody knows which patients it could name."
_CUT = f"Only its last {MOST:,} signs."


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One file of the zip. `made` gives a text, or facts for JSON."""

    name: str
    about: str  # what is in it, for whoever reads the manifest
    made: Callable[[], Any]
    names_nobody: bool = False  # whatever other systems or files say: made of words of the program and the settings


def bundle(*, parts: Iterable[Part], spool: Spool | None, clock: Clock, missing: Mapping[str, str]) -> bytes:
    """Return the zip. Blocks: for as long as the parts take, and a look at every word of every patient.

    `spool`: None when it cannot be opened. `missing`: what cannot be had from here, and where it can.
    """
    absent, made = dict(missing), dict[str, Any]()
    about: dict[str, str] = {}
    for part in parts:
        if spool is None and not part.names_nobody:
            absent[part.name] = _NOT_SAFE
            continue
        try:
            made[part.name], about[part.name] = _bounded(part.made(), part.about)
        except SpoolError as error:
            absent[part.name] = f"Left out: {error.what} [{error.code}]"
    try:
        made = _cleaned(made, spool)
    except SpoolError:  # it could be read a moment ago
        return bundle(parts=[part for part in parts if part.names_nobody], spool=None, clock=clock, missing=absent)
    now = clock.now().local
    manifest = {
        "made": now.isoformat(timespec="seconds"),
        "in_it": about,
        "not_in_it": absent,
        "never_in_it": _NEVER,
    }
    return _zipped({MANIFEST: _written(manifest), **{name: _written(each) for name, each in made.items()}}, now)


def file_name(station: str, clock: Clock) -> str:
    """Return "scopegate-ENDO-2-20261127-0710.zip", whatever the station is called."""
    plain = "".join(each if each.isascii() and (each.isalnum() or each in "-.") else "-" for each in station)
    return f"scopegate-{plain}-{clock.now().local:%Y%m%d-%H%M}.zip"


def _bounded(made: Any, what: str) -> tuple[Any, str]:  # noqa: ANN401 - a text, or whatever JSON has
    if not isinstance(made, str):
        return json.loads(json.dumps(made, default=str)), what
    if len(made) <= MOST:
        return made, what
    return made[-MOST:].partition("\n")[2], f"{what} {_CUT}"  # half a name would not be found


def _cleaned(made: Mapping[str, Any], spool: Spool | None) -> dict[str, Any]:
    """Return texts, and facts whose texts are clean: keys and numbers are ours. Raises SpoolError."""
    if spool is None:
        return dict(made)
    texts = list(dict.fromkeys(_texts(list(made.values()))))
    clean = dict(zip(texts, without(texts, patient_words.batches(spool)), strict=True))
    return {name: _replaced(each, clean) for name, each in made.items()}


def _texts(value: Any) -> Iterable[str]:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _replaced(value: Any, clean: Mapping[str, str]) -> Any:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, str):
        return clean[value]
    if isinstance(value, dict):
        return {key: _replaced(each, clean) for key, each in value.items()}
    return [_replaced(each, clean) for each in value] if isinstance(value, list) else value


def _written(value: Any) -> str:  # noqa: ANN401 - a text, or whatever JSON has
    return value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)


def _zipped(files: Mapping[str, str], now: datetime) -> bytes:
    when: Sequence[int] = now.timetuple()[:6]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, (max(when[0], 1980), when[1], when[2], when[3], when[4], when[5]))
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    return made.getvalue()
