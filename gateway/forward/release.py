"""Which finished exams may leave the box, and why the others wait."""

import logging

from gateway.log import event
from gateway.model import Exam, Identity
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
WRONG_ENTRY = "110514"  # CID 9300: incorrect worklist entry selected


def waits_for(exam: Exam, *, temporary: str) -> str:
    """Return why a finished exam does not leave by itself, or "" when it may.

    `temporary` is the setting for exams without a confirmed patient: "hold" or "send".
    """
    if exam.please_check:
        return "please-check"
    if exam.discontinued == WRONG_ENTRY:
        return "wrong-entry"
    if exam.identity is Identity.TEMPORARY and temporary != "send":
        return "needs-patient"
    return ""


class Release:
    """Moves finished exams on."""

    def __init__(self, *, spool: Spool, temporary: str) -> None:
        self._spool = spool
        self._temporary = temporary

    def step(self) -> bool:
        """Release what may leave; say whether anything was."""
        ready = [
            exam for exam in self._spool.exams.unquestioned() if not waits_for(exam, temporary=self._temporary)
        ]
        for exam in ready:
            released = self._spool.exams.release(exam.id)
            event(_log, "exam_released", exam=exam.id, state=released.state)
        return bool(ready)
