"""The only module that asks for the time, waits, or rolls dice. Everything else is given a `Clock`."""

import json
import random
import secrets
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Self

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BUILD_DAY = datetime(2026, 11, 1, tzinfo=UTC)  # a clock before this was never set
TOLD = Path("/run/scopegate-machine/clock.json")  # by root of an appliance (gateway/machine/status.py)
IMAGE = Path("/usr/lib/scopegate/image")


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A point in time as the spool keeps it: wall clock, its trust, and the boot that measured it."""

    utc: datetime
    offset: timedelta  # of local time, east positive
    boot_id: str
    boottime_ns: int  # CLOCK_BOOTTIME, comparable within one boot only
    trusted: bool

    @property
    def local(self) -> datetime:
        return self.utc.astimezone(timezone(self.offset))

    def to_json(self) -> dict[str, Any]:
        return {
            "utc": self.utc.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "offset_minutes": int(self.offset.total_seconds()) // 60,
            "boot_id": self.boot_id,
            "boottime_ns": self.boottime_ns,
            "trusted": self.trusted,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Return the moment that `to_json` wrote. Raises ValueError, KeyError, TypeError or OverflowError."""
        utc = datetime.fromisoformat(value["utc"])
        if utc.tzinfo is None:
            raise ValueError("a moment without its zone")
        return cls(
            utc=utc,
            offset=timedelta(minutes=value["offset_minutes"]),
            boot_id=value["boot_id"],
            boottime_ns=value["boottime_ns"],
            trusted=value["trusted"],
        )


class Clock:
    """The machine's clock, its patience and its chance."""

    def __init__(self, told: Path = TOLD, image: Path = IMAGE) -> None:
        """`told`: where an appliance says whether its clock was set since the start; `image`: what makes it one."""
        self.boot_id = _BOOT_ID.read_text().strip()
        self._told = told
        self._image = image
        self._was_set = False

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def utc_ns(self) -> int:
        """Return the wall clock as the index keeps it: ns since 1970."""
        return int(self.utc().timestamp() * 1e9)

    def boottime_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def monotonic_ns(self) -> int:
        """Return CLOCK_MONOTONIC, in which some devices stamp: it stands still while the machine is suspended."""
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    def now(self) -> Moment:
        return self._moment(self.utc(), self.boottime_ns())

    def at(self, boottime_ns: int) -> Moment:
        """Return the moment of a frame or an event of this boot, stamped with CLOCK_BOOTTIME in ns."""
        age = timedelta(microseconds=(self.boottime_ns() - boottime_ns) / 1000)
        return self._moment(self.utc() - age, boottime_ns)

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """Wait for `stop` at most `seconds`; True when it was set."""
        return stop.wait(seconds)

    def pause(self, seconds: float) -> None:
        """Hold this thread for a short while that nothing needs to interrupt."""
        time.sleep(seconds)

    def jitter(self, share: float) -> float:
        """Return a factor of 1 ± share."""
        return 1 + random.uniform(-share, share)  # noqa: S311 - spreads retries, keeps no secret

    def token(self, digits: int) -> str:
        """Return a random hexadecimal word of that many digits."""
        return secrets.token_hex((digits + 1) // 2)[:digits]

    def digits(self, count: int) -> str:
        """Return random decimal digits."""
        return f"{secrets.randbelow(10**count):0{count}d}"

    def uid(self) -> str:
        """Mint a DICOM UID from a random UUID (PS3.5 B.2)."""
        return f"2.25.{uuid.uuid4().int}"

    def is_set(self) -> bool:
        """Say whether the clock was set since the start, as far as anybody says; what was set once stays set."""
        if not self._was_set:
            try:
                self._was_set = json.loads(self._told.read_bytes()).get("trusted") is True
            except FileNotFoundError:
                return not self._image.exists()  # another machine's administrator looks after its clock
            except (OSError, ValueError, AttributeError):
                return False
        return self._was_set

    def _moment(self, utc: datetime, boottime_ns: int) -> Moment:
        time.tzset()  # a zone that is chosen on the screen holds at once; the C library looks only when it is asked
        offset = utc.astimezone().utcoffset() or timedelta()
        return Moment(
            utc=utc,
            offset=offset,
            boot_id=self.boot_id,
            boottime_ns=boottime_ns,
            trusted=utc >= _BUILD_DAY and self.is_set(),
        )


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start = clock.boottime_ns()

    @property
    def seconds(self) -> float:
        return (self._clock.boottime_ns() - self._start) / 1e9


class FakeClock(Clock):
    """A clock that stands still until it is moved; `reboot()` starts a new boot."""

    def __init__(self, start: datetime = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)) -> None:
        self.boot_id = "boot-1"
        self._boots = 1
        self._was_set = True
        self._utc = start
        self._boottime_ns = 1_000_000_000
        self._suspended_ns = 0

    def utc(self) -> datetime:
        return self._utc

    def boottime_ns(self) -> int:
        return self._boottime_ns

    def monotonic_ns(self) -> int:
        return self._boottime_ns - self._suspended_ns

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        if not stop.is_set():
            self.move(seconds)
        return stop.is_set()

    def pause(self, seconds: float) -> None:
        self.move(seconds)

    def jitter(self, share: float) -> float:
        del share
        return 1.0

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._utc += timedelta(seconds=seconds)
        self._boottime_ns += int(seconds * 1e9)

    def suspend(self, seconds: float) -> None:
        """Let time pass while the machine sleeps."""
        self.move(seconds)
        self._suspended_ns += int(seconds * 1e9)

    def set(self, utc: datetime) -> None:
        """Set the wall clock, as a person or NTP does; the time since boot goes on."""
        self._utc = utc

    def reboot(self) -> None:
        self._boots += 1
        self.boot_id = f"boot-{self._boots}"
        self._boottime_ns = 1_000_000_000
        self._suspended_ns = 0
