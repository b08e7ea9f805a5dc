"""What a computer has beside its disk and its sensors, as the kernel tells everybody: no device is opened.

Judges nothing: what is not there is None or "".
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hardware.sysfs import text

SYS, PROC = Path("/sys"), Path("/proc")
_THROTTLED = 0x40004  # get_throttled of a Raspberry Pi's firmware, as its own kernel passes it on
_MB = 1024  # kB of /proc/meminfo


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """One for a network cable. `mbit`: as agreed with the other end, 0 for unknown."""

    name: str
    cable: bool
    mbit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """`battery_clock`: Unix time. `tpm`: its major version. `watchdog`: its name; `watched`: it is in use.

    `slowed`: the processor was too hot for its full speed since the start, None where nobody counts.
    """

    battery_clock: int | None
    tpm: str
    watchdog: str
    watched: bool
    memory_mb: int
    memory_free_mb: int
    slowed: bool | None
    ports: tuple[Port, ...]


class Board:
    """Reads sysfs and procfs (Documentation/ABI/testing/sysfs-class-{rtc,tpm,watchdog,net})."""

    def __init__(self, sys: Path = SYS, proc: Path = PROC) -> None:
        self._sys = sys
        self._proc = proc

    def seen(self) -> Seen:
        """Return what is there now."""
        watchdog = next(self._found("class/watchdog", "watchdog*", "identity"), None)
        total, free = self._memory()
        return Seen(
            battery_clock=_number(self._sys / "class/rtc/rtc0/since_epoch"),
            tpm=text(self._sys / "class/tpm/tpm0/tpm_version_major"),
            watchdog=text(watchdog / "identity") if watchdog else "",
            watched=watchdog is not None and text(watchdog / "state") == "active",
            memory_mb=total,
            memory_free_mb=free,
            slowed=self._slowed(),
            ports=tuple(self._ports()),
        )

    def _memory(self) -> tuple[int, int]:
        words = [line.split() for line in text(self._proc / "meminfo").splitlines()]
        kb = {each[0].rstrip(":"): int(each[1]) for each in words if len(each) > 1 and each[1].isdigit()}
        return kb.get("MemTotal", 0) // _MB, kb.get("MemAvailable", 0) // _MB

    def _slowed(self) -> bool | None:
        cpu = _number(self._sys / "devices/system/cpu/cpu0/thermal_throttle/package_throttle_count")
        with suppress(ValueError):
            return bool(int(text(self._sys / "devices/platform/soc/soc:firmware/get_throttled"), 16) & _THROTTLED)
        return None if cpu is None else cpu > 0

    def _ports(self) -> Iterator[Port]:
        for path in self._found("class/net", "*", "device"):  # of hardware: no bridge, no tunnel, no VLAN
            if text(path / "type") != "1" or (path / "wireless").exists():  # 1: Ethernet (if_arp.h)
                continue
            cable = text(path / "carrier") == "1"
            yield Port(name=path.name, cable=cable, mbit=max(0, _number(path / "speed") or 0) if cable else 0)

    def _found(self, folder: str, pattern: str, mark: str) -> Iterator[Path]:
        with suppress(OSError):
            yield from (path for path in sorted((self._sys / folder).glob(pattern)) if (path / mark).exists())


def _number(path: Path) -> int | None:
    with suppress(ValueError):
        return int(text(path))
    return None
