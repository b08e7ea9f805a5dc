"""What a cut interrupted after a seal: rows that are missing, media that is there twice."""

import logging
import sqlite3
from collections.abc import Sequence

from gateway.errors import NotFound, SpoolDamaged
from gateway.log import event, warn
from gateway.model import SealedObject
from gateway.spool import records
from gateway.spool.files import PART, sha256_of
from gateway.spool.paths import (
    DAMAGED,
    KEY_STILLS,
    MARKS,
    OBJECT,
    SEAL,
    SIDECAR,
)
from gateway.spool.purging import Purging
from gateway.spool.queue import routing
from gateway.spool.queue.routing import Addressee
from gateway.spool.recovery.reading import record_bytes
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)


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
                _enter(spool, records.load(SealedObject, record_bytes(spool, path)), destinations)
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


def _drop_doubled_media(spool: Spool) -> None:
    """Remove media whose sealed object holds the same pictures: one copy on the disk."""
    with spool.database.read() as connection:
        sealed = {row["capture"] for row in connection.execute("SELECT capture FROM object")}
    kept = (OBJECT, SEAL, SIDECAR, *MARKS, PART, DAMAGED)
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
