"""What must hold between keys: names that exist and are unique, combinations that can work.

Each rule reads values that passed their own checks, and leaves alone what is missing or wrong by itself.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.config import certificates, grabber, wiring
from gateway.config.dicom import TEMPORARY_ID_FIELDS
from gateway.config.findings import Finding, Part, Parts
from gateway.config.settings import Address, Lan, Panel, Source, Station, Tls
from gateway.config.values import is_loopback, near, shown

_LONGEST_ID = 64  # a patient's ID and name (PS3.5 6.2: LO, PN)
_ANYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not bound

# What DICOM lets the objects of a kind be of (PS3.3 C.7.3.1.1.1, A.6, A.32); Secondary Captures may be of anything.
_MODALITIES = {"ultrasound": "US", "endoscopic": "ES", "photographic": "XC"}


def findings(parts: Parts) -> Iterator[Finding]:
    """Return what every rule finds."""
    for rule in _RULES:
        yield from rule(parts)


def of_one(parts: Parts) -> Iterator[Finding]:
    """Return what the rules find that need nothing but one element: how its connection is secured."""
    yield from _certificates(parts)
    yield from _web(parts)


def _names(parts: Parts) -> Iterator[Finding]:
    for table in ("source", "worklist", "procedure_step", "destination"):
        seen: set[str] = set()
        for part in parts.get(table, []):
            name = part.good.get("name")
            if name is None:
                continue
            if name.casefold() in seen:
                reason = f"another [[{table}]] is called {shown(name)} already"
                yield Finding(place=(*part.place, "name"), reason=reason)
            seen.add(name.casefold())


def _references(parts: Parts) -> Iterator[Finding]:
    sources = parts.get("source", [])
    if any("name" not in part.good for part in sources):
        return  # a source without a usable name: nobody can say what was meant
    names = [part.good["name"] for part in sources]
    for part in parts.get("trigger", []):
        wanted = part.good.get("source")
        if wanted is not None and wanted not in names:
            yield _no_source(part, "source", wanted, names)
    for part in parts.get("destination", []):
        for wanted in part.good.get("sources", ()):
            if wanted not in names:
                yield _no_source(part, "sources", wanted, names)


def _no_source(part: Part, key: str, wanted: str, names: list[str]) -> Finding:
    reason = f"there is no [[source]] called {shown(wanted)}"
    if meant := near(wanted, names):
        reason = f"there is no [[source]] called {shown(wanted)}; did you mean {meant}?"
    return Finding(place=(*part.place, key), reason=reason)


def _objects(parts: Parts) -> Iterator[Finding]:
    for part in parts.get("source", []):
        kind = part.good.get("object", Source().object)
        needed, modality = _MODALITIES.get(kind), part.good.get("modality")
        if needed and "modality" not in part.raw:
            yield Finding(place=(*part.place, "object"), reason=f"{shown(kind)} needs modality = {shown(needed)}")
        elif needed and modality not in {needed, None}:
            reason = f"must be {shown(needed)} for object {shown(kind)}, not {shown(modality)}"
            yield Finding(place=(*part.place, "modality"), reason=reason)


def _grabbers(parts: Parts) -> Iterator[Finding]:
    devices: set[str] = set()
    for part in parts.get("source", []):
        for key in grabber.misplaced(part.good, part.raw):
            yield Finding(place=(*part.place, key), reason='is asked of a grabber only: device = "v4l2:..."')
        device = part.good.get("device", "")
        if device.startswith("v4l2:") and device in devices:
            yield Finding(place=(*part.place, "device"), reason="another [[source]] takes its pictures already")
        devices.add(device)


def _folders(parts: Parts) -> Iterator[Finding]:
    data_dir: Path = _station(parts).get("data_dir", Station().data_dir)
    seen: dict[Path, str] = {}
    for part in parts.get("destination", []):
        folder = part.good.get("folder")
        if folder is None:
            continue
        if folder.is_relative_to(data_dir) or data_dir.is_relative_to(folder):
            reason = (
                f"and [station] data_dir {shown(str(data_dir))} lie within each other: a medium has its own place"
            )
            yield Finding(place=(*part.place, "folder"), reason=reason)
        other = seen.setdefault(folder, part.good.get("name", ""))
        if other != part.good.get("name", ""):
            yield Finding(place=(*part.place, "folder"), reason=f"is the folder of {shown(other)} already")


def _peers(parts: Parts) -> Iterator[Finding]:
    ours: Address = _station(parts).get("listen", Station().listen)
    seen: dict[tuple[str, str, int], str] = {}
    for part in parts.get("destination", []):
        good = part.good
        if not {"ae_title", "host", "port"} <= good.keys():
            continue
        if good["port"] == ours.port and is_loopback(good["host"]):
            yield Finding(place=(*part.place, "port"), reason="is this box's own listener, which stores nothing")
        peer = (good["ae_title"], good["host"].lower(), good["port"])
        other = seen.setdefault(peer, good.get("name", ""))
        if other != good.get("name", ""):
            yield Finding(place=part.place, reason=f"is the same archive as {shown(other)}")


def _listeners(parts: Parts) -> Iterator[Finding]:
    ours: Address = _station(parts).get("listen", Station().listen)
    panel_part = next(iter(parts.get("panel", [])), None)
    panel: Address = panel_part.good.get("listen", Panel().listen) if panel_part else Panel().listen
    if panel_part and not is_loopback(panel.host):
        yield Finding(
            place=(*panel_part.place, "listen"),
            reason=f"{panel.host} can be reached from other machines, and nobody signs in there: use 127.0.0.1, "
            "and lan for the network",
        )
    if ours.port == panel.port and _overlap(ours.host, panel.host):
        # A default stands nowhere in the file: then it is the other one that has to move.
        moves, stays = ("panel", "station") if panel_part and "listen" in panel_part.raw else ("station", "panel")
        name = f"[{stays}] listen"
        yield Finding(place=(moves, "listen"), reason=f"is the address of {name}: one of the two must move")
    lan = panel_part.good.get("lan") if panel_part else None
    taken = [("[station] listen", ours), ("[panel] listen", panel)]
    if panel_part and isinstance(lan, Lan):
        others = (("[station] listen", ours), ("listen", panel))
        for name, other in others:
            if other.port == lan.listen.port and _overlap(other.host, lan.listen.host):
                yield Finding(
                    place=(*panel_part.place, "lan", "listen"),
                    reason=f"is the address of {name}: one of the two must move",
                )
    if isinstance(lan, Lan):
        taken.append(("[panel] lan", lan.listen))
    yield from _monitoring(parts, taken)


def _monitoring(parts: Parts, taken: list[tuple[str, Address]]) -> Iterator[Finding]:
    """The listener for monitoring has an address of its own."""
    part = next(iter(parts.get("metrics", [])), None)
    ours = part.good.get("listen") if part else None
    if part is None or not isinstance(ours, Address):
        return
    for name, other in taken:
        if other.port == ours.port and _overlap(other.host, ours.host):
            reason = f"is the address of {name}: one of the two must move"
            yield Finding(place=(*part.place, "listen"), reason=reason)


def _practice(parts: Parts) -> Iterator[Finding]:
    """Practice reaches nobody: neither by its destinations nor by what it grabs or shows to others."""
    panel = next(iter(parts.get("panel", [])), None)
    if panel is None or panel.good.get("practice_of") is None:
        return
    for table in ("destination", "procedure_step", "trigger", "audit"):
        for part in parts.get(table, []):
            yield Finding(place=part.place, reason="practice has none: nothing of it leaves or comes from outside")
    for part in parts.get("worklist", []):
        if not is_loopback(part.good.get("host", "")):
            yield Finding(
                place=(*part.place, "host"), reason="practice has patients of its own: a loopback address"
            )
    for part in parts.get("source", []):
        if not part.good.get("device", "pattern:").startswith("pattern:"):
            yield Finding(place=(*part.place, "device"), reason="practice shows a test picture: pattern:...")
    if panel.good.get("lan") is not None:
        yield Finding(place=(*panel.place, "lan"), reason="practice is at the box alone")
    for part in parts.get("metrics", []):
        yield Finding(place=part.place, reason="practice is at the box alone")


def _overlap(one: str, other: str) -> bool:
    return one == other or bool({one, other} & _ANYWHERE) or {one, other} == {"localhost", "127.0.0.1"}


def _commitment(parts: Parts) -> Iterator[Finding]:
    ours: Address = _station(parts).get("listen", Station().listen)
    for part in parts.get("destination", []):
        wanted = part.raw.get("commitment")
        where = wanted.get("host") if isinstance(wanted, dict) else part.good.get("host")
        asked = wanted is True or isinstance(wanted, dict)
        if asked and isinstance(where, str) and is_loopback(ours.host) and not is_loopback(where):
            yield Finding(
                place=(*part.place, "commitment"),
                reason=f"{where} could never report back: [station] listen {shown(str(ours))} is loopback only",
            )
        if part.good.get("trust_query") and part.raw.get("query", False) is False:
            yield Finding(
                place=(*part.place, "trust_query"),
                reason="trusts the answer to a question that nobody asks: set query as well",
            )


def _identity(parts: Parts) -> Iterator[Finding]:
    station = _station(parts)
    for key, usual in (("temporary_id", Station().temporary_id), ("typed_id", Station().typed_id)):
        template = station.get(key, usual)
        filled = template.format(**{**TEMPORARY_ID_FIELDS, "station": station.get("name", Station().name)})
        if len(filled) > _LONGEST_ID:
            yield Finding(
                place=("station", key),
                reason=f"makes IDs of {len(filled)} characters, such as {shown(filled)}; "
                f"DICOM allows {_LONGEST_ID}",
            )


def _certificates(parts: Parts) -> Iterator[Finding]:
    for part in (part for table in parts.values() for part in table):
        tls, lan = part.good.get("tls"), part.good.get("lan")
        if isinstance(lan, Lan) and (wrong := certificates.misfit(lan.certificate, lan.key)):
            yield Finding(place=(*part.place, "lan", wrong[0]), reason=wrong[1])
        if not isinstance(tls, Tls):
            continue
        place = (*part.place, "tls")
        if part.place == ("station",) and tls.ca is None:
            yield Finding(
                place=(*place, "ca"),
                reason="would let in everybody who has a certificate of a public authority: name your own",
            )
        if tls.certificate is None or tls.key is None:
            if tls.certificate or tls.key:
                missing = "key" if tls.key is None else "certificate"
                yield Finding(place=place, reason=f"{missing} is missing: a certificate and its key go together")
        elif wrong := certificates.misfit(tls.certificate, tls.key):
            yield Finding(place=(*place, wrong[0]), reason=wrong[1])


def _web(parts: Parts) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for part in parts.get("destination", []):
        good, url = part.good, part.good.get("url")
        if url is None:
            continue
        where = urlsplit(url)
        clear = where.scheme == "http"
        if clear and not good.get("insecure") and not is_loopback(where.hostname or ""):
            yield Finding(
                place=(*part.place, "url"),
                reason="would send pictures in clear: use https://, or say insecure = true in a protected network",
            )
        if clear and "tls" in good:
            yield Finding(place=(*part.place, "tls"), reason="is of no use with http://")
        if "token_file" in part.raw and part.raw.keys() & {"user", "password_file"}:
            yield Finding(place=(*part.place, "token_file"), reason="or user with password_file: one of the two")
        if len(part.raw.keys() & {"user", "password_file"}) == 1:
            missing = "password_file" if "user" in part.raw else "user"
            yield Finding(place=part.place, reason=f"{missing} is missing: user and password_file go together")
        other = seen.setdefault(url.lower(), good.get("name", ""))
        if other != good.get("name", ""):
            yield Finding(place=part.place, reason=f"is the same archive as {shown(other)}")


def _idle(parts: Parts) -> Iterator[Finding]:
    """Nobody's exam ends before they were asked."""
    usual = Source()
    for part in parts.get("source", []):
        asks = part.good.get("idle_minutes", usual.idle_minutes)
        ends = part.good.get("idle_end_minutes", usual.idle_end_minutes)
        if not ends or ends > asks:
            continue
        key = "idle_end_minutes" if "idle_end_minutes" in part.raw else "idle_minutes"
        yield Finding(
            place=(*part.place, key),
            reason=f"an exam would end after {ends} minutes and be asked about after {asks}: idle_end_minutes must "
            "be more than idle_minutes, or 0",
        )


def _station(parts: Parts) -> Mapping[str, Any]:
    return next((part.good for part in parts.get("station", [])), {})


_RULES = (
    _names,
    _references,
    _objects,
    _grabbers,
    _idle,
    wiring.pedals,
    wiring.wires,
    _folders,
    _peers,
    _listeners,
    _practice,
    _commitment,
    _identity,
    _certificates,
    _web,
)
