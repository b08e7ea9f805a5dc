"""The network ports of the machine, from /sys/class/net. Looks; changes nothing."""

from dataclasses import dataclass
from pathlib import Path

from gateway.config.machine import Network

SYS = Path("/sys/class/net")
_ETHERNET = 1  # ARPHRD_ETHER of Linux


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """A socket for a cable."""

    name: str
    cable: bool  # something answers at its other end


def wired(sys: Path = SYS) -> list[Port]:
    """Return the wired ports by name: not loopback, no Wi-Fi, nothing that only a program made."""
    found = []
    for folder in sorted(sys.iterdir()) if sys.is_dir() else []:
        has_device = (folder / "device").exists()
        wifi = (folder / "wireless").exists() or (folder / "phy80211").exists()
        if has_device and not wifi and _word(folder / "type") == str(_ETHERNET):
            found.append(Port(name=folder.name, cable=_word(folder / "carrier") == "1"))
    return found


def chosen(network: Network, ports: list[Port]) -> str:
    """Return the port that the settings are of, "" for none: the named one, else the first."""
    if network.interface:
        return network.interface
    return ports[0].name if ports else ""


def _word(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # a port that is switched off has no carrier to tell of
        return ""
