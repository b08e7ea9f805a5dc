"""What a technician presses. `Trigger` is what every kind implements; `Press` is what it reports."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Action(StrEnum):
    STILL = "still"
    CLIP = "clip"  # starts a clip, or stops the running one


@dataclass(frozen=True, kw_only=True, slots=True)
class Press:
    """One press: what for, and when, as CLOCK_BOOTTIME in ns.

    The time is the kernel's for the event, or that of the poll that saw it, and nothing else: how much later the
    source shows what was there then is the source's to know.
    """

    action: Action
    time_ns: int


class Trigger(Protocol):
    """A pedal, a button, a contact. Its thread calls `open`, then `read` until it raises, then `close`."""

    def open(self) -> None:
        """Start listening; what was pressed before does not count. Raises DeviceMissing or DeviceRefused."""

    def read(self, timeout: float) -> Press | None:
        """Return the next press, or None when there was none within `timeout` seconds.

        Raises DeviceMissing when the device is gone; the caller closes and opens it again.
        """

    def close(self) -> None:
        """Let go of the device; harmless when it is not open."""
