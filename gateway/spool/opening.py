"""Opening a spool: folders, schema, and a new index when the old one is missing or damaged."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import SpoolDamaged, SpoolError
from gateway.log import warn
from gateway.spool import database as databases
from gateway.spool import moving
from gateway.spool.disk.reserve import Reserve
from gateway.spool.disk.room import MB
from gateway.spool.erasure import erased
from gateway.spool.files import Files, locked
from gateway.spool.paths import Layout
from gateway.spool.processes import locks
from gateway.spool.queue.routing import Addressee
from gateway.spool.recovery import rebuild
from gateway.spool.recovery.captures import reconcile_rejections
from gateway.spool.recovery.exams import reconcile_exams
from gateway.spool.spool import Spool, assemble

_log = logging.getLogger(__name__)


def open_spool(
    root: Path,
    *,
    clock: Clock,
    files: Files | None = None,
    destinations: Sequence[Addressee] = (),
    checkpoints: bool = False,
    reserve_mb: int = 0,
    anew: bool = True,
) -> Spool:
    """Open the data folder, creating, migrating or rebuilding its index as needed; others wait meanwhile.

    `destinations` are those for which a rebuild holds deliveries, `reserve_mb` what pictures leave free, `anew`:
    see `erased.take_up`. Raises SpoolError.
    """
    files = files or Files()
    layout = Layout(root)
    _make_folders(files, root)
    Reserve(path=layout.reserve, wanted=0, files=files).ease()  # locks and the index's log need some room to begin
    with locked(layout.migration_lock):
        _make_folders(files, layout.exams)
        if not _sound(layout, clock=clock):
            _make_index(layout, clock=clock, files=files, destinations=destinations)
        spool = assemble(root, clock=clock, files=files, checkpoints=checkpoints, reserve_bytes=reserve_mb * MB)
        try:
            spool.database.migrate()
            erased.take_up(spool, anew=anew)  # before anybody looks: what is half erased is no exam any more
            with locked(layout.opening_lock):  # an exam whose row waits may yet be taken back
                reconcile_exams(spool)
            reconcile_rejections(spool)
            spool.sides.reconcile()
            spool.key_images.reconcile()
            moving.take_up(spool)
        except SpoolError:
            spool.close()
            raise
    return spool


def keep_index(spool: Spool, destinations: Sequence[Addressee]) -> None:
    """Make a new index when the present one is gone or was found damaged; the processes go on meanwhile."""
    if spool.layout.database.exists() and not spool.database.damaged:
        return
    try:
        with locked(spool.layout.migration_lock):
            if not _sound(spool.layout, clock=spool.clock):
                _make_index(spool.layout, clock=spool.clock, files=spool.files, destinations=destinations)
        spool.database.damaged = False
    except SpoolError as error:
        warn(_log, "index_not_made", code=error.code)


def rebuild_index(root: Path, *, clock: Clock, destinations: Sequence[Addressee]) -> int:
    """Put a new index in place of the present one; return how many exams it holds. Raises SpoolLocked."""
    layout = Layout(root)
    with locks.every_role(layout), locked(layout.migration_lock):
        if layout.database.exists():
            databases.move_aside(layout.database, f"before-rebuild-{clock.token(8)}")
        return _make_index(layout, clock=clock, files=Files(), destinations=destinations)


def _make_folders(files: Files, path: Path) -> None:
    """Create a folder and those above it, durably; another process may do the same at the same time."""
    missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    for folder in reversed(missing):
        with suppress(FileExistsError):
            files.make_folder(folder)


def _sound(layout: Layout, *, clock: Clock) -> bool:
    """Say whether there is a usable index; a damaged one is moved aside."""
    if not layout.database.exists():
        return False
    index = databases.Database(layout.database)
    try:
        index.check()
    except SpoolDamaged:
        index.close()
        databases.move_aside(layout.database, f"damaged-{clock.token(8)}")
        warn(_log, "index_moved_aside")
        return False
    finally:
        index.close()
    return True


def _make_index(layout: Layout, *, clock: Clock, files: Files, destinations: Sequence[Addressee]) -> int:
    """Fill a new index under another name, so that a cut in the middle leaves no half of one."""
    fresh = layout.database.with_name(layout.database.name + ".new")
    for path in sorted(layout.root.glob(fresh.name + "*")):
        files.remove(path)
    files.append(fresh).close()  # SQLite would create it without the group's right to write
    spool = assemble(layout.root, clock=clock, files=files, index=databases.Database(fresh, flushes=False))
    spool.database.migrate()
    count = rebuild.fill(spool, destinations)
    spool.database.settle()
    files.flush(fresh)
    for suffix in ("-wal", "-shm"):  # of an index that is gone: SQLite would play its log into the new one
        files.remove(layout.database.with_name(layout.database.name + suffix))
    files.rename(fresh, layout.database)
    return count
