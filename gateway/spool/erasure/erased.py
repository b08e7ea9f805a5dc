"""Exams that were erased: finishes what was begun, whoever began it, and leaves no trace of them in the index.

`erasing` gives the mark. Every process takes up what it finds before it looks at anything else.
"""

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import DiskFull, NotFound, SpoolDamaged, SpoolError
from gateway.log import event, warn
from gateway.model import Exam
from gateway.spool import database, records
from gateway.spool.erasure import erasable
from gateway.spool.files import locked
from gateway.spool.paths import ERASED, ERASURE
from gateway.spool.queue.deliveries import BEING_ERASED
from gateway.spool.spool import Spool
from gateway.spool.subjects import same_patient

LEFT = "erasure-left"  # the code of an exam of which something is left on the disk
_BATCH = 200  # rows a transaction
_OF_EXAM = ("step_message", "delivery", "object", "capture")  # those that refer to others first
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """What is remembered of an exam until the audit has it: no word about a patient."""

    exam: str
    utc: str
    by: str
    pictures: int
    unsent: int
    unproven: int
    person: str = ""  # who was signed in; a command knows nobody


def take_up(spool: Spool, *, anew: bool = True) -> bool:
    """Finish every erasure that was begun; False when traces are left. Under the migration lock only.

    A file that cannot be removed, and a full disk, keep no process from starting, and the file no other exam from
    being erased: it is tried again. anew: the index may be written anew, in as much memory as it is long.
    """
    try:
        _take_back_claims(spool)
        _mark_again(spool)
        folders = sorted(spool.layout.exams.glob(f"*{ERASED}"))
        if folders:  # who gave such a name may have been killed, or failed, before it was durable
            spool.files.flush_names(spool.layout.exams)
        finished = [folder for folder in folders if _is_finished(spool, folder)]
        if not finished:
            return not folders
        return anew and _leave_no_traces(spool, finished) and finished == folders
    except (SpoolError, OSError) as error:
        warn(_log, "erasure_not_finished", error=type(error).__name__)
        return False


def unfinished(spool: Spool) -> list[str]:
    """Return the exams of which something is left on the disk though they were erased."""
    return sorted(path.name.removesuffix(ERASED) for path in spool.layout.exams.glob(f"*{ERASED}"))


def is_marked(spool: Spool, exam: str) -> bool:
    """Say whether an exam has its mark; one that a backup brought back beside it is there."""
    return spool.layout.erased(exam).is_dir() and not spool.layout.exam(exam).is_dir()


def exam_in(path: Path) -> Exam | None:
    """Return the exam of a file; None where there is none, or a damaged one."""
    try:
        return records.load(Exam, path.read_bytes())
    except (SpoolDamaged, OSError):
        return None


def _take_back_claims(spool: Spool) -> None:
    """Let the deliveries go again of an exam that did not get its mark."""
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT DISTINCT exam FROM delivery WHERE state = 'held' AND code = ?", (BEING_ERASED,)
        ).fetchall()
    for row in rows:
        if not is_marked(spool, row["exam"]):
            with spool.database.write() as connection:
                connection.execute(
                    "UPDATE delivery SET state = 'queued', code = '', reason = '' "
                    "WHERE exam = ? AND state = 'held' AND code = ?",
                    (row["exam"], BEING_ERASED),
                )


def _mark_again(spool: Spool) -> None:
    """Mark what an older copy of the index brought back, if somebody put one in place: the audit knows."""
    with spool.database.read() as connection:
        listed = [row["id"] for row in connection.execute("SELECT id FROM exam")]
    lost = set(listed) - {path.name.removesuffix(ERASED) for path in spool.layout.exams.iterdir()}
    if lost:  # the audit is read once, however many there are
        lost &= {line.get("exam", "") for line in spool.audit.of_kinds("exam-erased")}
    for exam in sorted(lost):
        spool.files.make_folder(spool.layout.erased(exam))
        event(_log, "erased_exam_came_back", exam=exam)


def _leave_no_traces(spool: Spool, finished: Sequence[Path]) -> bool:
    """Write the index anew, unless an exam is open: its clips could not begin so long, and come first."""
    for path in database.put_aside(spool.layout.database):  # nobody uses them, and everybody's name is in them
        spool.files.remove(path)
    with locked(spool.layout.opening_lock):  # who opens an exam now waits
        if spool.exams.open_one() or not spool.database.rewrite():
            return False
    for folder in finished:
        spool.files.remove_folder(folder)
    return True


def _is_finished(spool: Spool, folder: Path) -> bool:
    try:
        _finish(spool, folder)
    except (SpoolError, OSError) as error:
        warn(_log, "erasure_not_finished", error=type(error).__name__)
        return False
    return True


def _finish(spool: Spool, folder: Path) -> None:
    """Rows, files, audit line, record; what was done before a cut is done again, and no harm in it."""
    exam = folder.name.removesuffix(ERASED)
    named, record = folder / "exam.json", folder / ERASURE
    known, full = exam_in(named) or _listed(spool, exam), False
    came_back = spool.layout.exam(exam).is_dir() and not record.exists()  # from a backup: these rows are its own
    try:
        if not came_back:
            _forget(spool, exam, known)
    except DiskFull:  # the files make room
        full = True
    spool.files.remove(named)  # before the others: by this one release 0.1 knows an exam
    spool.files.remove(*(path for path in sorted(folder.iterdir()) if path != record))
    if full:
        _forget(spool, exam, known)
    if record.exists():
        _note(spool, exam, record)
        spool.files.remove(record)


def _listed(spool: Spool, exam: str) -> Exam | None:
    with suppress(NotFound, SpoolDamaged):
        return spool.exams.get(exam)
    return None


def _note(spool: Spool, exam: str, record: Path) -> None:
    try:
        found = records.load(Erasure, record.read_bytes())
        details: dict[str, str | int] = {"person": found.person} if found.person else {}
        details |= {"pictures": found.pictures, "unsent": found.unsent, "unproven": found.unproven}
        spool.audit.note("exam-erased", by=found.by, exam=exam, begun=found.utc, **details)
    except SpoolDamaged:
        spool.audit.note("exam-erased", by="unknown", exam=exam)
    event(_log, "exam_erased", exam=exam)


def _forget(spool: Spool, exam: str, known: Exam | None) -> None:
    """Remove every row of an exam; its own first, so that nobody is shown a half of it."""
    with spool.database.erasing():
        with spool.database.write() as connection:
            connection.execute("DELETE FROM exam WHERE id = ?", (exam,))
            connection.execute(f"DELETE FROM request WHERE {erasable.MENTIONS}", (exam,))  # noqa: S608 - fixed words
            connection.execute(
                "DELETE FROM commitment_item WHERE sop_instance_uid IN "
                "(SELECT sop_instance_uid FROM object WHERE exam = ?)",
                (exam,),
            )
            connection.execute(
                "DELETE FROM commitment WHERE transaction_uid NOT IN (SELECT transaction_uid FROM commitment_item)"
            )
        for table in _OF_EXAM:
            while _removed(spool, table, exam) == _BATCH:
                pass
        if known:
            spool.worklist.forget(lambda item: same_patient(item.patient, known.patient))


def _removed(spool: Spool, table: str, exam: str) -> int:
    with spool.database.write() as connection:
        done: sqlite3.Cursor = connection.execute(
            f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE exam = ? LIMIT ?)",  # noqa: S608 - fixed names
            (exam, _BATCH),
        )
    return done.rowcount
