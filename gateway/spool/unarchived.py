"""What would be lost with this box: pictures that no archive has, or has not been proven to have. Looks only."""

from collections.abc import Collection
from dataclasses import dataclass

from gateway.spool.audit_sent import AuditSent
from gateway.spool.spool import Spool


@dataclass(frozen=True, kw_only=True, slots=True)
class Unarchived:
    """Pictures are counted each once; what a person took out of its exam is none."""

    nowhere: int  # not sent: they wait, are held, or no object was made of them
    unproven: int  # sent, and no archive said that it keeps them
    audit: int  # lines of the audit file that nobody elsewhere has


def of(spool: Spool, *, media: Collection[str], audited: bool) -> Unarchived:
    """Count. `media`: destinations that are sticks and so no archive; `audited`: somebody takes the lines."""
    marks = ", ".join("?" * len(media))
    lacks = (
        "(NOT EXISTS (SELECT 1 FROM object AS o WHERE o.capture = c.sop_instance_uid) OR "  # noqa: S608 - marks only
        "EXISTS (SELECT 1 FROM object AS o WHERE o.capture = c.sop_instance_uid AND NOT EXISTS "
        "(SELECT 1 FROM delivery AS d WHERE d.sop_instance_uid = o.sop_instance_uid "
        f"AND d.destination NOT IN ({marks}) AND d.state IN ({{states}}))))"
    )
    with spool.database.read() as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE "  # noqa: S608 - marks and fixed words only
            + lacks.format(states="'sent', 'committed'")
            + ") AS nowhere, count(*) FILTER (WHERE "
            + lacks.format(states="'committed'")
            + ") AS unsafe FROM capture AS c WHERE c.purged = '' AND c.state <> 'rejected'",
            (*media, *media),
        ).fetchone()
    lines = AuditSent(path=spool.layout.audit_sent, audit=spool.audit, files=spool.files).left if audited else 0
    return Unarchived(nowhere=row["nowhere"], unproven=row["unsafe"] - row["nowhere"], audit=lines)
