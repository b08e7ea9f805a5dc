"""The appliance's updates, as the screen shows and asks for them. Root looks, installs and decides.

What is on a stick is offered once its signature was found right (gateway/machine/update). Blocks: reads files.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.config.told import FOLDER, told
from gateway.errors import ExamOpen
from gateway.panel.problems import NoUpdates, UpdateRunning
from gateway.spool.spool import Spool

WISHES = ("look", "install", "restart")
_SUBJECT, _OFFERS = "update", "update-offers"  # gateway/machine/update/box.py, desk.py


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What root says; `offers`: of the stick, None before anybody looked."""

    update: Mapping[str, Any]
    offers: Mapping[str, Any] | None


class OwnUpdates:
    """One box."""

    def __init__(self, *, requests: Path, spool: Spool, says: Path = FOLDER) -> None:
        """`requests`: where root is asked; `says`: where it answers."""
        self._requests = requests
        self._spool = spool
        self._says = says

    @property
    def there(self) -> bool:
        return told(_SUBJECT, self._says) is not None

    def seen(self) -> Seen:
        """Return what root says. Raises NoUpdates on a machine that is no appliance."""
        update = told(_SUBJECT, self._says)
        if update is None:
            raise NoUpdates
        return Seen(update=update, offers=told(_OFFERS, self._says))

    def ask(self, wish: str, file: str, person: str) -> None:
        """Ask root. Raises NoUpdates, ExamOpen, UpdateRunning, DiskFull, DiskFailed."""
        self._ask(wish, {"file": file} if file else {}, person)

    def ask_for_uploaded(self, person: str) -> None:
        """Ask root to install what came over the network. Raises as `ask`."""
        self._ask("install-uploaded", {}, person)

    @property
    def is_asked(self) -> bool:
        """Say whether root did not take the last wish yet."""
        return (self._requests / _SUBJECT).exists()

    def _ask(self, wish: str, more: Mapping[str, str], person: str) -> None:
        installing = self.seen().update["installing"] is not None
        if (
            self.is_asked or installing
        ):  # the wish that waits is not written over, and none comes true minutes later
            raise UpdateRunning
        if wish != "look":
            if self._spool.exams.open_one():
                raise ExamOpen("An exam is open.", action="Finish it first.")
            who = {"person": person} if person else {}
            self._spool.audit.note(f"update-{wish}", by="panel", **who, **more)
        self._spool.files.write_request(self._requests / _SUBJECT, json.dumps({"do": wish, **more}).encode())
