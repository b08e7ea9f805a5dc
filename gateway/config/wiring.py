"""What must hold between pedals, contacts and lamps: each does something, and nothing is wired twice."""

from collections.abc import Iterator

from gateway.config.findings import Finding, Part, Parts
from gateway.config.values import shown
from gateway.messages import N_

_SAME = {
    "serial": N_("is the same byte or line as still"),
    "input": N_("is the same key as still"),
    "gpio": N_("is the same pin as still"),
}


def pedals(parts: Parts) -> Iterator[Finding]:
    devices: set[str] = set()
    for part in parts.get("trigger", []):
        device, kind = part.good.get("device"), part.good.get("kind", "")
        if device in devices and kind != "gpio":  # pins of one chip may belong to several sources
            what = "port" if kind == "serial" else "device"
            reason = f"another [[trigger]] listens there: one {what} has one trigger with still and clip"
            yield Finding(place=(*part.place, "device"), reason=reason)
        elif device:
            devices.add(device)
        if not kind:
            continue
        still, clip = part.good.get("still", ""), part.good.get("clip", "")
        if not part.raw.keys() & {"still", "clip"} or (not still and not clip and _both_good(part)):
            yield Finding(place=part.place, reason="takes neither a still nor a clip: give still, clip or both")
        elif still and still == clip:
            yield Finding(place=(*part.place, "clip"), reason=_SAME[kind])


def _both_good(part: Part) -> bool:
    return all(key in part.good for key in ("still", "clip") if key in part.raw)


def wires(parts: Parts) -> Iterator[Finding]:
    """A pin or a line belongs to one contact or one lamp, and one sound card to one tone."""
    seen: set[tuple[str, str]] = set()
    for table, names in (("trigger", ("still", "clip")), ("sign", ("lamp",))):
        for part in parts.get(table, []):
            device, own = part.good.get("device", ""), set()
            for key in names:
                word = part.good.get(key, "")
                if not device or not word:
                    continue
                if (device, word) in seen:
                    reason = f"{shown(word)} of {device} is used already"
                    yield Finding(place=(*part.place, key), reason=reason)
                own.add((device, word))
            seen |= own
    tones = [part for part in parts.get("sign", []) if part.good.get("kind") == "tone"]
    for number, part in enumerate(tones):
        if any(other.good.get("device") == part.good.get("device") for other in tones[:number]):
            yield Finding(place=part.place, reason="another [[sign]] plays its tones there already")
