"""The files of exams against their rows, when a process starts. Files win over rows."""

import logging
import sqlite3
from dataclasses import replace
from pathlib import Path

from gateway.errors import SpoolDamaged
from gateway.log import event, warn
from gateway.model import Exam, ExamState, PleaseCheck
from gateway.spool import performed, records
from gateway.spool.exams import Exams, earlier_boot
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)


def reconcile_exams(spool: Spool) -> None:
    """Write the row of every exam whose file is newer; every process does so when it starts.

    An exam's file that cannot be read is written anew from its row.
    """
    with spool.database.read() as connection:
        known = {row["id"]: row["revision"] for row in connection.execute("SELECT id, revision FROM exam")}
    exams = every_exam(spool)
    for exam_id in sorted(known.keys() - {exam.id for exam in exams}):
        if spool.layout.exam(exam_id).is_dir():
            spool.exams.restore(exam_id)
            event(_log, "exam_file_restored", exam=exam_id)
    for exam in exams:
        if exam.revision > known.get(exam.id, 0):
            adopt_exam(spool.exams, exam)


def every_exam(spool: Spool) -> list[Exam]:
    """Return what stands in the exam.json files: ended exams first, then open ones, the one opened last first.

    In this order a row that still says "open" is corrected before the exam that followed it is entered.
    """
    found = (load_exam(path) for path in sorted(spool.layout.of_exams("exam.json")))
    exams = sorted((exam for exam in found if exam), key=lambda exam: exam.opened.utc, reverse=True)
    return sorted(exams, key=lambda exam: exam.state is ExamState.OPEN)


def load_exam(path: Path) -> Exam | None:
    """Return what stands in exam.json, or None, said in the log, when it cannot be read."""
    try:
        return records.load(Exam, path.read_bytes())
    except (SpoolDamaged, OSError) as error:
        warn(_log, "exam_file_damaged", exam=path.parent.name, error=type(error).__name__)
        return None


def adopt_exam(exams: Exams, exam: Exam) -> None:
    """Write an exam's row; one that would be a second open exam is ended, for a person to check."""
    try:
        exams.put_row(exam)
    except sqlite3.IntegrityError:
        # Its request id goes: when that is what stands twice, the first exam answers for it.
        exams.change(
            exam.id,
            lambda old: replace(
                old,
                state=ExamState.FINISHED if old.state is ExamState.OPEN else old.state,
                ended=old.ended or old.opened,
                please_check=old.please_check or PleaseCheck.REBOOT,
                steps=performed.ended(old, old.ended or old.opened, discontinued=old.discontinued),
                request=None,
            ),
            heal=False,
        )
    event(_log, "exam_adopted", exam=exam.id, revision=exam.revision)


def question_after_reboot(spool: Spool) -> None:
    """Mark the exam that a restart of the box left open: a person says whether its patient is still there."""
    exam = spool.exams.open_one()
    if exam and earlier_boot(exam, spool.clock.now()) and not exam.please_check:
        spool.exams.ask_to_check(exam.id, PleaseCheck.REBOOT)
        event(_log, "exam_open_after_reboot", exam=exam.id)
