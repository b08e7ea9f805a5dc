"""Erasing exams for good. Decides nothing: a command and a page do, and `erasable` says what forbids it.

The mark is the folder's new name, `<exam>.erased`: one rename, flushed. A cut before it leaves the exam as it was,
a cut after it leaves work for `take_up`, which every process does before it looks at anything else. Running ones
find nothing from the rename on: their paths lead nowhere.
"""

import logging
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import DiskFull, NotFound, Refused, SpoolDamaged, SpoolError, WrongState
from gateway.log import event, warn
from gateway.model import Exam, ExamState
from gateway.spool import database, erasable, moving, records
from gateway.spool.deliveries import BEING_ERASED
from gateway.spool.erasable import Loss
from gateway.spool.erasable_patient import Staying
from gateway.spool.files import locked
from gateway.spool.paths import ERASED, ERASURE
from gateway.spool.spool import Spool
from gateway.spool.subjects import same_patient

_log = logging.getLogger(__name__)
LEFT = "erasure-left"  # the code of an exam of which something is left on the disk
_BATCH = 200  # rows a transaction
May = Callable[[], None]
_OF_EXAM = ("step_message", "delivery", "object", "capture")  # those that refer to others first


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of exams. `clean`: see `erase`."""

    staying: tuple[Staying, ...]
    clean: bool


def erase(
    spool: Spool, exam: Loss, *, by: str, servers: Collection[str], person: str = "", may: May = lambda: None
) -> bool:
    """Erase one exam; False when the index's log, which somebody reads, holds traces until the next start.

    Otherwise as `erase_each`. Raises what keeps it on the box: WrongState, ClipRecording, NotFound, SpoolError.
    """
    done = erase_each(spool, [exam], by=by, servers=servers, person=person, may=may)
    for each in done.staying:
        raise each.why
    return done.clean


def erase_each(
    spool: Spool,
    exams: Sequence[Loss],
    *,
    by: str,
    servers: Collection[str],
    person: str = "",
    may: May = lambda: None,
) -> Outcome:
    """Erase what can be; an exam that cannot, or is no more as it was agreed to, stays and stops no other.

    servers: those of procedure steps that are configured. may: raises what forbids the next one, for the sake of
    everything else; what was begun before is finished.
    """
    staying = []
    with locked(spool.layout.migration_lock):  # no start and no rebuild looks at half of it
        try:
            for each in exams:
                try:
                    may()
                    _begin(spool, each, by=by, person=person, servers=servers)
                except (Refused, SpoolError) as why:
                    if not _is_marked(spool, each.exam.id):  # else it failed after that, and goes
                        staying.append(Staying(exam=each.exam, why=why))
        finally:
            clean = take_up(spool)
    return Outcome(staying=tuple(staying), clean=clean)


def take_up(spool: Spool, *, anew: bool = True) -> bool:
    """Finish every erasure that was begun; False when traces are left. Under the migration lock only.

    A file that cannot be removed, and a full disk, keep no process from starting, and the file no other exam from
    being erased: the next start tries again. anew: the index may be written anew, in as much memory as it is long.
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


def unfinished(spool: Spool) -> list[str]:
    """Return the exams of which something is left on the disk though they were erased."""
    return sorted(path.name.removesuffix(ERASED) for path in spool.layout.exams.glob(f"*{ERASED}"))


# --- until the mark --------------------------------------------------------------------------------------------


def _begin(spool: Spool, exam: Loss, *, by: str, person: str, servers: Collection[str]) -> None:
    """Claim the exam's queue, write down what is lost, and give the folder its new name."""
    uid, layout = exam.exam.id, spool.layout
    with suppress(SpoolDamaged):  # a damaged exam may be erased as well
        spool.exams.change(uid, lambda old: old)  # brings a row up to date that fell behind
    with locked(layout.exam_lock(uid)):
        _refuse_changed(spool, exam)
        with spool.database.write() as connection:
            erasable.refuse(connection, uid, servers)
            connection.execute(
                "UPDATE delivery SET state = 'held', code = ? WHERE exam = ? AND state = 'queued'",
                (BEING_ERASED, uid),
            )
        record = Erasure(
            exam=uid,
            utc=spool.clock.utc().isoformat(),
            by=by,
            pictures=exam.pictures,
            unsent=exam.unsent,
            unproven=exam.unproven,
            person=person,
        )
        spool.files.write(layout.media(uid, ERASURE), [records.dump(record)])
        spool.files.rename(layout.exam(uid), layout.erased(uid))
    event(_log, "exam_erasure_begun", exam=uid)


def _is_marked(spool: Spool, exam: str) -> bool:
    """Say whether an exam has its mark; one that a backup brought back beside it is there."""
    return spool.layout.erased(exam).is_dir() and not spool.layout.exam(exam).is_dir()


def _refuse_changed(spool: Spool, agreed: Loss) -> None:
    """Raise WrongState when an exam is not what was agreed to any more. Under its lock only."""
    exam, layout = agreed.exam.id, spool.layout
    known = _exam_in(layout.exam_json(exam))
    if known and known.state is ExamState.OPEN:
        raise erasable.still_open()
    # By its file or its row: one of them may be damaged or behind.
    if max(known.revision if known else 0, spool.exams.get(exam).revision) != agreed.exam.revision:
        # Given to another patient, to be checked, or to be kept, while this waited for its turn.
        raise WrongState("The exam has changed meanwhile.", action="Look at it again before you erase it.")
    there = erasable.pictures_of(spool, exam)
    if any(moving.is_leaving(spool, exam, uid) for uid in there):  # it is the other exam's: that was decided
        raise WrongState(
            "A picture of this exam is being moved to another one.",
            action="Move it once more, or start the box again.",
        )
    if there != agreed.uids:
        # Pictures were moved, or stored, while this waited for its turn: nobody agreed to lose those.
        raise WrongState("The pictures of this exam have changed.", action="Look at it again before you erase it.")


def _exam_in(path: Path) -> Exam | None:
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
        if not _is_marked(spool, row["exam"]):
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


# --- from the mark on ------------------------------------------------------------------------------------------


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
    known, full = _exam_in(named) or _listed(spool, exam), False
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
