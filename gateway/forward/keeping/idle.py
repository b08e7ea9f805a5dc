"""Notices that nobody works on the open exam: asks whether its patient is still there, and ends it after long.

Idle is an exam without a capture whose pictures stand still or are lost. A clip that is recorded is work.
"""

import logging
from collections.abc import Sequence
from typing import Any

from gateway.clock import Clock
from gateway.config.settings import Source, idle_mode
from gateway.errors import ScopegateError
from gateway.log import event
from gateway.model import Exam, ExamState, PleaseCheck
from gateway.spool.processes.live import LiveState
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_LIVE = "live"


class Idle:
    """Looks at the open exam now and then."""

    def __init__(self, *, spool: Spool, sources: Sequence[Source], capture: LiveState, clock: Clock) -> None:
        self._spool = spool
        self._capture = capture
        self._clock = clock
        self._away: dict[str, int] = {}  # since when a source shows nothing
        self._asks_s = max((source.idle_minutes for source in sources), default=0) * 60
        self._ends_s = max((source.idle_end_minutes for source in sources), default=0) * 60
        self._mode = idle_mode(sources)

    def step(self) -> bool:
        """Ask, or end the exam; there is never more to do at once. Raises SpoolError."""
        exam = None if self._mode == "off" else self._spool.exams.open_one()
        seen = self._capture.read() if exam else None
        if exam is None or seen is None or seen.get("clip") or not seen.get("sources"):
            return False
        idle_s = min(self._since_work_s(exam), *(self._still_s(source) for source in seen["sources"]))
        if self._mode == "cover" and 0 < self._ends_s <= idle_s:
            self._end(exam)
        elif idle_s >= self._asks_s and not exam.please_check:
            if self._spool.exams.ask_to_check(exam.id, PleaseCheck.IDLE).state is not ExamState.OPEN:
                return False  # a person ended it at that moment
            self._spool.audit.note("exam-idle", by="forward", exam=exam.id)
            event(_log, "exam_idle", exam=exam.id)
        return False

    def _end(self, exam: Exam) -> None:
        try:
            self._spool.exams.finish(exam.id, please_check=PleaseCheck.IDLE, still=self._ends)
        except ScopegateError:  # somebody was quicker, or pressed meanwhile
            return
        self._spool.audit.note("exam-ended-idle", by="forward", exam=exam.id)
        event(_log, "exam_ended_idle", exam=exam.id)

    def _ends(self, exam: Exam) -> bool:
        return self._since_work_s(exam) >= self._ends_s

    def _since_work_s(self, exam: Exam) -> float:
        """Return for how long nobody captured anything or said whose exam this is."""
        listed = self._spool.captures.of_exam(exam.id)
        moments = [exam.begun, *([exam.confirmed] if exam.confirmed else []), *(c.capture.pressed for c in listed)]
        boot = self._clock.boot_id
        latest = max((moment.boottime_ns for moment in moments if moment.boot_id == boot), default=0)
        return (self._clock.boottime_ns() - latest) / 1e9

    def _still_s(self, source: dict[str, Any]) -> float:
        """Return for how long a source's picture has stood still or been away; 0 while it moves.

        Measured by the clock that nobody sets; a picture that is away at the first look went away then.
        """
        if source["state"] == _LIVE:
            self._away.pop(source["name"], None)
            return float(source["unchanged_s"])
        now_ns = self._clock.boottime_ns()
        return (now_ns - self._away.setdefault(source["name"], now_ns)) / 1e9
