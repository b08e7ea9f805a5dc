"""The questions of the first start as a person sees them. Changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from gateway.config.settings import Station
from gateway.messages import N_
from gateway.panel.first_start.progress import Answer
from gateway.panel.first_start.steps import Step
from gateway.panel.shown import names
from gateway.panel.words import NAMES

AS_SENT = N_("As the device sends it")  # without a profile
PATTERNS = {
    "pattern:bars": N_("Test picture: bars"),
    "pattern:ultrasound": N_("Test picture: ultrasound"),
}
DAYS = {
    7: N_("One week"),
    30: N_("One month"),
    90: N_("Three months"),
    365: N_("One year"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One key. With `post` it calls the API and then leads to `href`."""

    label: str
    href: str
    small: str = ""
    post: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    chosen: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One thing that is typed. `keys`: what the keyboard begins with."""

    key: str
    label: str
    keys: str = "word"
    longest: int = 64
    is_number: bool = False
    optional: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One answer in the summary."""

    title: str
    href: str
    value: str
    is_open: bool
    warning: str = ""


_HOST = Field(key="host", label=N_("Address of the server: a name, or four numbers"), longest=253)
_PORT = Field(key="port", label=N_("Its port"), keys="date", longest=5, is_number=True)
_TITLE = Field(key="ae_title", label=N_("Its AE title"), keys="code", longest=16)
_MODALITY = Field(
    key="modality",
    label=N_("Only entries of this modality, such as US (left empty: all)"),
    keys="code",
    longest=16,
    optional=True,
)
_URL = Field(key="url", label=N_("Address of the web archive"), longest=300)


def fields(step: Step, kind: str) -> dict[str, Field]:
    """Return what is typed for another system, in the order in which it is asked for."""
    if step is Step.ARCHIVE and kind == "stow":
        return {_URL.key: _URL}
    last = (_MODALITY,) if step is Step.WORKLIST else ()
    return {each.key: each for each in (_HOST, _PORT, _TITLE, *last)}


def day(today: date) -> str:
    return names.day(f"{today:%Y%m%d}")


def value(step: Step, document: Mapping[str, Any], answer: str) -> str:
    """Return what was answered, in few words; what was skipped says so."""
    if answer in {"", Answer.SKIPPED}:
        return N_("Not yet")
    if answer == Answer.NONE:
        return N_("None")
    found = _found(step, document)
    return found or N_("Done")


def _drawn(source: Mapping[str, Any]) -> str:
    return N_("Test picture") if str(source.get("device", "")).startswith("pattern:") else ""


def _station(document: Mapping[str, Any]) -> str:
    """Return what this box is called, and what other systems call it where there are any."""
    station = document.get("station", {})
    known = document.get("worklist") or document.get("destination")
    title = station.get("ae_title", Station().ae_title) if known else ""
    return " · ".join(filter(None, (station.get("name"), title)))


def _archive(archive: Mapping[str, Any]) -> str:
    if not archive.get("host"):
        return str(archive.get("url", ""))
    vouches = N_("with storage commitment") if archive.get("commitment") else N_("without storage commitment")
    return f"{archive['host']} · {vouches}"


def is_test_picture(document: Mapping[str, Any]) -> bool:
    """Say whether a source shows what this box draws by itself: nobody's picture."""
    return any(map(_drawn, document.get("source", [])))


def _found(step: Step, document: Mapping[str, Any]) -> str:
    """Return the value of the file, "" when it has none that says much."""
    source, pedal, worklist, archive = (
        (document.get(name) or [{}])[0] for name in ("source", "trigger", "worklist", "destination")
    )
    found = {
        Step.LANGUAGE: NAMES.get(document.get("panel", {}).get("language", "")),
        Step.STATION: _station(document),
        Step.SOURCE: " · ".join(filter(None, (source.get("name"), source.get("profile"), _drawn(source)))),
        Step.PEDAL: pedal.get("still"),
        Step.WORKLIST: worklist.get("host"),
        Step.ARCHIVE: _archive(archive),
        Step.RETENTION: DAYS.get(document.get("retention", {}).get("keep_days", 0)),
    }
    return str(found.get(step) or "")
