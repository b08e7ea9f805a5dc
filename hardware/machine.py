"""The machine's own sensors as the kernel gives them: temperatures with their limits, and a Pi's supply voltage.

Judges nothing: a machine without sensors has no temperatures, and nobody knows its voltage.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HOTTEST_C = 85.0  # every small computer slows down from here on, whatever its own limits say
_LOWEST_TRIP_C = 60.0  # what is lower is a skin's, or none
_BELOW_CRITICAL_C = 10.0  # where the kernel switches the machine off
_PLAUSIBLE_C = (0.0, 130.0)
_SLOWS_DOWN = frozenset({"passive", "hot"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Zone:
    """A temperature, and from which one on its place is too hot; in degrees Celsius."""

    name: str
    celsius: float
    limit: float


class Sensors:
    """Reads sysfs (Documentation/driver-api/thermal/sysfs-api.rst, Documentation/hwmon/raspberrypi-hwmon)."""

    def __init__(self, sys: Path = Path("/sys")) -> None:
        self._sys = sys

    def zones(self) -> list[Zone]:
        """Return what can be read now."""
        return [zone for path in self._found("class/thermal", "thermal_zone*") if (zone := _zone(path))]

    def undervoltage(self) -> bool | None:
        """Say whether the supply was too weak within the last seconds; None where the kernel does not tell."""
        for path in self._found("class/hwmon", "hwmon*"):
            with suppress(OSError):
                if (path / "name").read_text().strip() == "rpi_volt":
                    return (path / "in0_lcrit_alarm").read_text().strip() == "1"
        return None

    def _found(self, folder: str, pattern: str) -> Iterator[Path]:
        with suppress(OSError):
            yield from sorted((self._sys / folder).glob(pattern))


def _zone(path: Path) -> Zone | None:
    """Return a zone; None while it cannot be read, or says what no machine has."""
    celsius = _celsius(path / "temp")
    if celsius is None or not _PLAUSIBLE_C[0] < celsius < _PLAUSIBLE_C[1]:
        return None
    with suppress(OSError):
        return Zone(name=(path / "type").read_text().strip(), celsius=celsius, limit=_limit(path))
    return None


def _limit(path: Path) -> float:
    """Return from when on a zone is too hot: where the machine begins to slow down, well before it goes off."""
    limits = [HOTTEST_C]
    for kind in path.glob("trip_point_*_type"):
        with suppress(OSError):
            word, at = kind.read_text().strip(), _celsius(kind.with_name(kind.name.replace("_type", "_temp")))
            if at is not None and at >= _LOWEST_TRIP_C and word in _SLOWS_DOWN:
                limits.append(at)
            elif at is not None and at >= _LOWEST_TRIP_C and word == "critical":
                limits.append(at - _BELOW_CRITICAL_C)
    return min(limits)


def _celsius(path: Path) -> float | None:
    try:
        return int(path.read_text()) / 1000
    except (OSError, ValueError):
        return None
