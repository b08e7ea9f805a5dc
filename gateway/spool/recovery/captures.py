"""The files of pictures against their rows, when a process starts: entered, taken away, or missed aloud."""

import logging
import sqlite3
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gateway.errors import DiskFailed, NotFound, SpoolDamaged
from gateway.log import event, warn
from gateway.model import Capture, CaptureState
from gateway.spool import records
from gateway.spool.files import PART, locked
from gateway.spool.paths import (
    DAMAGED,
    FILM,
    FRAMES,
    INDEX,
    KEY_STILLS,
    MARKS,
    OBJECT,
    SEAL,
    SIDECAR,
    SUMS,
    TOMBSTONE,
)
from gateway.spool.recovery.clips import salvage_clips
from gateway.spool.recovery.reading import record_bytes
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)


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


def recover_captures(spool: Spool) -> None:
    """Put every exam's captures right. Only the capture process may call this, before its first press."""
    with spool.database.read() as connection:
        rows = connection.execute("SELECT id FROM exam").fetchall()
        known = {row[0] for row in connection.execute("SELECT sop_instance_uid FROM capture")}
    recording = {uid for _, uid in spool.captures.recording()}
    for row in rows:
        folder = spool.layout.exam(row["id"])
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        salvage_clips(spool, row["id"], names)
        _adopt_sidecars(spool, row["id"], names, known - recording)
        try:
            with locked(spool.layout.exam_lock(row["id"])):  # nobody moves into it, or erases it
                _remove_leftovers(spool, folder, {path.name for path in folder.iterdir()}, known - recording)
        except NotFound:
            pass
        except DiskFailed as error:  # they harm nobody
            warn(_log, "leftovers_stay", exam=row["id"], code=error.code)
    _settle_rows(spool)


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


def _adopt_sidecars(spool: Spool, exam: str, names: set[str], known: set[str]) -> None:
    for name in sorted(names):
        uid = name.removesuffix(SIDECAR)
        if name in {uid, "exam.json"} or (uid in known and uid + SEAL in names):
            continue
        try:
            capture = records.load(Capture, record_bytes(spool, spool.layout.sidecar(exam, uid)))
        except SpoolDamaged:
            if not spool.layout.sidecar(exam, uid).exists():
                continue  # moved, or erased, since the look
            warn(_log, "sidecar_damaged", exam=exam, uid=uid)
            if uid in known:
                _restore_sidecar(spool, exam, uid)
            continue
        if uid not in known:
            adopt_capture(spool, capture)


def _restore_sidecar(spool: Spool, exam: str, uid: str) -> None:
    """Write a damaged sidecar anew from its row: the next rebuild has only the files."""
    path = spool.layout.sidecar(exam, uid)
    spool.files.rename(path, path.with_name(path.name + DAMAGED))
    spool.captures.write_sidecar(replace(spool.captures.get(uid).capture, state=CaptureState.SAVED))
    event(_log, "sidecar_restored", exam=exam, uid=uid)


def _remove_leftovers(spool: Spool, folder: Path, names: set[str], known: set[str]) -> None:
    """Remove what was never acknowledged: half-written files of this process, and media without sidecar or row."""
    others = (OBJECT, SEAL, *MARKS, FRAMES, INDEX, FILM, DAMAGED, SUMS, ".lock", "exam.json")
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
