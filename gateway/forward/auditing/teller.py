"""Sends the audit file's lines to the audit repository, in order, for ever. Delays nothing but itself."""

import logging
from collections.abc import Callable, Sequence

from gateway.config.settings import AuditRepository, Settings
from gateway.errors import DeliveryError
from gateway.forward.auditing.messages import Messages
from gateway.forward.patience import Patience, Pause
from gateway.log import event
from gateway.net import syslog
from gateway.net.syslog import AuditRecord
from gateway.spool.audit_sent import AuditSent
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_MOST = 100  # lines of one connection
NAME = "audit"

Tell = Callable[[Sequence[AuditRecord]], None]


def teller_of(settings: Settings, spool: Spool) -> "AuditTeller | None":
    """Return what sends to the configured repository, None when there is none."""
    if settings.audit is None:
        return None
    sent = AuditSent(path=spool.layout.audit_sent, audit=spool.audit, files=spool.files)
    tell = connector(settings.audit, our_host=settings.station.name)
    return AuditTeller(spool=spool, sent=sent, messages=Messages(spool=spool, settings=settings), tell=tell)


def connector(repository: AuditRepository, *, our_host: str) -> Tell:
    """Return what brings records to this repository."""
    peer = syslog.repository(repository)
    host = our_host.replace(" ", "-")  # RFC 5424 6.2.4: no spaces
    return lambda records: syslog.tell(peer, records, our_host=host)


class AuditTeller:
    """The repository. `pause` is None while it takes what it gets."""

    def __init__(self, *, spool: Spool, sent: AuditSent, messages: Messages, tell: Tell) -> None:
        self._sent = sent
        self._messages = messages
        self._tell = tell
        self._patience = Patience(NAME, clock=spool.clock)

    @property
    def pause(self) -> Pause | None:
        return self._patience.pause

    @property
    def left(self) -> int:
        """How many lines wait."""
        return self._sent.left

    def step(self) -> bool:
        """Send what waits; say whether there may be more to do now. Raises SpoolError."""
        if self._patience.left_s:
            return False
        lines = self._sent.waiting(_MOST)
        if not lines:
            return False
        try:
            self._tell([self._messages.of(line) for line in lines])
        except DeliveryError as error:
            self._patience.hold_back(error)
            return False
        self._sent.taken(lines[-1])
        self._patience.works()
        event(_log, "audit_sent", first=lines[0].number, last=lines[-1].number)
        return len(lines) == _MOST
