"""What a clinic says of an appliance's own network and time: `machine.toml`, beside the configuration.

Only an appliance has this file. Root reads it there: what passes here may stand in the files of networkd, chrony
and wpa_supplicant as it is, so no value can hold a line's end, a quote or a path out of the file's own folder.
"""

import ipaddress
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from gateway.config import certificates, forms, reader, values
from gateway.config.findings import Finding, Parts
from gateway.config.forms import Form, Shaped
from gateway.config.lines import Place
from gateway.config.table import Table
from gateway.config.values import Wrong, shown, words_of
from gateway.errors import ConfigurationError
from gateway.messages import N_

NAME = "machine.toml"
UTC = "UTC"
# They say together where the box is in the network: with one wrong the others may be somebody else's place.
WHEREABOUTS: tuple[Place, ...] = tuple(("network", key) for key in ("interface", "method", "address", "vlan"))
_ADDRESS: Place = ("network", "address")  # what a table lacks that is wrong as a whole
_PORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")  # an interface's name (IFNAMSIZ of Linux)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_IDENTITY = re.compile(r"[A-Za-z0-9._@/+:-]{1,253}")
_SMALLEST_MTU = 1280  # IPv6 has no smaller one (RFC 8200 5)


@dataclass(frozen=True, kw_only=True, slots=True)
class PortAccess:
    """How the box shows a switch who it is: IEEE 802.1X with EAP-TLS (RFC 5216)."""

    identity: str
    ca: Path  # PEM: whose word we take for the switch's server
    certificate: Path  # PEM, with its chain: ours
    key: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """The wired port with which the box is in the clinic's network. Other ports ask for an address by DHCP."""

    hostname: str = "scopegate"
    interface: str = ""  # "" = the first wired one
    method: str = "dhcp"  # or "static"
    address: str = ""  # with its prefix; both stand aside with DHCP
    gateway: str = ""
    dns: tuple[str, ...] = ()  # besides what DHCP says
    search: tuple[str, ...] = ()
    vlan: int = 0  # 0: untagged
    mtu: int = 0  # bytes; 0: as the port has it
    ieee8021x: PortAccess | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Time:
    servers: tuple[str, ...] = ()  # NTP; (): those that DHCP names
    zone: str = UTC


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    network: Network = Network()
    time: Time = Time()


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """What a file says without what is wrong in it: where that stands, and all that goes because of it."""

    machine: Machine
    wrong: tuple[Place, ...] = ()
    left_out: tuple[Place, ...] = ()


def read_saved(raw: bytes, path: Path) -> Saved:
    """Return what can be taken of a file that was saved: an earlier version may have let more pass.

    What is wrong costs itself alone: no address is lost for a time server. Raises ConfigurationError for what
    cannot be read at all, and for a file of a later version, whose words may mean something else.
    """
    good, problems = reader.read_good(raw, path, tables(path.parent), _findings)
    places = (each.place[:2] for each in problems)
    wrong = tuple(dict.fromkeys(_ADDRESS if place == ("network",) else place for place in places))
    if ("config_version",) in wrong:
        raise ConfigurationError(str(path), problems)
    gone = dict.fromkeys([*wrong, *(WHEREABOUTS if any(place in WHEREABOUTS for place in wrong) else ())])
    return Saved(
        machine=Machine(
            network=Network(**_without("network", good, gone)), time=Time(**_without("time", good, gone))
        ),
        wrong=wrong,
        left_out=tuple(gone),
    )


def _without(table: str, good: Mapping[str, Mapping[str, Any]], gone: Container[Place]) -> dict[str, Any]:
    return {key: value for key, value in good.get(table, {}).items() if (table, key) not in gone}


def read_text(raw: bytes, path: Path) -> Machine:
    """Return what a text says that would stand in the file `path`. Raises ConfigurationError."""
    return Machine(**reader.read_tables(raw, path, tables(path.parent), _findings))


def tables(base: Path) -> dict[str, Table]:
    """Return every table by its name; certificates lie in `base`, the file's own folder."""
    here = _beside(base)
    access = Table(
        made=PortAccess,
        field="",
        needed=("identity", "ca", "certificate", "key"),
        keys={"identity": _identity, "ca": here, "certificate": here, "key": here},
    )
    return {
        "network": Table(
            made=Network,
            field="network",
            keys={
                "hostname": _hostname,
                "interface": _port,
                "method": values.one_of("dhcp", "static"),
                "address": _address,
                "gateway": _ip_or_none,
                "dns": values.several(_ip),
                "search": values.several(_domain),
                "vlan": values.number(0, 4094),
                "mtu": _mtu,
                "ieee8021x": access,
            },
        ),
        "time": Table(made=Time, field="time", keys={"servers": values.several(values.host), "zone": zone}),
    }


