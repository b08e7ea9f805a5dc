"""Key images: which pictures a person marked, and the lists (Key Object Selection Documents) that name them.

`<uid>.key` beside a picture says whether it is one, written anew each time; the row follows. What a list names
stands in exam.json before it is made, so that a cut finds the same list again. What a list names stays a key image.
"""

import builtins
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from gateway.errors import DiskFailed, NotFound, SpoolDamaged, WrongState
from gateway.log import event, warn
from gateway.model import CaptureState, Exam, ExamState, KeyDocument
from gateway.spool import records
from gateway.spool.captures import Captures, Listed
from gateway.spool.database import Database
from gateway.spool.exams import Exams
from gateway.spool.files import Files, locked
from gateway.spool.leaving import refuse_leaving
from gateway.spool.paths import KEY, Layout

_log = logging.getLogger(__name__)
_MAY_CHANGE = (ExamState.OPEN, ExamState.FINISHED)
_NO, _MARKED, _NAMED = 0, 1, 2  # the column `key_image`


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """The content of a file: what a person said last."""

    key: bool


class KeyImages:
    """The files `<uid>.key`, the column `capture.key_image` and the lists in exam.json."""

    def __init__(
        self, *, layout: Layout, files: Files, database: Database, exams: Exams, captures: Captures
    ) -> None:
        self._layout = layout
        self._files = files
        self._database = database
        self._exams = exams
        self._captures = captures

    # --- a person's doing ---------------------------------------------------------------------------------

    def mark(self, uid: str, *, key: bool) -> Listed:
        """Say whether a picture is a key image, while its exam is not released, the picture itself or not.

        Raises NotFound; WrongState after that, of a picture that was removed, and of one that a list names.
        """
        with self._captures.at(uid) as old:
            exam = self._exams.get(old.capture.exam)
            if exam.state not in _MAY_CHANGE:
                raise WrongState("This exam was released already: its key images are decided.")
            refuse_leaving(self._layout, exam.id, uid)
            if old.capture.state is not CaptureState.SAVED:
                raise WrongState("A picture that was removed is no key image.", action="Bring it back first.")
            if not key and uid in named(exam):
                raise WrongState(
                    "A list of key images that may have left the box names this picture: it stays one."
                )
            if old.key is not key:
                self._files.write(self._layout.key(exam.id, uid), [records.dump(Marked(key=key))])
                self._set_row(exam.id, uid, key=key)
        return self._captures.get(uid)

    # --- lists --------------------------------------------------------------------------------------------

    def waiting(self) -> builtins.list[str]:
        """Return released exams with a key image that no list names yet and that is, or may become, an object."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT DISTINCT capture.exam FROM capture JOIN exam ON exam.id = capture.exam "
                "WHERE capture.key_image = 1 AND capture.state = 'saved' AND capture.problem_code = '' "
                "AND exam.state IN ('released', 'discontinued') ORDER BY capture.exam"
            ).fetchall()
        return [row["exam"] for row in rows]

    def of_exam(self, exam: str) -> builtins.list[Listed]:
        """Return an exam's key images in the order of their presses; none that was removed."""
        return [
            each for each in self._captures.of_exam(exam) if each.key and each.capture.state is CaptureState.SAVED
        ]

    def decide(self, exam: str, documents: Sequence[KeyDocument], *, revision: int) -> Exam:
        """Write durably which lists are made next, if the exam is released and still as it was at `revision`.

        Once it is opened again, a person may say otherwise about its key images.
        """

        def decided(old: Exam) -> Exam:
            if old.revision != revision or old.state in _MAY_CHANGE:
                return old
            return replace(old, key_documents=(*old.key_documents, *documents))

        return self._exams.change(exam, decided)

    def are_named(self, uids: Sequence[str]) -> None:
        """Note that the lists that name these captures are made."""
        with self._database.write() as connection:
            connection.executemany(
                "UPDATE capture SET key_image = ? WHERE sop_instance_uid = ? AND key_image = ?",
                [(_NAMED, uid, _MARKED) for uid in uids],
            )

    # --- putting right ------------------------------------------------------------------------------------

    def obey(self, exam: str, uid: str) -> None:
        """Make the row say what the file says, if there is one. Under the exam's lock only."""
        said = self._read(exam, uid)
        if said is not None and self._set_row(exam, uid, key=said):
            event(_log, "key_mark_reconciled", exam=exam, uid=uid)

    def reconcile(self) -> None:
        """Make the rows say what the files say, where a cut came between the two."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT exam, sop_instance_uid FROM capture WHERE key_image > 0")
            listed = {tuple(row) for row in rows}
        for path in sorted(self._layout.of_exams("*" + KEY)):
            exam, uid = path.parent.name, path.name.removesuffix(KEY)
            if self._read(exam, uid) in {None, (exam, uid) in listed}:
                continue
            with suppress(NotFound, DiskFailed), locked(self._layout.exam_lock(exam)):  # nobody says otherwise
                self.obey(exam, uid)

    # --- inside -------------------------------------------------------------------------------------------

    def _read(self, exam: str, uid: str) -> bool | None:
        """Return what a person said of a picture; None when nobody did, or it cannot be read any more."""
        try:
            return records.load(Marked, self._layout.key(exam, uid).read_bytes()).key
        except FileNotFoundError:
            return None
        except (SpoolDamaged, OSError) as error:
            warn(_log, "key_mark_damaged", exam=exam, uid=uid, error=type(error).__name__)
            return None

    def _set_row(self, exam: str, uid: str, *, key: bool) -> bool:
        with self._database.write() as connection:
            return (
                connection.execute(
                    "UPDATE capture SET key_image = ? "
                    "WHERE sop_instance_uid = ? AND exam = ? AND (key_image > 0) <> ?",
                    (_MARKED if key else _NO, uid, exam, key),
                ).rowcount
                == 1
            )


def named(exam: Exam) -> frozenset[str]:
    """Return the SOP Instance UIDs of an exam's pictures that its lists of all key images name."""
    return frozenset(uid for each in exam.key_documents if not each.part_of for uid in each.pictures)
