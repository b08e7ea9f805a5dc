"""What an answer makes of the configuration. Judges no value: the configuration's own check does, as a whole."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from gateway.config.changes import Add, Change, Drop, Put
from gateway.errors import BadValue, NotTried
from gateway.messages import N_
from gateway.panel.first_start.steps import Step

Document = Mapping[str, Any]
Values = Mapping[str, Any]
EVERYWHERE, USUAL_PORT = "0.0.0.0", 11112  # noqa: S104 - an archive must reach it
KINDS: dict[str, tuple[str, str, str, str]] = {  # what it is: name, modality, object, what a person calls it
    "ultrasound": ("ultrasound", "US", "ultrasound", N_("Ultrasound")),
    "endoscope": ("endoscope", "ES", "endoscopic", N_("Endoscope")),
    "camera": ("camera", "XC", "photographic", N_("Camera")),
    "other": ("device", "OT", "secondary-capture", N_("Something else")),
}
NAMES = {Step.WORKLIST: "ris", Step.ARCHIVE: "pacs"}
TABLES = {Step.WORKLIST: "worklist", Step.ARCHIVE: "destination"}


def of_step(step: Step, values: Values, document: Document) -> list[Change]:
    """Return the changes that an answer means. Raises BadValue, NotTried for a pedal without a picture source."""
    make = _MAKE.get(step)
    return make(values, document) if make else []


def none(step: Step, document: Document) -> list[Change]:
    """Return the changes that "we have none" means: what was chosen before goes."""
    table = {Step.PEDAL: "trigger", Step.SOURCE: "source", **TABLES}.get(step, "")
    gone = _all(table, document)
    return [*gone, *_all("trigger", document)] if step is Step.SOURCE else gone


def hearing(values: Values, document: Document) -> str:
    """Return where this box must hear an archive's reports; "" for where it does already."""
    station = document.get("station", {})
    listen = str(station.get("listen", f"127.0.0.1:{USUAL_PORT}"))
    host, _, port = listen.rpartition(":")
    far = values.get("kind", "dicom") == "dicom" and values.get("commitment") and not _is_here(values.get("host"))
    return f"{EVERYWHERE}:{port or USUAL_PORT}" if far and _is_here(host.strip("[]")) else ""


def entry(step: Step, values: Values) -> dict[str, Any]:
    """Return what is typed for another system as an entry of the configuration."""
    return {"name": NAMES[step], **{key: value for key, value in values.items() if value != ""}}


def _language(values: Values, document: Document) -> list[Change]:
    del document
    return [Put(place=("panel", "language"), value=_word(values, "language"))]


def _station(values: Values, document: Document) -> list[Change]:
    del document
    keys = [key for key in ("name", "ae_title") if key in values] or ["name"]
    return [Put(place=("station", key), value=_word(values, key)) for key in keys]


def _source(values: Values, document: Document) -> list[Change]:
    kind = KINDS.get(_word(values, "kind"))
    if kind is None:
        raise BadValue("This is no kind of picture source.")
    name, modality, made, _ = kind
    source: dict[str, Any] = {"name": name, "device": _word(values, "device")}
    if values.get("profile"):
        source["profile"] = _word(values, "profile")
    source |= {"modality": modality, "object": made}
    pedals = [
        Put(place=("trigger", number, "source"), value=name) for number in range(len(document.get("trigger", [])))
    ]
    return [*pedals, *_all("source", document), Add(table="source", values=source)]


def _pedal(values: Values, document: Document) -> list[Change]:
    sources = document.get("source", [])
    if not sources:
        raise NotTried("A pedal takes pictures of a source.", action="Choose the picture source first.")
    still, clip = _pressed(values.get("still")), _pressed(values.get("clip"))
    if still is None:
        raise BadValue("No pedal was pressed.")
    tables = [_trigger(still, sources[0]["name"], {"still": still["word"]})]
    if clip and _device(clip) == _device(still):
        tables[0]["clip"] = clip["word"]
    elif clip:
        tables.append(_trigger(clip, sources[0]["name"], {"clip": clip["word"]}))
    return [*_all("trigger", document), *(Add(table="trigger", values=table) for table in tables)]


def _system(step: Step) -> Callable[[Values, Document], list[Change]]:
    def make(values: Values, document: Document) -> list[Change]:
        changes: list[Change] = [
            *_all(TABLES[step], document),
            Add(table=TABLES[step], values=entry(step, values)),
        ]
        if step is Step.ARCHIVE and (listen := hearing(values, document)):
            changes.append(Put(place=("station", "listen"), value=listen))
        return changes

    return make


def _retention(values: Values, document: Document) -> list[Change]:
    del document
    return [Put(place=("retention", "keep_days"), value=values.get("keep_days", ""))]


_MAKE: dict[Step, Callable[[Values, Document], list[Change]]] = {
    Step.LANGUAGE: _language,
    Step.STATION: _station,
    Step.SOURCE: _source,
    Step.PEDAL: _pedal,
    Step.WORKLIST: _system(Step.WORKLIST),
    Step.ARCHIVE: _system(Step.ARCHIVE),
    Step.RETENTION: _retention,
}


def _all(table: str, document: Document) -> list[Change]:
    """Return what takes every element of an array of tables away."""
    return [Drop(place=(table, number)) for number in range(len(document.get(table, [])))]


def _word(values: Values, key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str) or not value:
        raise BadValue(f"{key} is missing.")
    return value


def _pressed(value: object) -> dict[str, str] | None:
    if value is None:
        return None
    wanted = {"kind", "device", "identity", "word"}
    if not isinstance(value, dict) or not wanted <= value.keys():
        raise BadValue("This is no press of a pedal.")
    return {key: str(value[key]) for key in wanted}


def _device(pressed: Mapping[str, str]) -> tuple[str, str]:
    return pressed["kind"], pressed["device"]


def _trigger(pressed: Mapping[str, str], source: str, words: Mapping[str, str]) -> dict[str, Any]:
    identity = {"identity": pressed["identity"]} if pressed["identity"] else {}
    return {"kind": pressed["kind"], "device": pressed["device"], **identity, "source": source, **words}


def _is_here(host: object) -> bool:
    """Say whether a host is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False