@cache
def zones() -> frozenset[str]:
    """Return the names of all time zones that this machine knows, without those of other systems."""
    return frozenset(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")) | {UTC}


def _zone(value: object) -> str:
    words = words_of(value)
    if words not in zones():
        raise Wrong(f'must be a time zone such as "Europe/Zurich", not {shown(words)}')
    return words


zone = Shaped(form=Form(kind=forms.TEXT, longest=64), check=_zone)


def _port(value: object) -> str:
    words = words_of(value)
    if words and not _PORT.fullmatch(words):
        raise Wrong(f'must be the name of a network port such as "enp1s0", not {shown(words)}')
    return words


def _label(value: object) -> str:
    words = words_of(value)
    if not _LABEL.fullmatch(words):
        raise Wrong(f"must be 1 to 63 letters, digits and dashes, not {shown(words)}")
    return words


_hostname = Shaped(form=Form(longest=63), check=_label)


def _domain(value: object) -> str:
    words = words_of(value)
    if len(words) > 253 or not all(_LABEL.fullmatch(each) for each in words.split(".")):  # noqa: PLR2004 - RFC 1035 2.3.4
        raise Wrong(f'must be a domain such as "clinic.example", not {shown(words)}')
    return words


def _ip(value: object) -> str:
    words = words_of(value)
    try:
        found = ipaddress.ip_address(words)
    except ValueError:
        raise Wrong(f"must be an IP address, not {shown(words)}") from None
    if found.is_unspecified or found.is_multicast or found.is_loopback or "%" in words:
        raise Wrong(f"must be the address of one machine of the network, not {shown(words)}")
    return str(found)


def _ip_or_none(value: object) -> str:
    return "" if value == "" else _ip(value)


def _address(value: object) -> str:
    words = words_of(value)
    if not words:
        return ""
    where, slash, _ = words.partition("/")
    try:
        found = ipaddress.ip_interface(words)
    except ValueError:
        slash = ""
    if not slash:
        raise Wrong(f'must be an address with its prefix, such as "10.1.2.3/24", not {shown(words)}')
    _ip(where)
    if found.version == 4 and found.network.prefixlen < 31 and found.ip in _ends(found.network):  # noqa: PLR2004
        raise Wrong(f"must be the address of one machine: {found.ip} is that of the whole network {found.network}")
    return str(found)


def _ends(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> tuple[object, object]:
    return network.network_address, network.broadcast_address


def _mtu(value: object) -> int:
    return 0 if value == 0 and not isinstance(value, bool) else int(_bytes(value))


_bytes = values.number(_SMALLEST_MTU, 9216)


def _identity(value: object) -> str:
    words = words_of(value)
    if not _IDENTITY.fullmatch(words):
        raise Wrong("must be 1 to 253 letters, digits and any of ._@/+:-")
    return words


def _beside(base: Path) -> Shaped:
    """Return a check for a file in the folder of `machine.toml`: root reads no other for the panel."""
    there = certificates.file(base)

    def check(value: object) -> Path:
        words = words_of(value)
        path = base / words
        try:
            inside = "\0" not in words and path.resolve().is_relative_to(base.resolve())
        except (OSError, RuntimeError):  # a loop of links
            inside = False
        if not inside or '"' in str(path) or not str(path).isprintable():
            raise Wrong(f"must be a file below {base}")
        found: Path = there(value)
        return found

    return Shaped(form=Form(kind=forms.FILE), check=check)


# --- what must hold between keys -----------------------------------------------------------------------------


def _findings(parts: Parts) -> Iterator[Finding]:
    for part in parts.get("network", []):
        if part.good.get("method") == "static" and ("address" in part.good or "address" not in part.raw):
            yield from _static(part.place, part.good)
        access = part.good.get("ieee8021x")
        if isinstance(access, PortAccess) and (wrong := certificates.misfit(access.certificate, access.key)):
            yield Finding(place=(*part.place, "ieee8021x", wrong[0]), reason=wrong[1])


def _static(place: tuple[str | int, ...], good: Mapping[str, object]) -> Iterator[Finding]:
    address, gateway = str(good.get("address", "")), str(good.get("gateway", ""))
    if not address:
        yield Finding(place=place, reason=N_('address is missing: method = "static" needs one'))
    elif gateway:
        own, other = ipaddress.ip_interface(address), ipaddress.ip_address(gateway)
        if other not in own.network or other == own.ip:
            reason = f"{gateway} is not another machine of the network {own.network}: nothing would be reached"
            yield Finding(place=(*place, "gateway"), reason=reason)
