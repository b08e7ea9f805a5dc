"""What a power cut or a kill left behind, put right when a process starts. Files win over rows."""

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gateway.errors import DiskFailed, NotFound, SpoolDamaged
from gateway.log import event, warn
from gateway.model import Capture, CaptureState, Exam, ExamState, PleaseCheck, SealedObject
from gateway.spool import clips, performed, records, routing
from gateway.spool.exams import Exams, earlier_boot
from gateway.spool.files import PART, locked, sha256_of
from gateway.spool.paths import (
    DAMAGED,
    FILM,
    FRAMES,
    INDEX,
    KEY,
    KEY_STILLS,
    MOVED,
    OBJECT,
    PURGED,
    RELEASED,
    SEAL,
    SIDE,
    SIDECAR,
    SUMS,
    TOMBSTONE,
)
from gateway.spool.purging import Purging
from gateway.spool.routing import Addressee
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


def reconcile_rejections(spool: Spool) -> None:
    """Make the rows say what the tombstones say, where a cut came between the two; every process does so."""
    with spool.database.read() as connection:
        rows = connection.execute(
            "SELECT exam, sop_instance_uid FROM capture WHERE state = ?", (CaptureState.REJECTED,)
        )
        rejected = {tuple(row) for row in rows}
    marked = {
        (path.parent.name, path.name.removesuffix(TOMBSTONE)) for path in spool.layout.of_exams("*" + TOMBSTONE)
    }
    for exam, uid in sorted(rejected ^ marked):
        with suppress(NotFound):  # the whole folder is gone: the alarm for that is sounded elsewhere
            if spool.captures.obey_tombstone(exam, uid):
                event(_log, "rejection_reconciled", exam=exam, uid=uid)


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
        try:
            with locked(spool.layout.exam_lock(row["id"])):  # nobody moves into it, or erases it
                _remove_leftovers(spool, folder, {path.name for path in folder.iterdir()}, known - recording)
        except NotFound:
            pass
        except DiskFailed as error:  # they harm nobody
            warn(_log, "leftovers_stay", exam=row["id"], code=error.code)
    _settle_rows(spool)


def adopt_seals(spool: Spool, destinations: Sequence[Addressee]) -> None:
    """Finish what a cut interrupted after a seal: the object's rows, and the media that goes.

    Only the forward process may call this, before it seals anything.
    """
    with spool.database.read() as connection:
        known = {row[0] for row in connection.execute("SELECT sop_instance_uid FROM object")}
    for path in sorted(spool.layout.of_exams("*" + SEAL)):
        exam, uid = path.parent.name, path.name.removesuffix(SEAL)
        if uid not in known:
            try:
                _enter(spool, records.load(SealedObject, _content(spool, path)), destinations)
            except (SpoolDamaged, NotFound, sqlite3.IntegrityError) as error:
                warn(_log, "seal_not_adopted", exam=exam, uid=uid, error=type(error).__name__)
                continue
            event(_log, "object_adopted", exam=exam, uid=uid)
    _drop_doubled_media(spool)


def _enter(spool: Spool, sealed: SealedObject, destinations: Sequence[Addressee]) -> None:
    """Write the rows of a seal that has none; what was let go is queued for nobody."""
    gone = spool.layout.purged(sealed.exam, sealed.capture).exists()
    spool.objects.put_row(sealed, () if gone else routing.of_sealed(spool.layout, sealed, destinations))
    spool.sides.obey(
        sealed.exam, sealed.capture
    )  # an index that misses a seal is older than all that came before it
    if gone:
        Purging(spool).adopt(sealed.exam, sealed.capture)


def salvage(spool: Spool, exam: str, uid: str) -> Capture | None:
    """Make a capture of what is whole of a clip that was never closed; None when not one picture is.

    A clip that the disk cannot read is put aside, and is no reason to keep the box from its work.
    """
    layout, files = spool.layout, spool.files
    clips.finish(layout, files, exam, uid)
    frames, index = layout.frames(exam, uid), layout.index(exam, uid)
    try:
        header, entries = clips.read_index(index)
        entries = clips.whole_entries(frames, entries)
        digest = clips.digest_of(frames, entries)
    except (SpoolDamaged, FileNotFoundError):
        _keep_damaged(spool, exam, uid)
        return None
    except OSError as error:
        spool.files.blame(error, layout.probe("salvage"))
        _put_aside(spool, exam, uid)
        return None
    if not entries:
        for path in (frames, index):
            files.remove(path)
        spool.captures.forget_clip(uid)
        return None
    clips.cut(layout, files, header, entries)
    capture = clips.as_capture(header, entries, digest, salvaged=True)
    spool.captures.write_sidecar(capture)
    spool.captures.put_row(capture)
    event(_log, "clip_salvaged", exam=exam, uid=uid, frames=len(entries))
    return capture


def adopt_capture(spool: Spool, capture: Capture) -> None:
    """Write the row of a capture that has only its sidecar, rejected when it has a tombstone."""
    captures = spool.captures
    try:
        captures.put_row(capture)
    except (NotFound, sqlite3.IntegrityError) as error:  # its number, request id or UID stands in another row
        warn(_log, "capture_not_adopted", exam=capture.exam, uid=capture.sop_instance_uid, why=error)
        return
    captures.obey_tombstone(capture.exam, capture.sop_instance_uid)
    captures.obey_mark(capture.exam, capture.sop_instance_uid)
    spool.sides.as_said(capture)
    spool.key_images.obey(capture.exam, capture.sop_instance_uid)
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
        if name in {uid, "exam.json"} or (uid in known and uid + SEAL in names):
            continue
        try:
            capture = records.load(Capture, _content(spool, spool.layout.sidecar(exam, uid)))
        except SpoolDamaged:
            if not spool.layout.sidecar(exam, uid).exists():
                continue  # moved, or erased, since the look
            warn(_log, "sidecar_damaged", exam=exam, uid=uid)
            if uid in known:
                _restore_sidecar(spool, exam, uid)
            continue
        if uid not in known:
            adopt_capture(spool, capture)


