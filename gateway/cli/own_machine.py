"""What `scopegate doctor` sees of an appliance's network, clock and sockets. Another machine has nothing to say."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.config.told import FOLDER, told
from gateway.forward.connections.finding import Finding

_SET_BY = {
    "ntp": "follows {server}",
    "hand": "set by hand",
    "rtc": "from the battery clock",
    "nobody": "nobody set it since the start",
}
_PAGE = "More, Settings, This box, Network of this box."
_TIME_PAGE = "More, Settings, This box, Date and time."


def network(folder: Path = FOLDER) -> Iterator[Finding]:
    """Say which address it has, whether its gateway answers, what could not be set."""
    seen = told("network", folder)
    if seen is None:
        return
    where = ", ".join(seen.get("addresses", [])) or "no address"
    says = f"{seen.get('inner') or 'no port'}: {where} ({seen.get('method', 'unknown')})"
    if not seen.get("cable"):
        yield Finding(what="network", ok=False, says=f"{says}, no cable", action="Plug the network cable in.")
    elif not seen.get("addresses"):
        yield Finding(what="network", ok=False, says=says, action=f"Ask IT; {_PAGE}")
    else:
        yield Finding(what="network", ok=True, says=says)
    yield from _around(seen)


def _around(seen: Mapping[str, Any]) -> Iterator[Finding]:
    if gateway := seen.get("gateway"):
        state = str(seen.get("gateway_state"))
        ok, says = {"answers": (True, "answers"), "silent": (False, "does not answer")}.get(
            state, (None, "not asked")
        )
        action = "Is its address right, and the VLAN?" if ok is False else ""
        yield Finding(what=f"gateway {gateway}", ok=ok, says=says, action=action)
    if access := seen.get("port_access"):
        lets_in = {"lets-in": (True, "lets the box in"), "refuses": (False, "refuses the box")}
        ok, says = lets_in.get(access, (None, "is being asked"))
        action = "Look at the box's certificate, and what the switch's server says." if ok is False else ""
        yield Finding(what="switch (802.1X)", ok=ok, says=says, action=action)
    for problem in seen.get("problems", []):
        says = f"not as its settings say [{problem}]"
        yield Finding(what="machine.toml", ok=False, says=says, action=f"Set it anew: {_PAGE}")
    for key in seen.get("wrong", []):
        page = _TIME_PAGE if key.startswith("time.") else _PAGE
        says = f"{key} cannot be right as it was saved, and is not used"
        yield Finding(what="machine.toml", ok=False, says=says, action=f"Set it anew: {page}")


def usb(folder: Path = FOLDER) -> Iterator[Finding]:
    """Say what waits to be let in."""
    seen = told("usb", folder) or {"devices": []}
    for each in seen["devices"]:
        if each["state"] == "waits":
            says = f"{each['name'] or each['identity']} can type, and nobody let it in"
            action = "Is it yours? More, Settings, This box, USB devices."
            yield Finding(what=f"usb {each['port']}", ok=None, says=says, action=action)


def set_by(folder: Path = FOLDER) -> str:
    """Return what set the clock, "" when nobody says."""
    seen = told("clock", folder) or {}
    return _SET_BY.get(str(seen.get("by", "")), "").format(server=seen.get("server") or "a time server")
