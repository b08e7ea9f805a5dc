"""Who looked at an exam over the network, and who took a picture's file away: lines of the audit file.

Decides when that is said once more; keeps nobody from a picture, also when the disk takes no line.
"""

import logging
import threading

from starlette.requests import HTTPConnection, Request

from gateway.errors import SpoolError
from gateway.log import warn
from gateway.model import Capture
from gateway.panel.people.roles import Door, caller_of
from gateway.spool.audit import Audit

_log = logging.getLogger(__name__)
_MOST = 4000  # things said that are remembered; what was forgotten is said again
_PLAYER = "video"  # the form that a page plays, and its Sec-Fetch-Dest (Fetch Metadata)


class Looks:
    """What was said of whom. Its calls block: they run in a thread."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._said: dict[tuple[str, ...], None] = {}  # the oldest first
        self._lock = threading.Lock()

    def at(self, connection: HTTPConnection, exam: str) -> None:
        """Note that somebody of the network sees an exam, once a session. At the box looking is the work."""
        if caller_of(connection.scope).door is Door.LAN:
            self._once(connection, "exam-looked-at", exam=exam)

    def taken(self, request: Request, capture: Capture, form: str) -> None:
        """Note that a picture's file is handed out as `form`, before its first byte is.

        A part of it is noted once a session: whoever asks for one part asks for a hundred.
        """
        if request.method == "HEAD":
            return
        if form == request.headers.get("sec-fetch-dest") == _PLAYER:
            self.at(request, capture.exam)
            return
        note = self._once if "range" in request.headers else self._note
        note(request, "capture-downloaded", exam=capture.exam, capture=capture.sop_instance_uid, form=form)

    def _once(self, connection: HTTPConnection, what: str, **details: str) -> None:
        """Note what this session did not do before, as far as is remembered; what was not written comes again."""
        key = (caller_of(connection.scope).session, what, *details.values())
        with self._lock:
            if key in self._said:
                return
            self._said[key] = None
            if len(self._said) > _MOST:
                del self._said[next(iter(self._said))]
        if not self._note(connection, what, **details):
            with self._lock:
                self._said.pop(key, None)

    def _note(self, connection: HTTPConnection, what: str, **details: str) -> bool:
        """Say whether the line is on the disk."""
        caller = caller_of(connection.scope)
        who = {"person": caller.person} if caller.person else {}
        try:
            self._audit.note(what, by="panel", **who, **details, door=caller.door, address=caller.address)
        except SpoolError as error:  # the pictures of a full box can be seen, and fetched, all the same
            warn(_log, "audit_not_written", what=what, code=error.code)
            return False
        return True
