"""Decides which finished exams may leave the box, and, where it is wanted, which captures of the open one."""

import logging
from collections.abc import Callable

from gateway.errors import NotFound, SpoolDamaged, WrongState
from gateway.log import event, warn
from gateway.model import WRONG_ENTRY, Exam, Identity
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)


class Release:
    """Moves finished exams on; `at_once`: captures of the open exam too, as soon as they are saved.

    What waits: an exam whose patient a person must check, one opened from the wrong worklist entry, and one with a
    temporary identity unless `temporary` is "send". `announce` is called before an exam, or a capture of it, is
    released and returns the exam as it is then: its pictures say of which procedure step they are.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        temporary: str,
        at_once: bool = False,
        announce: Callable[[Exam], Exam] = lambda exam: exam,
    ) -> None:
        self._spool = spool
        self._at_once = at_once
        self._announce = announce
        self._identities = tuple(
            identity for identity in Identity if identity is not Identity.TEMPORARY or temporary == "send"
        )
        self._stuck: set[str] = set()  # exams that cannot be released before the next start

    def step(self) -> bool:
        """Release what may leave; say whether anything was. Raises DiskFull, DiskFailed, SpoolBusy."""
        limit = 100 + len(self._stuck)
        ready = self._spool.exams.unquestioned(limit, identities=self._identities, but_not=WRONG_ENTRY)
        released = [self._release(exam) for exam in ready if exam.id not in self._stuck]
        if self._at_once:
            waiting = self._spool.releases.ready(self._identities)
            released += [self._release_capture(*each) for each in waiting if each[0] not in self._stuck]
        return any(released)

    def _release_capture(self, exam: str, uid: str) -> bool:
        try:
            announced = self._announce(self._spool.exams.get(exam))
            if not self._spool.releases.release(exam, uid, self._identities, revision=announced.revision):
                self._spool.exams.change(exam, lambda old: old)  # brings the row up to date, if that is why
                return False  # or the exam ended, or a person took the picture out, at this moment
        except (SpoolDamaged, NotFound, FileNotFoundError) as error:
            warn(_log, "capture_not_released", exam=exam, uid=uid, error=type(error).__name__)
            self._stuck.add(exam)
            return False
        event(_log, "capture_released", exam=exam, uid=uid)
        return True

    def _release(self, listed: Exam) -> bool:
        exam = listed.id
        try:
            announced = self._announce(listed)
            state = self._spool.exams.release(exam, revision=announced.revision).state
        except WrongState:  # a person, or a newer exam of the same study, changed it at this moment
            return False
        except (SpoolDamaged, NotFound) as error:
            warn(_log, "exam_not_released", exam=exam, code=error.code)
            self._stuck.add(exam)
            return False
        event(_log, "exam_released", exam=exam, state=state)
        return True
