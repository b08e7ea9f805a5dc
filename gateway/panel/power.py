"""Switching the box off: at once, or when everything was sent. Asks systemd through a file, and nobody else.

The wish to be switched off later is kept in memory: after a restart of the panel the box stays on, and says so.
"""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.errors import ExamOpen, SpoolError
from gateway.log import event, warn
from gateway.panel.problems import CopyRunning, NoSwitch
from gateway.panel.work import Work
from gateway.spool.files import Files
from gateway.spool.queue import backlog
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_EXPORT = "export"


class Switch(Protocol):
    """What switches this machine off."""

    @property
    def there(self) -> bool:
        """Say whether it can."""

    def off(self) -> None:
        """Switch off, soon."""


class NoPower:
    """The switch of a machine that is not to be switched off: a demo, a PC."""

    there = False

    def off(self) -> None:
        raise NoSwitch


class UnitSwitch:
    """Leaves a file for which a systemd path unit waits (systemd/scopegate-switch-off.path)."""

    there = True

    def __init__(self, folder: Path, files: Files) -> None:
        self._path = folder / "switch-off"
        self._files = files

    def off(self) -> None:
        self._files.write(self._path, [b"\n"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """What archives have not got yet and will get by themselves."""

    objects: int
    unmade: int  # captures whose objects are not made, and exams that leave next

    @property
    def nothing(self) -> bool:
        return not (self.objects or self.unmade)


class Power:
    """The wish to switch off, and what has to be over before."""

    def __init__(self, *, switch: Switch, spool: Spool, work: Work, archives: frozenset[str]) -> None:
        self._switch = switch
        self._spool = spool
        self._work = work
        self._archives = archives
        self.waits = False  # it switches off when everything was sent

    @property
    def there(self) -> bool:
        return self._switch.there

    def now(self) -> None:
        """Switch off, if nothing forbids it. Blocks. Raises NoSwitch, ExamOpen, CopyRunning."""
        self._check()
        try:
            self._spool.audit.note("switched-off", by="panel", left=self.left().objects)
        except SpoolError as error:  # a full box can be switched off all the same
            warn(_log, "audit_not_written", code=error.code)
        self._switch.off()
        event(_log, "switched_off")

    def when_sent(self) -> None:
        """Switch off when nothing waits for an archive any more. Blocks. Raises as `now`."""
        self._check()
        self.waits = True

    def stay(self) -> None:
        """Take the wish back."""
        self.waits = False

    def left(self) -> Left:
        """Return what has to leave yet. Blocks."""
        waiting = sum(each.objects for each in backlog.of(self._spool) if each.destination in self._archives)
        return Left(objects=waiting, unmade=backlog.unmade(self._spool) if self._archives else 0)

    async def run(self, poll_s: float) -> None:
        """Switch off when it is time. Ends with the application."""
        while True:
            await asyncio.sleep(poll_s)
            if self.waits:
                await self._work.spool(self._turn)

    def _turn(self) -> None:
        try:
            if not self.waits or not self.left().nothing:
                return
            self.now()
        except (ExamOpen, CopyRunning, SpoolError):
            return  # somebody works here again, or the index is busy: it waits for that as well
        self.waits = False

    def _check(self) -> None:
        if not self._switch.there:
            raise NoSwitch
        if self._spool.exams.open_one():
            raise ExamOpen("An exam is open.", action="Finish it first.")
        if self._spool.requests.running(_EXPORT):
            raise CopyRunning
