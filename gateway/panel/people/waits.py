"""How long a wrong PIN makes the next try wait. Slows guessing down; locks nobody out for good."""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from gateway.clock import Clock

LONGEST_S = 60.0
_FORGOTTEN_S = 3600.0  # after so long without a try the first wrong one waits 1 s again
_MOST = 4096  # tries that are remembered
_NETWORK = 64  # bits: one machine has all IPv6 addresses below them (RFC 4291 2.5.1)


@dataclass(kw_only=True, slots=True)
class _Wrong:
    count: int
    until: float  # seconds since boot


class Waits:
    """Wrong tries by person and address together: who guesses elsewhere keeps nobody from signing in here."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wrong: dict[tuple[str, str], _Wrong] = {}

    def left(self, name: str, address: str) -> float:
        """Return for how many seconds no PIN of this person is looked at from this address; 0 when it is now."""
        found = self._wrong.get(_key(name, address))
        return max(0.0, found.until - self._now()) if found else 0.0

    def wrong(self, name: str, address: str) -> float:
        """Note a wrong PIN; return the seconds until the next try: 1, 2, 4 ... 60."""
        now, key = self._now(), _key(name, address)
        found = self._wrong.pop(key, None)
        count = found.count + 1 if found and now - found.until < _FORGOTTEN_S else 1
        wait = min(2.0 ** min(count - 1, 10), LONGEST_S)
        if len(self._wrong) >= _MOST:
            del self._wrong[min(self._wrong, key=lambda each: self._wrong[each].until)]
        self._wrong[key] = _Wrong(count=count, until=now + wait)
        return wait

    def right(self, name: str, address: str) -> None:
        """Forget the wrong ones."""
        self._wrong.pop(_key(name, address), None)

    def _now(self) -> float:
        return self._clock.boottime_ns() / 1e9


def _key(name: str, address: str) -> tuple[str, str]:
    return name.casefold(), network_of(address)


def network_of(address: str) -> str:
    """Return what counts as one machine: an IPv4 address, the network of an IPv6 address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(int(found) >> (128 - _NETWORK))
    return str(found)
