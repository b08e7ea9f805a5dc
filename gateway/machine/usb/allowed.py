"""What may type: what somebody let in, and the pedals that triggers name with their identity."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.config import keeping, reader
from gateway.config.settings import Trigger
from gateway.errors import ConfigurationError
from gateway.machine.usb import enrolled
from gateway.machine.usb.enrolled import Enrolled
from gateway.machine.usb.tree import Named


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowed:
    """What may type now."""

    listed: Sequence[Enrolled] = ()
    triggers: Sequence[Trigger] = ()

    def takes(self, device: Named) -> bool:
        return self.lists(device) or self.is_pedal(device)

    def lists(self, device: Named) -> bool:
        return any(each.key == device.key for each in self.listed)

    def is_pedal(self, device: Named) -> bool:
        """Say whether a trigger names it with its identity: its keys are capture's alone."""
        named = [(each.device.lower(), each.identity.lower()) for each in self.triggers if each.kind == "input"]
        at_its_port = (f"usb:{device.port}".lower(), device.identity)
        return at_its_port in named or f"id:{device.identity}" in [device for device, _ in named]


class Allowing:
    """Reads both files. A configuration that cannot be read leaves the pedals of the one before."""

    def __init__(self, *, settings: Path, listed: Path = enrolled.PLACE) -> None:
        self._settings = settings
        self._listed = listed
        self._triggers: tuple[Trigger, ...] = ()
        self._read: tuple[int, int] | None = None

    def now(self) -> Allowed:
        self._read_settings()
        return Allowed(listed=enrolled.kept(self._listed), triggers=self._triggers)

    def _read_settings(self) -> None:
        try:
            found = self._settings.stat()
        except OSError:
            return
        seen = (found.st_mtime_ns, found.st_ino)
        if seen == self._read:
            return
        self._read = seen
        try:
            self._triggers = tuple(reader.read_text(keeping.raw_at(self._settings), self._settings, {}).triggers)
        except (ConfigurationError, OSError):
            return
