"""Live state: what a process says of itself once a second, outside the database. Worthless after a restart."""

import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.errors import DiskFull, SpoolError
from gateway.log import warn
from gateway.spool.files import Files

_log = logging.getLogger(__name__)
STALE_S = 5.0  # a process that said nothing for so long is not there


@dataclass(frozen=True, kw_only=True, slots=True)
class Starts:
    """How often a process was started since the machine was, and when last, in ns since then."""

    count: int
    at_ns: int


class LiveState:
    """One process's file in the runtime folder, and beside it how often it was started."""

    def __init__(self, *, folder: Path, process: str, files: Files, clock: Clock) -> None:
        self._path = folder / f"{process}.json"
        self._starts = folder / f"{process}.starts"
        self._files = files
        self._clock = clock
        self._settings = ""  # the revision of the configuration that the process runs with
        self._silent = ""  # the code of why nothing could be said the last time

    def write(self, state: dict[str, Any]) -> None:
        """Say `state`; a disk that does not take it ends no process, the log says so once."""
        now = {"boot_id": self._clock.boot_id, "boottime_ns": self._clock.boottime_ns()}
        stamped = {**now, "settings": self._settings, **state}
        try:
            self._files.replace_quickly(self._path, json.dumps(stamped).encode())
        except SpoolError as error:
            if self._silent != error.code:
                warn(_log, "live_state_not_written", code=error.code)
            self._silent = error.code
        else:
            self._silent = ""

    def begin(self, settings: str = "") -> None:
        """Forget what a predecessor said that was killed: it counts no more. `settings`: their revision here."""
        self._settings = settings
        self._count()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def starts(self) -> Starts | None:
        """Return how often the process was started; None when nobody knows."""
        try:
            said = json.loads(self._starts.read_bytes())
            ours = said["boot_id"] == self._clock.boot_id
            return Starts(count=int(said["count"]), at_ns=int(said["boottime_ns"])) if ours else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _count(self) -> None:
        before = self.starts()
        now = {"boot_id": self._clock.boot_id, "boottime_ns": self._clock.boottime_ns()}
        with suppress(SpoolError):  # a count that is missing keeps no process from its work
            count = before.count + 1 if before else 1
            self._files.replace_quickly(self._starts, json.dumps({**now, "count": count}).encode())

    def takes(self, settings: str) -> None:
        """Say another revision from now on: a change that this process has no part in."""
        self._settings = settings

    def waits(self, error: SpoolError) -> None:
        """Say that the process is there but cannot begin its work, and why."""
        what = "The box is full." if isinstance(error, DiskFull) else error.what
        self.write({"trouble": {"code": error.code, "what": what, "action": error.action}})

    def read(self) -> dict[str, Any] | None:
        """Return what the process said last, or None when that is too long ago."""
        try:
            state: dict[str, Any] = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        age_s = (self._clock.boottime_ns() - state["boottime_ns"]) / 1e9
        return state if state["boot_id"] == self._clock.boot_id and age_s < STALE_S else None