def _content(spool: Spool, path: Path) -> bytes:
    """Read a record. Raises SpoolDamaged when the disk gives it no more, which keeps no box from its work."""
    try:
        return path.read_bytes()
    except OSError as error:
        spool.files.blame(error, spool.layout.probe(path.suffix[1:]))
        raise SpoolDamaged("A record cannot be read.", code="file-unreadable") from error


def _restore_sidecar(spool: Spool, exam: str, uid: str) -> None:
    """Write a damaged sidecar anew from its row: the next rebuild has only the files."""
    path = spool.layout.sidecar(exam, uid)
    spool.files.rename(path, path.with_name(path.name + DAMAGED))
    spool.captures.write_sidecar(replace(spool.captures.get(uid).capture, state=CaptureState.SAVED))
    event(_log, "sidecar_restored", exam=exam, uid=uid)


def _keep_damaged(spool: Spool, exam: str, uid: str) -> None:
    """Put a clip without a readable index aside.

    Its pictures, if there are any, were damaged later: the index was durable before the first of them.
    """
    frames = spool.layout.frames(exam, uid)
    if frames.exists() and frames.stat().st_size:
        spool.files.rename(frames, frames.with_name(frames.name + DAMAGED))
        warn(_log, "clip_damaged", exam=exam, uid=uid)
    else:
        spool.files.remove(frames)
    spool.files.remove(spool.layout.index(exam, uid))
    spool.captures.forget_clip(uid)


def _put_aside(spool: Spool, exam: str, uid: str) -> None:
    """Keep both files of a clip that the disk cannot read, under names that no start looks at again."""
    for path in (spool.layout.frames(exam, uid), spool.layout.index(exam, uid)):
        if path.exists():
            spool.files.rename(path, path.with_name(path.name + DAMAGED))
    warn(_log, "clip_damaged", exam=exam, uid=uid, code="file-unreadable")
    spool.captures.forget_clip(uid)


def _drop_doubled_media(spool: Spool) -> None:
    """Remove media whose sealed object holds the same pictures: one copy on the disk."""
    with spool.database.read() as connection:
        sealed = {row["capture"] for row in connection.execute("SELECT capture FROM object")}
    kept = (OBJECT, SEAL, SIDECAR, TOMBSTONE, RELEASED, PURGED, SIDE, KEY, MOVED, PART, DAMAGED)
    paths = (
        path
        for path in spool.layout.of_exams("*.*")
        if not path.name.endswith(kept) and KEY_STILLS not in path.name
    )
    for uid in sorted({path.name.rsplit(".", 1)[0] for path in paths} & sealed):
        found = spool.objects.of_capture(uid)
        if found and spool.objects.path(found).exists() and sha256_of(spool.objects.path(found)) == found.sha256:
            spool.objects.drop_media(spool.captures.get(uid).capture)
            event(_log, "media_dropped", exam=found.exam, uid=uid)


def _remove_leftovers(spool: Spool, folder: Path, names: set[str], known: set[str]) -> None:
    """Remove what was never acknowledged: half-written files of this process, and media without sidecar or row."""
    marks = (TOMBSTONE, RELEASED, PURGED, SIDE, KEY, MOVED)
    others = (OBJECT, SEAL, *marks, FRAMES, INDEX, FILM, DAMAGED, SUMS, ".lock", "exam.json")
    for name in sorted(names):
        whole = name.removesuffix(PART)
        if whole.endswith(others) or whole.startswith("order") or KEY_STILLS in whole:
            continue
        uid = whole.rsplit(".", 1)[0]
        claimed = name.endswith(SIDECAR) or uid + SIDECAR in names or uid in known
        if name != whole or not claimed:
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
        listed = [tuple(row) for row in rows]
    for exam, uid in listed:
        if _has_files(spool, exam, uid):
            continue
        # It may have been moved since.
        with suppress(NotFound, DiskFailed, SpoolDamaged), spool.captures.at(uid) as found:
            if _has_files(spool, found.capture.exam, uid):
                continue
        warn(_log, "capture_file_missing", exam=exam, uid=uid)
        spool.captures.set_problem(uid, "file-missing", "The files of this picture are not on the disk any more.")


def _has_files(spool: Spool, exam: str, uid: str) -> bool:
    layout = spool.layout
    if not layout.sidecar(exam, uid).exists():
        return False
    if _is_object(spool, exam, uid):
        return True
    try:
        if layout.media(exam, spool.captures.get(uid).capture.media).exists():
            return True
    except (NotFound, SpoolDamaged):  # erased since, or its row is damaged: that is no lost file
        return True
    return _is_object(spool, exam, uid)  # forward sealed it between the two looks


def _is_object(spool: Spool, exam: str, uid: str) -> bool:
    return spool.layout.object(exam, uid).exists() or spool.layout.purged(exam, uid).exists()
