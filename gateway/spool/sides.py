"""Of which side of the body pictures are: said for what is taken from now on, or of single ones until they leave.

What held at its press stands in a picture's sidecar, which never changes. What a person says later is the file
`<uid>.side` beside it, written anew each time; it decides, also when it says that there is none. The row follows.
"""

import builtins
import logging
from contextlib import suppress
from dataclasses import dataclass, replace

from gateway.clock import Clock
from gateway.config.body_parts import is_paired, takes_side
from gateway.errors import BadValue, DiskFailed, NotFound, SpoolDamaged, WrongState
from gateway.log import event, warn
from gateway.model import Capture, CaptureState, Exam, ExamState, Side
from gateway.spool import records
from gateway.spool.captures import Captures, Listed, has_left, refuse_left
from gateway.spool.database import Database
from gateway.spool.exams import Exams
from gateway.spool.files import Files, locked
from gateway.spool.leaving import refuse_leaving
from gateway.spool.paths import Layout

_log = logging.getLogger(__name__)
_MAY_CHANGE = (ExamState.OPEN, ExamState.FINISHED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """The content of a file: what a person said last."""

    side: Side
    utc: str


class Sides:
    """The files `<uid>.side`, the column `capture.side` and the side in exam.json."""

    def __init__(
        self, *, layout: Layout, files: Files, database: Database, clock: Clock, exams: Exams, captures: Captures
    ) -> None:
        self._layout = layout
        self._files = files
        self._database = database
        self._clock = clock
        self._exams = exams
        self._captures = captures

    # --- looking ------------------------------------------------------------------------------------------

    def missing(self, exam: str) -> builtins.list[str]:
        """Return the UIDs of an exam's pictures of which a person should still say the side.

        Of a part that is one of a pair every one; of one that nobody named those beside others that have a side.
        """
        if self._exams.get(exam).state not in _MAY_CHANGE:
            return []
        kept = [each.capture for each in self._captures.of_exam(exam)]
        asked = [each for each in kept if each.state is CaptureState.SAVED and takes_side_of(each)]
        some = any(each.side for each in asked)
        return [
            each.sop_instance_uid
            for each in asked
            if not each.side and (some or is_paired(each.equipment.body_part)) and not self._left(each)
        ]

    # --- a person's doing ---------------------------------------------------------------------------------

    def say(self, uid: str, side: Side) -> Listed:
        """Say of which side a picture is. Raises WrongState after its release, BadValue where there is no side."""
        with self._captures.at(uid) as found:
            self._refuse(found.capture)
            if not takes_side_of(found.capture):
                raise BadValue("This picture shows a part of the body that has no sides.")
            if found.capture.side is not side:
                self._note(found.capture, side)
        return self._captures.get(uid)

    def say_missing(self, exam: str, side: Side) -> builtins.list[str]:
        """Say it of every picture that misses it; return their UIDs."""
        return [uid for uid in self.missing(exam) if self._is_said(exam, uid, side)]

    def from_now_on(self, exam: str, side: Side) -> tuple[Exam, str]:
        """Say of which side an open exam's next pictures are; return it, and the last one's UID if it got that too.

        The one just taken does when it was taken while none was said: a side that was said is never overruled.
        """
        before = Side.NOT_SAID

        def said(old: Exam) -> Exam:
            nonlocal before
            if old.state is not ExamState.OPEN:
                raise WrongState("This exam is not open any more.")
            before = old.side
            return replace(old, side=side)

        changed = self._exams.change(exam, said)
        kept = [each.capture for each in self._captures.of_exam(exam) if each.capture.state is CaptureState.SAVED]
        last = kept[-1].sop_instance_uid if side and not before and kept else ""
        return changed, last if last and self._is_said(exam, last, side) else ""

    # --- putting right ------------------------------------------------------------------------------------

    def as_said(self, capture: Capture) -> Capture:
        """Return a capture with the side that its file says; its row is put right if it fell behind."""
        return replace(capture, side=self._obey(capture.exam, capture.sop_instance_uid, capture.side))

    def obey(self, exam: str, uid: str) -> None:
        """Make the row say what the file says, if there is one."""
        self._obey(exam, uid, None)

    def reconcile(self) -> None:
        """Make the rows say what the files say, where a cut came between the two.

        Of what was sealed the object has it: who adopts one whose row was lost looks at its side as well.
        """
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT exam, sop_instance_uid, side FROM capture WHERE sealed = 0 AND state <> 'recording'"
            ).fetchall()
        for row in rows:
            exam, uid = row["exam"], row["sop_instance_uid"]
            if self._read(exam, uid) in {None, Side(row["side"])}:
                continue
            with suppress(NotFound, DiskFailed), locked(self._layout.exam_lock(exam)):  # nobody says otherwise
                self.obey(exam, uid)

    # --- inside -------------------------------------------------------------------------------------------

    def _is_said(self, exam: str, uid: str, side: Side) -> bool:
        """Say it of a picture that is in this exam, misses it and may change, all of that still; say whether."""
        with suppress(NotFound, WrongState), self._captures.at(uid) as found:
            old = found.capture
            self._refuse(old)
            if old.exam == exam and old.state is CaptureState.SAVED and not old.side and takes_side_of(old):
                self._note(old, side)
                return True
        return False

    def _refuse(self, capture: Capture) -> None:
        """Raise WrongState for a picture that left, or is to go to another exam. Under its exam's lock only."""
        refuse_left(self._layout, self._exams.get(capture.exam), capture)
        refuse_leaving(self._layout, capture.exam, capture.sop_instance_uid)

    def _note(self, capture: Capture, side: Side) -> None:
        """Write what a person said: the file, then the row. Under the exam's lock only."""
        uid = capture.sop_instance_uid
        said = Said(side=side, utc=self._clock.utc().isoformat())
        self._files.write(self._layout.side(capture.exam, uid), [records.dump(said)])
        self._set_row(capture.exam, uid, side)

    def _obey(self, exam: str, uid: str, known: Side | None) -> Side:
        """Return the side that the file says, `known` without one; its row says it too then."""
        said = self._read(exam, uid)
        if said is not None and said is not known:
            self._set_row(exam, uid, said)
            event(_log, "side_reconciled", exam=exam, uid=uid)
        return said if said is not None else known or Side.NOT_SAID

    def _left(self, capture: Capture) -> bool:
        return has_left(self._layout, self._exams.get(capture.exam), capture)

    def _read(self, exam: str, uid: str) -> Side | None:
        """Return what a person said of a picture; None when nobody did, or it cannot be read any more."""
        try:
            return records.load(Said, self._layout.side(exam, uid).read_bytes()).side
        except FileNotFoundError:
            return None
        except (SpoolDamaged, OSError) as error:
            warn(_log, "side_damaged", exam=exam, uid=uid, error=type(error).__name__)
            return None

    def _set_row(self, exam: str, uid: str, side: Side) -> None:
        with self._database.write() as connection:
            connection.execute(
                "UPDATE capture SET side = ? WHERE sop_instance_uid = ? AND exam = ?", (side, uid, exam)
            )


def takes_side_of(capture: Capture) -> bool:
    """Say whether a picture can be of a side of the body."""
    return takes_side(capture.equipment, capture.kind)
