"""Writes one media destination's queue whenever its medium is there. Sent = read back, and in the DICOMDIR.

Not a Channel: an object is on a medium only when the DICOMDIR names it, so a batch has one answer.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gateway.config.settings import Destination
from gateway.errors import (
    MediaAbsent,
    MediaError,
    NeverAccepted,
    ObjectError,
    ScopegateError,
    SpoolDamaged,
)
from gateway.forward import backoff
from gateway.forward.leases import Leases
from gateway.forward.media.forms import Item
from gateway.forward.media.medium import Capacity, capacity, is_mounted
from gateway.forward.media.writer import Writing
from gateway.forward.patience import Patience, Pause
from gateway.forward.sending import outgoing
from gateway.log import event, warn
from gateway.model import Delivery, DeliveryState
from gateway.spool.files import Files
from gateway.spool.spool import Spool
from gateway.spool.states import Owner

_log = logging.getLogger(__name__)
_CAP_S = (backoff.CONFIGURATION * (1 + backoff.JITTER) + backoff.FIRST).total_seconds()  # no wait is longer
_EXPLAIN_S = 60.0  # between two looks at what came to wait while there is no medium
Claimed = list[tuple[Delivery, Item]]


class MediaSender:
    """One media destination. `pause`: why nothing is written at present; a medium that is away is no failure."""

    def __init__(
        self,
        *,
        spool: Spool,
        destination: Destination,
        stop: threading.Event | None = None,
        files: Files | None = None,
        present: Callable[[Path, Path], bool] = is_mounted,
    ) -> None:
        self._spool = spool
        self._destination = destination
        self._stop = stop or threading.Event()
        self._files = files or Files()
        self._present = present
        self._patience = Patience(destination.name, clock=spool.clock)
        self._absent: Pause | None = None
        self.capacity: Capacity | None = None  # of the medium, as seen last; None while there is none
        self._explain_ns = 0
        self._leases = Leases(lambda: spool.deliveries.forget_leases(destination.name))

    @property
    def pause(self) -> Pause | None:
        return self._absent or self._patience.pause

    def step(self) -> bool:
        """Write the ready objects of one exam; say whether there may be more to do now.

        Raises SpoolError when the index cannot be read or written; what was on its way then goes again.
        """
        if self._waiting():
            return False
        with self._leases.kept():
            return self._write_one_exam()

    def _waiting(self) -> bool:
        """Say whether there is nothing to write on, or a pause; a medium that comes back ends a pause."""
        if not self._present(self._destination.folder, self._spool.layout.root):
            self.capacity = None
            self._note_absent()
            return True
        self.capacity = capacity(self._destination.folder)
        if self._absent:
            event(_log, "medium_is_there", destination=self._destination.name)
            self._absent, self._explain_ns = None, 0
            self._patience.try_now()
            self._spool.deliveries.retry(destination=self._destination.name)  # it may be another one
        return self._patience.waits(lambda: self._spool.deliveries.take_asked(self._destination.name))

    def _note_absent(self) -> None:
        error = MediaAbsent(f"No medium is mounted at {self._destination.folder}.")
        if self._absent is None:
            event(_log, "medium_is_away", destination=self._destination.name)
            now = self._spool.clock.now()
            self._absent = Pause(error=error, since=now, until_ns=now.boottime_ns, attempt=0)
        if self._spool.clock.boottime_ns() >= self._explain_ns:
            self._explain_ns = self._spool.clock.boottime_ns() + int(_EXPLAIN_S * 1e9)
            self._spool.deliveries.explain_waiting(self._destination.name, code=error.code, reason=error.what)

    def _write_one_exam(self) -> bool:
        batch = self._spool.deliveries.due(self._destination.name, cap_s=_CAP_S)
        if not batch:
            if self._patience.pause and self._spool.deliveries.next_attempt_ns(self._destination.name) is None:
                self._patience.forget()
            return False
        claimed = self._claim(batch)
        try:
            written = self._written(claimed)
        except MediaError as error:
            stopped = self._stop.is_set()
            # Longer than its destination: what fits goes before an exam that does not.
            wait_s = 0.0 if stopped else (self._patience.hold_back(error) + backoff.FIRST).total_seconds()
            for delivery, _ in claimed:
                self._later(delivery, error, wait_s=wait_s)
            return False
        for delivery in written:
            self._spool.deliveries.move(delivery, DeliveryState.SENT, Owner.FORWARD)
            event(_log, "object_sent", destination=delivery.destination, uid=delivery.sop_instance_uid)
        if written:
            self._patience.works()
            name = self._destination.name
            self._spool.audit.note("exported", by="forward", exam=batch[0].exam, objects=len(written), to=name)
        return not self._stop.is_set()

    def _claim(self, batch: Sequence[Delivery]) -> Claimed:
        """Move deliveries to `sending`, without those that a person took back meanwhile."""
        claimed = []
        for delivery in batch:
            attempts = delivery.attempts + 1
            moved = self._spool.deliveries.move(delivery, DeliveryState.SENDING, Owner.FORWARD, attempts=attempts)
            if moved:
                sealed = self._spool.objects.get(delivery.sop_instance_uid)
                item = Item(sealed=sealed, path=self._spool.objects.path(sealed))
                claimed.append((replace(delivery, state=DeliveryState.SENDING, attempts=attempts), item))
        return claimed

    def _written(self, claimed: Claimed) -> list[Delivery]:
        """Write what can be written and return it, read back; hold what cannot for itself. Raises MediaError."""
        written = []
        items = [item for _, item in claimed]
        with Writing(
            self._destination.folder, items, files=self._files, clock=self._spool.clock, stop=self._stop
        ) as writing:
            for delivery, item in list(claimed):
                try:
                    outgoing.check_size(item.sealed, self._destination)
                    writing.put(item)
                except (NeverAccepted, ObjectError, SpoolDamaged) as error:
                    self._hold(delivery, error)
                    claimed.remove((delivery, item))
                else:
                    written.append(delivery)
            if written:
                writing.finish()
        return written

    def _hold(self, delivery: Delivery, error: ScopegateError) -> None:
        uid = delivery.sop_instance_uid
        warn(_log, "delivery_held", destination=delivery.destination, uid=uid, code=error.code)
        reason = f"{error.what} {error.action}"
        self._spool.deliveries.move(delivery, DeliveryState.HELD, Owner.FORWARD, code=error.code, reason=reason)

    def _later(self, delivery: Delivery, error: MediaError, *, wait_s: float) -> None:
        self._spool.deliveries.move(
            delivery,
            DeliveryState.QUEUED,
            Owner.FORWARD,
            wait_s=wait_s,
            code=error.code,
            reason=error.what,
            set_back=wait_s > 0,
        )
