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
    """One thing that is typed. `keys`: what the keyboard begins with; `hint`: who knows it, and how it looks."""

    key: str
    label: str
    hint: str = ""
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


_HOST_HINT = N_("IT knows it: a name, or four numbers such as 192.0.2.10.")
_PORT_HINT = N_("IT knows it: a number, often 104 or 11112.")
_TITLE_HINT = N_("IT knows it: the name by which DICOM devices call it, such as RIS_1.")
_WORKLIST = (
    Field(key="host", label=N_("Address of the worklist server"), hint=_HOST_HINT, longest=253),
    Field(
        key="port",
        label=N_("Port of the worklist server"),
        hint=_PORT_HINT,
        keys="date",
        longest=5,
        is_number=True,
    ),
    Field(key="ae_title", label=N_("AE title of the worklist server"), hint=_TITLE_HINT, keys="code", longest=16),
    Field(
        key="modality",
        label=N_("Which kind of exam stands on the list?"),
        hint=N_("The DICOM modality: US for ultrasound, ES for endoscopy. Left empty: exams of every kind."),
        keys="code",
        longest=16,
        optional=True,
    ),
)
_ARCHIVE = (
    Field(key="host", label=N_("Address of the archive"), hint=_HOST_HINT, longest=253),
    Field(key="port", label=N_("Port of the archive"), hint=_PORT_HINT, keys="date", longest=5, is_number=True),
    Field(key="ae_title", label=N_("AE title of the archive"), hint=_TITLE_HINT, keys="code", longest=16),
)
_WEB = (
    Field(
        key="url",
        label=N_("Address of the web archive"),
        hint=N_("IT knows it. It begins with https://"),
        longest=300,
    ),
)


def fields(step: Step, kind: str) -> dict[str, Field]:
    """Return what is typed for another system, in the order in which it is asked for."""
    every = _WORKLIST if step is Step.WORKLIST else _WEB if kind == "stow" else _ARCHIVE
    return {each.key: each for each in every}


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


def _archive_said(archive: Mapping[str, Any]) -> str:
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
        Step.ARCHIVE: _archive_said(archive),
        Step.RETENTION: DAYS.get(document.get("retention", {}).get("keep_days", 0)),
    }
    return str(found.get(step) or "")
