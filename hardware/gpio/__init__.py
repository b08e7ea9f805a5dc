"""Lines of a GPIO chip, for contacts and lamps. What a kind of chip access has to do; the real one is in `chip`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

Pins = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PinChange:
    """A contact that closed or opened, and when, as CLOCK_MONOTONIC in ns."""

    pin: int
    closed: bool
    time_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What was read at once. lost: the kernel had to drop some, so `closed` has to be asked."""

    changes: tuple[PinChange, ...] = ()
    lost: bool = False


class Inputs(Protocol):
    """Some lines of one chip that are listened to. Every method raises DeviceMissing when the chip is gone."""

    def changes(self, seconds: float) -> Changes:
        """Return what changed, nothing when nothing did within `seconds`."""

    def closed(self) -> frozenset[int]:
        """Return which contacts are closed now."""

    def close(self) -> None:
        """Let go of the lines; harmless when they are gone."""


class Output(Protocol):
    """One line that is driven."""

    def set(self, on: bool) -> None:  # noqa: FBT001 - a lamp is on or off
        """Switch it. Raises DeviceMissing when the chip is gone."""

    def close(self) -> None:
        """Switch it off and let go of it; harmless when it is gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wiring:
    """How a contact or a lamp is wired. active: the level at which it is closed, or lit."""

    active: str = "low"  # or "high"
    bias: str = ""  # "pull-up", "pull-down", "none"; "" = towards the level at which it is open


Listen = Callable[[str, Pins, Wiring], Inputs]  # chip, pins; raises DeviceMissing or DeviceRefused
Drive = Callable[[str, int, Wiring], Output]
