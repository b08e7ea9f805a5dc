"""What the box lets in: the rules of nftables for the ports that its configuration opens. Text from values.

Everything else is dropped, whatever listens. Who may call out is decided by user: systemd/nftables/scopegate.nft.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.config.settings import Address, Settings
from gateway.config.values import is_loopback

TABLE = "scopegate_incoming"


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """A port that others may reach, at one of the box's addresses or at all of them ("")."""

    what: str
    port: int
    address: str = ""


def openings(settings: Settings) -> list[Opening]:
    """Return what the configuration opens to the network."""
    return list(_openings(settings))


def _openings(settings: Settings) -> Iterator[Opening]:
    listeners: list[tuple[str, Address | None]] = [
        ("archives report, storage commitment", settings.station.listen),
        ("browsers of the clinic", settings.panel.lan.listen if settings.panel.lan else None),
        ("monitoring", settings.metrics.listen),
    ]
    for what, listen in listeners:
        if listen is not None and not is_loopback(listen.host):
            yield Opening(what=what, port=listen.port, address=_address(listen.host))


def _address(host: str) -> str:
    """Return the address at which a listener is; "" for all of them, and for a name, which only it looks up."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return ""
    return "" if found.is_unspecified else str(found)


def rules(opened: list[Opening]) -> str:
    """Return the text for `nft -f`: the whole table, replaced in one step."""
    ports = "".join(f"\t\t{_rule(each)}\n" for each in opened)
    return f"""\
table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
\tchain arrives {{
\t\ttype filter hook input priority filter; policy drop;
\t\tiifname "lo" accept
\t\tct state {{ established, related }} accept
\t\tct state invalid drop
\t\ticmp type {{ echo-request, destination-unreachable, time-exceeded, parameter-problem }} accept
\t\ticmpv6 type {{ echo-request, destination-unreachable, packet-too-big, time-exceeded, parameter-problem }} accept
\t\ticmpv6 type {{ nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} ip6 hoplimit 255 accept
\t\tip6 saddr fe80::/10 icmpv6 type mld-listener-query accept
\t\tudp sport 67 udp dport 68 accept
\t\tip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
{ports}\t\tcounter drop
\t}}
\tchain passes_through {{
\t\ttype filter hook forward priority filter; policy drop;
\t}}
}}
"""


def _rule(opened: Opening) -> str:
    family = ("ip6" if ":" in opened.address else "ip") + " daddr"
    where = f"{family} {opened.address} " if opened.address else ""
    return f'{where}tcp dport {opened.port} counter accept comment "{opened.what}"'
