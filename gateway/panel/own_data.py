"""What guards an appliance's disk, as the screen shows and changes it. Root does it: gateway/machine/encryption."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.config.told import FOLDER, told
from gateway.panel.asking_root import AskingRoot
from gateway.panel.problems import DataKeys, NoMachine
from gateway.spool.files import Files

_SUBJECT = "data"


class OwnData:
    """One box. Blocks: reads files, and waits for root."""

    def __init__(self, *, requests: Path, files: Files, clock: Clock, says: Path = FOLDER) -> None:
        """`requests`: where root is asked; `says`: where it answers."""
        self._root = AskingRoot(_SUBJECT, requests=requests, files=files, clock=clock, says=says)
        self._says = says

    def seen(self) -> Mapping[str, Any] | None:
        """Return what root says of the disk; None: this is no appliance."""
        return told(_SUBJECT, self._says)

    def written_down(self, code: str) -> None:
        """Have a recovery code open the disk, and an older one no more. A computer without such a disk has none.

        Raises DataKeys.
        """
        if self.seen() is not None:
            self._ask("recovery-code", code)

    def start_pin(self, pin: str) -> None:
        """Have every start ask for a PIN. Raises NoMachine, DataKeys."""
        self._ask("start-pin", pin)

    def no_start_pin(self, pin: str) -> None:
        """Have no start ask for it any more. Raises NoMachine, DataKeys."""
        self._ask("no-start-pin", pin)

    def _ask(self, what: str, secret: str) -> None:
        if self.seen() is None:
            raise NoMachine
        said = self._root.ask(what, secret)
        if said is None:
            raise DataKeys("The box did not answer in time.", action="Look at this page again in a minute.")
        if said.get("code"):
            raise DataKeys(**{key: str(said.get(key, "")) for key in ("what", "code", "safe", "action")})
