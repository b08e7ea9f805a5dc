"""What is plugged into an appliance, as the screen shows it. Root lets it in (gateway/machine/usb)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.config.told import FOLDER, told
from gateway.panel.problems import NoSuchDevice, NoUsb
from gateway.spool.audit import Audit
from gateway.spool.files import Files

_SUBJECT = "usb"  # gateway/machine/usb/guard.py


class OwnUsb:
    """One box. Blocks: reads files."""

    def __init__(self, *, requests: Path, files: Files, audit: Audit, says: Path = FOLDER) -> None:
        """`requests`: where root is asked; `says`: where it answers."""
        self._path = requests / _SUBJECT
        self._files = files
        self._audit = audit
        self._says = says

    def seen(self) -> Sequence[Mapping[str, Any]] | None:
        """Return what is plugged in or on the list, as root says; None: this is no appliance."""
        said = told(_SUBJECT, self._says)
        return None if said is None else said["devices"]

    def waiting(self) -> list[Mapping[str, Any]]:
        """Return what waits for somebody who lets it in."""
        return [each for each in self.seen() or () if each["state"] == "waits"]

    def ask(self, wish: str, key: str, person: str) -> None:
        """Ask root to let a device in, or to put one out. Raises NoUsb, NoSuchDevice, DiskFull, DiskFailed."""
        seen = self.seen()
        if seen is None:
            raise NoUsb
        if not any(each["key"] == key and _may(wish, each) for each in seen):
            raise NoSuchDevice
        who = {"person": person} if person else {}
        self._audit.note(f"usb-{wish}", by="panel", **who, device=key)
        self._files.write_request(self._path, json.dumps({"do": wish, "device": key}).encode())


def _may(wish: str, device: Mapping[str, Any]) -> bool:
    return bool(device["state"] == "waits" if wish == "let-in" else device["listed"])
