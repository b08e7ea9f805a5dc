"""What the forward process writes into the audit file about its own work. A full disk keeps it from none of it."""

import logging

from gateway.errors import SpoolError
from gateway.log import warn
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)


def note(spool: Spool, what: str, **details: str | int) -> None:
    """Write a line if the disk takes it."""
    try:
        spool.audit.note(what, by="forward", **details)
    except SpoolError as error:
        warn(_log, "audit_not_written", what=what, code=error.code)
