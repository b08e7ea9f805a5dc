"""Reads everything that is stored and compares it with its records, when somebody asks for it; changes nothing.

That takes as long as reading the disk: it gives way to all others, rests while an exam is open, can be stopped.
How it stands is a file beside the pictures, without patients: it outlives a restart and is in the support bundle.
"""

import asyncio
import json
import logging
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from gateway.errors import ExamOpen, SpoolDamaged, SpoolError
from gateway.log import event, warn
from gateway.messages import N_
from gateway.panel.stored_data.troubles import Place, Trouble, added, of_error
from gateway.panel.work import Work
from gateway.spool import inspection
from gateway.spool.audit import CHANGED
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_REST_S = 1.0  # between two looks whether the exam is over
_LINES = 1000  # of the audit file between two looks whether an exam was opened
_MOST_BYTES = 1 << 20


class Phase(StrEnum):
    """How far a look is."""

    AUDIT = "audit"
    PICTURES = "pictures"
    ENDED = "ended"
    STOPPED = "stopped"  # by a person, by a restart, or by a trouble that is named


_RUNNING = (Phase.AUDIT, Phase.PICTURES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A look as it stands. `at`: when it was begun, ISO 8601; `rests`: an exam is open."""

    at: str
    phase: Phase = Phase.AUDIT
    rests: bool = False
    lines: int = 0  # of the audit file that were read
    unmarked: int = 0  # at its beginning, of an earlier version: changes among them are not found
    pictures: int = 0  # that were read, of so many:
    of: int = 0
    troubles: tuple[Trouble, ...] = ()

    @property
    def runs(self) -> bool:
        return self.phase in _RUNNING


class _Stopped(Exception):
    """Somebody does not want it any more."""


class StoredData:
    """One box. Every method but `run` blocks."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._one = threading.Lock()
        self._stop = threading.Event()
        self._lines = 0  # of the audit file that were read
        self._seen: Seen | None = None  # of this process; before the first one, what an earlier process kept

    def begin(self, person: str) -> Seen:
        """Have everything looked at, from the beginning. One that runs goes on. Raises ExamOpen."""
        if self._spool.exams.open_one():
            raise ExamOpen(
                "The box does not check what is stored while an exam is open.", action="Finish it first."
            )
        with self._one:
            if self._seen is None or not self._seen.runs:
                self._stop.clear()
                self._seen = Seen(at=self._spool.clock.utc().isoformat(timespec="seconds"))
                self._note("stored-data-check", person)
            return self._seen

    def stop(self) -> Seen | None:
        """End a look that runs, soon."""
        self._stop.set()
        return self.seen()

    def seen(self) -> Seen | None:
        """Return how the last look stands, None before the first, or when another version kept it."""
        return self._seen or self._kept()

    async def run(self, work: Work, poll_s: float) -> None:
        """Look when somebody asked for it. Ends with the application, which does not wait for the whole disk."""
        try:
            while True:
                await asyncio.sleep(poll_s)
                if self._seen and self._seen.runs:
                    await work.slowly(self.turn)
        finally:
            self._stop.set()

    def turn(self) -> None:
        """Look at everything, once."""
        phase = Phase.STOPPED
        try:
            self._keep()
            self._audit()
            self._pictures()
            phase = Phase.ENDED
        except SpoolError as error:
            self._now = replace(self._now, troubles=(*self._now.troubles, of_error(error)))
        except OSError:
            self._add("file-unreadable", self._spool.layout.exams.name, N_("cannot be read"))
        except _Stopped:
            event(_log, "stored_data_check_stopped")
        self._now = replace(self._now, phase=phase, rests=False)
        self._keep()
        seen = self._now
        event(_log, "stored_data_checked", phase=seen.phase, troubles=sum(each.count for each in seen.troubles))

    # --- inside, in the thread of `turn` -------------------------------------------------------------------

    @property
    def _now(self) -> Seen:
        assert self._seen
        return self._seen

    @_now.setter
    def _now(self, seen: Seen) -> None:
        self._seen = seen

    def _audit(self) -> None:
        self._lines, name = 0, self._spool.layout.audit.name
        try:
            found = inspection.verify_audit(self._spool, self._line)
        except SpoolDamaged as error:  # the pictures are looked at all the same
            self._add(error.code, name, error.what)
            return
        self._now = replace(self._now, lines=found.lines, unmarked=found.unmarked)
        if fault := found.fault:
            self._add(CHANGED, f"{name}:{fault.line}", fault.why)
        self._note("audit-verified", lines=found.lines, fault=fault.line if fault else 0)

    def _pictures(self) -> None:
        exams = inspection.exams_of(self._spool)
        self._now = replace(
            self._now, phase=Phase.PICTURES, of=sum(inspection.count_of(self._spool, exam) for exam in exams)
        )
        for finding in inspection.inspect(self._spool, exams, self._picture):
            self._add(finding.code, finding.place, finding.what)

    def _line(self) -> None:
        self._lines += 1
        if self._lines % _LINES == 1:
            self._rest()
            self._now = replace(self._now, lines=self._lines)

    def _picture(self, steps: int) -> None:
        self._rest()
        read = self._now.pictures + steps
        self._now = replace(self._now, pictures=read, of=max(read, self._now.of))  # some may have come meanwhile

    def _rest(self) -> None:
        """Wait while an exam is open: what it reads and writes comes first. Raises _Stopped."""
        while not self._stop.is_set() and self._spool.exams.open_one():
            self._now = replace(self._now, rests=True)
            self._stop.wait(_REST_S)
        if self._stop.is_set():
            raise _Stopped
        if self._now.rests:
            self._now = replace(self._now, rests=False)

    def _add(self, code: str, name: str, what: str) -> None:
        troubles = added(self._now.troubles, code, Place(name=name, what=what))
        self._now = replace(self._now, troubles=troubles)

    def _note(self, what: str, person: str = "", **details: int) -> None:
        """Write into the audit file; a disk that takes nothing is a reason to look at it, and none against it."""
        try:
            self._spool.audit.note(what, by="panel", **details, **({"person": person} if person else {}))
        except SpoolError as error:
            warn(_log, "audit_not_written", code=error.code)

    def _keep(self) -> None:
        raw = json.dumps(asdict(self._now), ensure_ascii=False).encode()
        with suppress(SpoolError):  # the screen has it as long as this process lives
            self._spool.files.write(self._spool.layout.stored_data, [raw])

    def _kept(self) -> Seen | None:
        """Return what was kept; one that ran then has ended with its process."""
        try:
            with self._spool.layout.stored_data.open("rb") as file:
                found = json.loads(file.read(_MOST_BYTES))
            troubles = tuple(_trouble_in(each) for each in found.pop("troubles"))
            seen = Seen(**{**found, "phase": Phase(found["phase"]), "troubles": troubles})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return replace(seen, phase=Phase.STOPPED, rests=False) if seen.runs else seen


def _trouble_in(found: dict[str, Any]) -> Trouble:
    return Trouble(**{**found, "places": tuple(Place(**each) for each in found["places"])})
