"""What a power cut or a kill left behind, put right when a process starts. Files win over rows."""

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gateway.errors import SpoolDamaged
from gateway.log import event, warn
from gateway.model import Capture, CaptureState, Exam, ExamState, PleaseCheck, SealedObject
from gateway.spool import clips, records
from gateway.spool.captures import Captures, Rejection
from gateway.spool.exams import Exams, earlier_boot
from gateway.spool.files import PART
from gateway.spool.paths import FRAMES, INDEX, OBJECT, SEAL, SIDECAR, TOMBSTONE
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)


def reconcile_exams(spool: Spool) -> None:
    """Write the row of every exam whose file is newer; every process does so when it starts."""
    with spool.database.read() as connection:
        known = {row["id"]: row["revision"] for row in connection.execute("SELECT id, revision FROM exam")}
    for path in sorted(spool.layout.exams.glob("*/exam.json")):
        exam = load_exam(path)
        if exam and exam.revision > known.get(exam.id, 0):
            adopt_exam(spool.exams, exam)


def load_exam(path: Path) -> Exam | None:
    """Return what stands in exam.json, or None, said in the log, when it cannot be read."""
    try:
        return records.load(Exam, path.read_bytes())
    except SpoolDamaged as error:
        warn(_log, "exam_file_damaged", exam=path.parent.name, code=error.code)
        return None


def adopt_exam(exams: Exams, exam: Exam) -> None:
    """Write an exam's row; one that would be a second open exam is ended, for a person to check."""
    try:
        exams.put_row(exam)
    except sqlite3.IntegrityError:
        ended = replace(exam, state=ExamState.FINISHED, ended=exam.opened, please_check=PleaseCheck.REBOOT)
        exams.change(exam.id, lambda _: ended)
    event(_log, "exam_adopted", exam=exam.id, revision=exam.revision)


def question_after_reboot(spool: Spool) -> None:
    """Mark the exam that a restart of the box left open: a person says whether its patient is still there."""
    exam = spool.exams.open_one()
    if exam and earlier_boot(exam, spool.clock.now()) and not exam.please_check:
        spool.exams.ask_to_check(exam.id, PleaseCheck.REBOOT)
        event(_log, "exam_open_after_reboot", exam=exam.id)


def recover_captures(spool: Spool) -> None:
    """Put every exam's captures right. Only the capture process may call this, before its first press."""
    with spool.database.read() as connection:
        rows = connection.execute("SELECT id FROM exam").fetchall()
        known = {row[0] for row in connection.execute("SELECT sop_instance_uid FROM capture")}
    recording = {uid for _, uid in spool.captures.recording()}
    for row in rows:
        folder = spool.layout.exam(row["id"])
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        _salvage_clips(spool, row["id"], names)
        _adopt_sidecars(spool, row["id"], names, known - recording)
        _remove_leftovers(spool, folder, names)
    _settle_rows(spool)


def adopt_seals(spool: Spool, destinations: Sequence[str]) -> None:
    """Write the rows of objects that were sealed in the instant before a cut. Only the forward process may."""
    with spool.database.read() as connection:
        known = {row[0] for row in connection.execute("SELECT sop_instance_uid FROM object")}
    for path in sorted(spool.layout.exams.glob("*/*" + SEAL)):
        if path.name.removesuffix(SEAL) not in known:
            spool.objects.put_row(records.load(SealedObject, path.read_bytes()), destinations)
            event(_log, "object_adopted", exam=path.parent.name, uid=path.name.removesuffix(SEAL))


def salvage(spool: Spool, exam: str, uid: str) -> Capture | None:
    """Make a capture of what is whole of a clip that was never closed; None when not one picture is."""
    layout, files = spool.layout, spool.files
    clips.finish(layout, files, exam, uid)
    frames, index = layout.frames(exam, uid), layout.index(exam, uid)
    try:
        header, entries = clips.read_index(index)
        entries = clips.whole_entries(frames, entries)
    except (SpoolDamaged, FileNotFoundError):
        entries = []  # its start was never acknowledged
    if not entries:
        for path in (frames, index):
            files.remove(path)
        spool.captures.forget_clip(uid)
        return None
    files.cut(frames, entries[-1].offset + 4 + entries[-1].length)
    capture = clips.as_capture(header, entries, clips.digest_of(frames, entries), salvaged=True)
    spool.captures.write_sidecar(capture)
    spool.captures.put_row(capture)
    event(_log, "clip_salvaged", exam=exam, uid=uid, frames=len(entries))
    return capture


def adopt_capture(captures: Captures, capture: Capture, tombstone: Path) -> None:
    """Write the row of a capture that has only its sidecar, rejected when it has a tombstone."""
    captures.put_row(capture)
    if tombstone.exists():
        captures.mark_rejected(capture.sop_instance_uid, records.load(Rejection, tombstone.read_bytes()).reason)
    event(_log, "capture_adopted", exam=capture.exam, uid=capture.sop_instance_uid)


def _salvage_clips(spool: Spool, exam: str, names: set[str]) -> None:
    clip_files = (name.removesuffix(PART) for name in names)
    uids = {name.rsplit(".", 1)[0] for name in clip_files if name.endswith((FRAMES, INDEX))}
    for uid in sorted(uids):
        if uid + SIDECAR not in names:
            salvage(spool, exam, uid)


def _adopt_sidecars(spool: Spool, exam: str, names: set[str], known: set[str]) -> None:
    for name in sorted(names):
        uid = name.removesuffix(SIDECAR)
        if name in {uid, "exam.json"} or uid in known:
            continue
        capture = records.load(Capture, spool.layout.sidecar(exam, uid).read_bytes())
        adopt_capture(spool.captures, capture, spool.layout.tombstone(exam, uid))


def _remove_leftovers(spool: Spool, folder: Path, names: set[str]) -> None:
    """Remove what was never acknowledged: half-written files of this process, and media without a sidecar."""
    others = (OBJECT, SEAL, TOMBSTONE, FRAMES, INDEX, ".lock", "exam.json")
    for name in sorted(names):
        whole = name.removesuffix(PART)
        if whole.endswith(others) or whole.startswith("order"):
            continue
        uid = whole.rsplit(".", 1)[0]
        if name != whole or (not name.endswith(SIDECAR) and uid + SIDECAR not in names):
            spool.files.remove(folder / name)
            event(_log, "unfinished_file_removed", exam=folder.name, file=name)


def _settle_rows(spool: Spool) -> None:
    """Sound the alarm for rows without files, and drop recordings of which nothing is left."""
    for exam, uid in spool.captures.recording():
        if not spool.layout.index(exam, uid, recording=True).exists():
            spool.captures.forget_clip(uid)
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT exam, sop_instance_uid FROM capture WHERE state <> ?", (CaptureState.RECORDING,)
        )
        missing = [tuple(row) for row in rows if not spool.layout.sidecar(row[0], row[1]).exists()]
    for exam, uid in missing:
        warn(_log, "capture_file_missing", exam=exam, uid=uid)
        spool.captures.set_problem(uid, "file-missing", "The files of this picture are not on the disk any more.")
