"""How the network is, from what iproute2 and wpa_cli print. Reads texts of theirs; runs nothing."""

import ipaddress
import json
from dataclasses import dataclass
from typing import Any

ANSWERS, SILENT, UNKNOWN = "answers", "silent", "unknown"
LETS_IN, REFUSES, ASKS = "lets-in", "refuses", "asks"
_THERE = frozenset(
    {"REACHABLE", "STALE", "DELAY", "PROBE", "PERMANENT"}
)  # neighbours that answered once (ip-neighbour(8))
_GONE = frozenset({"FAILED", "INCOMPLETE"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What there is of addresses. `gateway_state` is one of ANSWERS, SILENT, UNKNOWN."""

    addresses: tuple[str, ...] = ()
    gateway: str = ""
    gateway_state: str = UNKNOWN
    hardware: str = ""  # the port's own number, which IT registers


def seen(*, addresses: str, routes: str, neighbours: str, port: str) -> Seen:
    """Read `ip -j address`, `ip -j route show default` and `ip -j neigh` about one port."""
    (link,) = [each for each in _rows(addresses) if each.get("ifname") == port] or [{}]
    found = [each for each in link.get("addr_info", []) if each.get("scope") == "global"]
    default = [each for each in _rows(routes) if each.get("dev") == port and each.get("gateway")]
    gateway = str(default[0]["gateway"]) if default else ""
    return Seen(
        addresses=tuple(
            f"{each['local']}/{each['prefixlen']}" for each in found if {"local", "prefixlen"} <= each.keys()
        ),
        gateway=gateway,
        gateway_state=_answer(_rows(neighbours), gateway),
        hardware=str(link.get("address", "")),
    )


def _answer(neighbours: list[dict[str, Any]], gateway: str) -> str:
    states = {state for each in neighbours if each.get("dst") == gateway for state in each.get("state", [])}
    if states & _THERE:
        return ANSWERS
    return SILENT if states & _GONE else UNKNOWN


def listed(state: str, key: str) -> list[str]:
    """Return the words after a key of /run/systemd/netif/state; addresses without their server's name."""
    for line in state.splitlines():
        name, _, words = line.partition("=")
        if name == key:
            return [_bare(each) for each in words.split()]
    return []


def _bare(words: str) -> str:
    where = words.partition("#")[0]
    try:
        return str(ipaddress.ip_address(where))
    except ValueError:
        return where


def port_access(status: str) -> str:
    """Return what `wpa_cli status` says of the switch: LETS_IN, REFUSES, or ASKS while it is not over."""
    said = dict(line.split("=", 1) for line in status.splitlines() if "=" in line)
    if said.get("suppPortStatus") == "Authorized" and said.get("EAP state") == "SUCCESS":
        return LETS_IN
    refused = said.get("Supplicant PAE state") == "HELD" or said.get("EAP state") == "FAILURE"
    return REFUSES if refused else ASKS


def _rows(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
