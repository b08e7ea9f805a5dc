"""Hardware that is not there on purpose. Delivers nothing and complains about nothing."""

from collections.abc import Callable

from hardware.sources import Picture
from hardware.triggers import Press


class AbsentSource:
    """No device: never a picture. `wait`: seconds."""

    def __init__(self, *, wait: Callable[[float], None]) -> None:
        self._wait = wait

    def open(self) -> None:
        """Nothing to open."""

    def read(self, timeout: float) -> Picture | None:
        self._wait(timeout)
        return None

    def close(self) -> None:
        """Nothing to close."""


class AbsentTrigger:
    """No pedal: never a press. `wait`: seconds."""

    def __init__(self, *, wait: Callable[[float], None]) -> None:
        self._wait = wait

    def open(self) -> None:
        """Nothing to open."""

    def read(self, timeout: float) -> Press | None:
        self._wait(timeout)
        return None

    def close(self) -> None:
        """Nothing to close."""
