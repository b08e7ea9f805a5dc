"""A change of the network that was made over the network: tried for a while, and taken back unless it was kept.

Nothing of it is on the disk meanwhile: whatever stops the box, the next start is with the file. To keep it the
panel writes the file, which is what is applied at the end in either case.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from gateway.clock import Clock
from gateway.config import machine
from gateway.config.keeping import text_at, text_of
from gateway.errors import ConfigurationError, MachineRequest
from gateway.machine.settings.applying import Applied, Applying

REQUEST = "machine-try"
TRIED_S = 180  # enough to sign in at the new address
_LOOK_S = 1.0


class NetworkTrial:
    """One trial."""

    def __init__(self, applying: Applying, *, clock: Clock, say: Callable[[Applied, int], None]) -> None:
        """`say` tells what the machine is now, and when (CLOCK_BOOTTIME, ns) that ends; 0: it stays."""
        self._applying = applying
        self._clock = clock
        self._say = say

    def run(self, raw: bytes, stop: threading.Event) -> bool:
        """Try it; return whether it was kept. Raises MachineRequest for what could never be kept."""
        path: Path = self._applying.places.machine
        try:
            machine.read_text(raw, path)
        except ConfigurationError:
            raise MachineRequest from None
        before, wanted = text_at(path).revision, text_of(raw).revision
        until = self._clock.boottime_ns() + TRIED_S * 1_000_000_000
        try:
            self._say(self._applying.text(raw, wanted), until)
            now = before
            while now == before and self._clock.boottime_ns() < until and not self._clock.wait(stop, _LOOK_S):
                now = text_at(path).revision
        finally:
            self._say(self._applying.file(), 0)
        return now == wanted
