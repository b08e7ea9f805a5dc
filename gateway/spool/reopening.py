"""Opens a released exam again for more pictures: same study and identity, new series, new procedure step.

What was released stays released: nothing of it can be taken out or given to somebody else any more.
"""

from dataclasses import replace
from datetime import timedelta

from gateway.errors import ExamOpen, SpoolError, WrongState
from gateway.model import Exam, ExamState, Side
from gateway.spool import performed, records, states
from gateway.spool.files import locked
from gateway.spool.spool import Spool
from gateway.spool.states import Owner


def reopen(spool: Spool, exam: str, *, within: timedelta) -> Exam:
    """Open an exam that ended not longer ago than `within`. Raises ExamOpen, NotFound, WrongState."""
    before: list[Exam] = []

    def opened(old: Exam) -> Exam:
        before.append(old)
        states.check(states.EXAM, old.state, ExamState.OPEN, Owner.PANEL)
        now = spool.clock.now()
        if old.ended is None or now.utc - old.ended.utc > within:
            raise WrongState(
                "This exam ended too long ago to be opened again.", action="Open an exam for further pictures."
            )
        above = spool.captures.highest_number(exam)
        return replace(
            old,
            state=ExamState.OPEN,
            ended=None,
            discontinued="",
            reopened=now,
            confirmed=now,
            side=Side.NOT_SAID,
            steps=performed.again(old, spool.clock, now, above=above),
        )

    spool.exams.get(exam)  # one that never was is told as that
    with locked(spool.layout.opening_lock):
        if spool.exams.open_one():
            raise ExamOpen
        try:
            return spool.exams.change(exam, opened)
        except SpoolError:
            if before and (found := _open_after_all(spool, before[0])):
                return found
            raise


def _open_after_all(spool: Spool, before: Exam) -> Exam | None:
    """Undo a reopening whose row could not be written: else the next exam would be a second open one.

    Return the exam where nothing is undone: somebody brought its row up to date, and may have written more of it.
    """
    path = spool.layout.exam_json(before.id)
    with locked(spool.layout.exam_lock(before.id)):
        now = records.load(Exam, path.read_bytes())
        if now.state is not ExamState.OPEN:
            return None
        if now.revision > before.revision + 1 or spool.exams.is_listed(now.id, now.revision):
            return now
        spool.files.write(path, [records.dump(replace(before, revision=now.revision + 1))])
    return None
