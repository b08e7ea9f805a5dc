"""Where the box's time comes from, for chrony. Text from values, and what networkd heard from DHCP servers."""

import ipaddress
from collections.abc import Iterable

from gateway.config.machine import Time
from gateway.config.values import Wrong, host
from gateway.machine.network.networkd import HEAD

_MOST = 8  # servers; chrony combines no more than it can compare


def sources(time: Time, heard: Iterable[str]) -> str:
    """Return chrony's list of servers: those that are named, else those that DHCP servers named."""
    named = list(time.servers) or list(heard)
    return "\n".join([HEAD, *(f"server {each} iburst" for each in named[:_MOST]), ""])


def heard_by_dhcp(state: str) -> list[str]:
    """Return the time servers in /run/systemd/netif/state; what is no address or name is left out.

    A DHCP server is somebody in the network: what it says goes into a file of root's.
    """
    found = (line.removeprefix("NTP=").split() for line in state.splitlines() if line.startswith("NTP="))
    return list(dict.fromkeys(each for words in found for each in words if _is_host(each)))


def _is_host(words: str) -> bool:
    try:
        return bool(host(words)) and not _is_own(words)
    except Wrong:
        return False


def _is_own(words: str) -> bool:
    try:
        return ipaddress.ip_address(words).is_loopback
    except ValueError:
        return False
