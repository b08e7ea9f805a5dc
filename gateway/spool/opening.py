"""Opening a spool: folders, schema, and a new index when the old one is missing or damaged."""

import logging
from collections.abc import Sequence
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import SpoolDamaged
from gateway.log import warn
from gateway.spool import database as databases
from gateway.spool import locks, rebuild, recovery
from gateway.spool.files import Files, locked
from gateway.spool.paths import Layout
from gateway.spool.spool import Spool, assemble

_log = logging.getLogger(__name__)


def open_spool(
    root: Path,
    *,
    clock: Clock,
    files: Files | None = None,
    destinations: Sequence[str] = (),
    checkpoints: bool = False,
) -> Spool:
    """Open the data folder, creating, migrating or rebuilding its index as needed; others wait meanwhile.

    `destinations` are the names for which a rebuild holds deliveries. Raises SpoolError.
    """
    files = files or Files()
    layout = Layout(root)
    root.mkdir(parents=True, exist_ok=True)
    if not layout.exams.is_dir():
        files.make_folder(layout.exams)
    with locked(layout.migration_lock):
        if not _sound(layout, clock=clock):
            _make_index(layout, clock=clock, destinations=destinations)
        spool = assemble(root, clock=clock, files=files, checkpoints=checkpoints)
        spool.database.migrate()
        recovery.reconcile_exams(spool)
    return spool


def rebuild_index(root: Path, *, clock: Clock, destinations: Sequence[str]) -> int:
    """Put a new index in place of the present one; return how many exams it holds. Raises SpoolLocked."""
    layout = Layout(root)
    with locks.every_role(layout), locked(layout.migration_lock):
        if layout.database.exists():
            databases.move_aside(layout.database, f"before-rebuild-{clock.token(8)}")
        return _make_index(layout, clock=clock, destinations=destinations)


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
    index.close()
    return True


def _make_index(layout: Layout, *, clock: Clock, destinations: Sequence[str]) -> int:
    """Fill a new index under another name, so that a cut in the middle leaves no half of one."""
    fresh = layout.database.with_name(layout.database.name + ".new")
    for path in layout.root.glob(fresh.name + "*"):
        path.unlink()
    spool = assemble(layout.root, clock=clock, files=Files(), index=fresh)
    spool.database.migrate()
    count = rebuild.fill(spool, destinations)
    spool.database.settle()
    spool.files.rename(fresh, layout.database)
    return count
