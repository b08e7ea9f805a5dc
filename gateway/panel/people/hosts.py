"""The names that the second door answers to: those of its certificate, and the address that was called."""

from ipaddress import ip_address


class Names:
    """What the certificate says now; told by the second door whenever it reads it."""

    def __init__(self) -> None:
        self.certified: frozenset[str] = frozenset()  # names in lower case, addresses as `ipaddress` writes them

    def fit(self, host: str, here: str) -> bool:
        """Say whether a Host header (without port) names this box. `here`: the address that the caller reached.

        An address cannot be rebound by DNS; a name can, and has to stand in the certificate.
        """
        if address := _address(host):
            return address == _address(here) or address in self.certified
        name = host.lower().removesuffix(".")
        _, _, rest = name.partition(".")
        return bool(name) and (name in self.certified or (bool(rest) and f"*.{rest}" in self.certified))


def is_address(text: str) -> bool:
    """Say whether a host is an IP address, not a name."""
    return bool(_address(text))


def _address(text: str) -> str:
    """Return an IP address in its one form, "" for what is none."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
