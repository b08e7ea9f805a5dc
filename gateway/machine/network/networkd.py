"""The files of systemd-networkd for what `machine.toml` says. Text from values; writes and asks nothing.

Ports that are not named here are those of /etc/systemd/network/80-dhcp.network: they ask for an address.
"""

from collections.abc import Iterator

from gateway.config.machine import Network

FOLDER = "systemd/network"  # below /run
PREFIX = "10-scopegate"  # before 80-dhcp
HEAD = "# Made from machine.toml; made again at each start."


def files(network: Network, port: str) -> dict[str, str]:
    """Return each file's text by its name; {} for what the image's own file does already."""
    if not port or not _says_something(network):
        return {}
    if not network.vlan:
        return {f"{PREFIX}.network": _text(_match(port), _link(network), _addresses(network))}
    inner = vlan_name(network.vlan)
    return {
        f"{PREFIX}.network": _text(
            _match(port),
            _link(network),
            ["[Network]", f"VLAN={inner}", "DHCP=no", "LinkLocalAddressing=no", "IPv6AcceptRA=no"],
        ),
        f"{PREFIX}-vlan.netdev": _text(
            ["[NetDev]", f"Name={inner}", "Kind=vlan", "", "[VLAN]", f"Id={network.vlan}"]
        ),
        f"{PREFIX}-vlan.network": _text(_match(inner), _addresses(network)),
    }


def vlan_name(number: int) -> str:
    """Return how the port inside a VLAN is called: another number is another port."""
    return f"vlan{number}"


def _says_something(network: Network) -> bool:
    usual = Network()
    return any(
        getattr(network, key) != getattr(usual, key)
        for key in ("method", "dns", "search", "vlan", "mtu", "hostname")
    )


def _match(port: str) -> list[str]:
    return ["[Match]", f"Name={port}"]


def _link(network: Network) -> list[str]:
    return ["[Link]", f"MTUBytes={network.mtu}"] if network.mtu else []


def _addresses(network: Network) -> list[str]:
    return list(_static(network) if network.method == "static" else _dhcp(network))


def _static(network: Network) -> Iterator[str]:
    """What was written and nothing else: no address that a machine of the network offers by itself."""
    yield from ("[Network]", "DHCP=no", "LinkLocalAddressing=no", "IPv6AcceptRA=no")
    yield f"Address={network.address}"
    if network.gateway:
        yield f"Gateway={network.gateway}"
    yield from _names(network)


def _dhcp(network: Network) -> Iterator[str]:
    yield from ("[Network]", "DHCP=yes")
    yield from _names(network)
    mtu = "no" if network.mtu else "yes"
    # A server that knows the box by the MAC address of its page: some look at nothing but this word.
    yield from ("", "[DHCPv4]", "ClientIdentifier=mac", f"Hostname={network.hostname}", f"UseMTU={mtu}")


def _names(network: Network) -> Iterator[str]:
    yield from (f"DNS={each}" for each in network.dns)
    if network.search:
        yield f"Domains={' '.join(network.search)}"


def _text(*sections: list[str]) -> str:
    return "\n\n".join([HEAD, *("\n".join(each) for each in sections if each)]) + "\n"
