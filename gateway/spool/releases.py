"""Single captures that leave while their exam is open. A mark beside the capture is the point of no return.

Written under the exam's lock, before anything is made of the capture: from then on it cannot be removed, and its
exam cannot get another patient. The mark is the fact; the row follows it.
"""

import builtins
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.errors import WrongState
from gateway.model import Exam, ExamState, Identity
from gateway.spool import records
from gateway.spool.database import Database
from gateway.spool.files import Files, locked
from gateway.spool.leaving import leaves_for
from gateway.spool.paths import RELEASED, SEAL, Layout

_ROWS = 200  # a transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """The content of a mark."""

    utc: str


class Releases:
    """The marks and the column `capture.released`."""

    def __init__(self, *, layout: Layout, files: Files, database: Database, clock: Clock) -> None:
        self._layout = layout
        self._files = files
        self._database = database
        self._clock = clock

    def ready(self, identities: Sequence[Identity]) -> builtins.list[tuple[str, str]]:
        """Return (exam, UID) of what was saved in the open exam and not released yet, in the order of the presses.

        Nothing of an exam whose patient a person must check, or with another identity than these.
        """
        marks = ", ".join("?" * len(identities))
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT capture.exam, sop_instance_uid FROM exam JOIN capture ON capture.exam = exam.id "  # noqa: S608 - marks only
                f"WHERE exam.state = 'open' AND please_check = '' AND identity IN ({marks}) "
                "AND capture.state = 'saved' AND released = 0 AND sealed = 0 AND problem_code = '' "
                "ORDER BY instance_number",
                tuple(identities),
            ).fetchall()
        return [(row["exam"], row["sop_instance_uid"]) for row in rows]

    def release(self, exam: str, uid: str, identities: Sequence[Identity], *, revision: int = 0) -> bool:
        """Let a saved capture become an object now; False when it may not, or the exam's row fell behind its file.

        Nor when the exam is no more as it was at `revision` (0 = as it is), or the capture was moved out of it.
        Raises SpoolError.
        """
        with locked(self._layout.exam_lock(exam)):
            mark = self._layout.released(exam, uid)
            if not mark.exists():
                found = records.load(Exam, self._layout.exam_json(exam).read_bytes())
                if found.state is not ExamState.OPEN or found.please_check or found.identity not in identities:
                    return False
                if revision not in {0, found.revision} or self._row_revision(exam, uid) != found.revision:
                    return False  # the object would be made of what the row says
                if self._layout.tombstone(exam, uid).exists() or leaves_for(self._layout, exam, uid):
                    return False
                self._files.write(mark, [records.dump(Released(utc=self._clock.utc().isoformat()))])
            self._note([uid])
        return True

    def reconcile(self) -> int:
        """Make the rows say what the marks say, where a cut came between the two; return how many did not."""
        marked = {path.name.removesuffix(RELEASED) for path in self._layout.of_exams("*" + RELEASED)}
        with self._database.read() as connection:
            known = {
                row[0] for row in connection.execute("SELECT sop_instance_uid FROM capture WHERE released = 1")
            }
        missing = sorted(marked - known)
        for start in range(0, len(missing), _ROWS):
            self._note(missing[start : start + _ROWS])
        return len(missing)

    def _row_revision(self, exam: str, uid: str) -> int:
        """Return the revision in the row of an exam that has this capture, 0 without one."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT revision FROM exam JOIN capture ON capture.exam = exam.id "
                "WHERE exam.id = ? AND sop_instance_uid = ?",
                (exam, uid),
            ).fetchone()
        return int(row["revision"]) if row else 0

    def _note(self, uids: Sequence[str]) -> None:
        with self._database.write() as connection:
            connection.executemany(
                "UPDATE capture SET released = 1 WHERE sop_instance_uid = ?", [(uid,) for uid in uids]
            )


def is_released(layout: Layout, exam: str, uid: str) -> bool:
    """Say whether this capture left before its exam's end.

    A seal says so as well: release 0.1 knows neither marks nor that an exam was opened again.
    """
    return layout.released(exam, uid).exists() or layout.seal(exam, uid).exists()


def released_already() -> WrongState:
    """Return why nothing about a picture changes any more, and what to do about it."""
    return WrongState(
        "This picture was released already: it may have left the box.",
        action="Leave it in the exam; call IT if it must be taken back.",
    )


def refuse_begun(layout: Layout, exam: str) -> None:
    """Raise WrongState when anything of this exam left already. Under the exam's lock only."""
    folder = layout.exam(exam)
    if next((path for ending in (RELEASED, SEAL) for path in folder.glob("*" + ending)), None) is not None:
        raise WrongState(
            "Pictures of this exam were released already: they may have left the box under its patient.",
            action="It cannot get another patient. Remove what did not leave yet, and call IT.",
        )
