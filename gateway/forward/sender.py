"""Sends one destination's queue: one exam an association, one association at a time, for ever."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from gateway.clock import Moment
from gateway.config.settings import Destination
from gateway.dicom import transcode
from gateway.errors import (
    DeliveryError,
    NeedsConfiguration,
    NeverAccepted,
    ObjectError,
    ScopegateError,
    SpoolDamaged,
    TryLater,
)
from gateway.forward import backoff
from gateway.log import event, warn
from gateway.model import Delivery, DeliveryState, SealedObject
from gateway.net.store import StoreAssociation, StoreResult, Wanted
from gateway.spool.spool import Spool
from gateway.spool.states import Owner

_log = logging.getLogger(__name__)
_CAP_S = backoff.CONFIGURATION.total_seconds() * (1 + backoff.JITTER)
_NO_CONTEXT = "no-context"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """Why a destination gets nothing at present, since when, and when it is tried again (CLOCK_BOOTTIME, ns)."""

    error: DeliveryError
    since: Moment
    until_ns: int
    attempt: int


class Sender:
    """One destination. `pause` is None while it takes what it gets."""

    def __init__(self, *, spool: Spool, destination: Destination, our_ae: str) -> None:
        self._spool = spool
        self._destination = destination
        self._our_ae = our_ae
        self.pause: Pause | None = None

    def step(self) -> bool:
        """Send the ready objects of one exam; say whether there may be more to do now."""
        if self._pausing():
            return False
        batch = self._spool.deliveries.due(self._destination.name, cap_s=_CAP_S)
        if not batch:
            return False
        objects = [self._spool.objects.get(delivery.sop_instance_uid) for delivery in batch]
        try:
            with StoreAssociation(self._destination, our_ae=self._our_ae, wanted=_wanted(objects)) as association:
                for delivery, sealed in zip(batch, objects, strict=True):
                    if not association.usable or self._pausing():
                        break
                    self._deliver(association, delivery, sealed)
        except DeliveryError as error:
            self._refused_all(batch, error)
            return False
        return not self._pausing()

    # --- one object ---------------------------------------------------------------------------------------

    def _deliver(self, association: StoreAssociation, delivery: Delivery, sealed: SealedObject) -> None:
        claimed = self._claim(delivery)
        if claimed is None:
            return
        try:
            result = self._store(association, claimed, sealed)
        except TryLater as error:
            self._later(claimed, self._hold_back(error), error)
        except NeedsConfiguration as error:
            if error.code == _NO_CONTEXT:
                self._hold(claimed, error)
            else:
                self._later(claimed, self._hold_back(error), error)
        except NeverAccepted as error:
            self._refused(claimed, error)
        except (ObjectError, SpoolDamaged) as error:
            self._hold(claimed, error)
        else:
            self._sent(claimed, result)

    def _store(self, association: StoreAssociation, delivery: Delivery, sealed: SealedObject) -> StoreResult:
        accepted = association.accepted(sealed.sop_class_uid)
        path = self._spool.objects.path(sealed)
        syntax = sealed.transfer_syntax_uid
        source = path
        if syntax not in accepted and accepted and not sealed.lossy:
            syntax = accepted[0]
            content = b"".join(transcode.uncompressed(path, syntax))
            source = content  # type: ignore[assignment]
        return association.store(
            source,
            sop_class_uid=sealed.sop_class_uid,
            sop_instance_uid=sealed.sop_instance_uid,
            transfer_syntax_uid=syntax,
            sent_before=delivery.attempts > 1,
        )

    def _claim(self, delivery: Delivery) -> Delivery | None:
        """Move a delivery to `sending`, or return None when a person took it back meanwhile."""
        moved = self._spool.deliveries.move(
            delivery, DeliveryState.SENDING, Owner.FORWARD, attempts=delivery.attempts + 1, code=delivery.code
        )
        return self._spool.deliveries.get(delivery.id) if moved else None

    def _sent(self, delivery: Delivery, result: StoreResult) -> None:
        self.pause = None
        self._spool.deliveries.move(
            delivery,
            DeliveryState.SENT,
            Owner.FORWARD,
            reason=result.warning,
            code="stored-with-warning" if result.warning else "",
            status=result.status,
        )
        event(_log, "object_sent", destination=delivery.destination, uid=delivery.sop_instance_uid)

    def _refused(self, delivery: Delivery, error: NeverAccepted) -> None:
        """Try once more what was refused for itself; the second time it waits for a person. Others go on."""
        if delivery.code == error.code:
            self._hold(delivery, error)
        else:
            self._later(delivery, backoff.FIRST, error)

    def _hold(self, delivery: Delivery, error: ScopegateError) -> None:
        warn(
            _log, "delivery_held", destination=delivery.destination, uid=delivery.sop_instance_uid, code=error.code
        )
        self._spool.deliveries.move(delivery, DeliveryState.HELD, Owner.FORWARD, code=error.code, reason=error.what)

    def _later(self, delivery: Delivery, wait: timedelta, error: DeliveryError) -> None:
        self._spool.deliveries.move(
            delivery,
            DeliveryState.QUEUED,
            Owner.FORWARD,
            wait_s=wait.total_seconds(),
            code=error.code,
            reason=error.what,
        )

    # --- the destination ----------------------------------------------------------------------------------

    def _refused_all(self, batch: list[Delivery], error: DeliveryError) -> None:
        """Nothing can be sent: an object that nobody takes is held, everything else waits with the destination."""
        if error.code == _NO_CONTEXT:
            for delivery in batch:
                if claimed := self._claim(delivery):
                    self._hold(claimed, error)
            return
        wait = self._hold_back(error)
        for delivery in batch:
            if claimed := self._claim(delivery):
                self._later(claimed, wait, error)

    def _hold_back(self, error: DeliveryError) -> timedelta:
        """Pause the destination, longer each time, and return for how long."""
        attempt = self.pause.attempt + 1 if self.pause else 1
        plain = backoff.CONFIGURATION if isinstance(error, NeedsConfiguration) else backoff.delay_before(attempt)
        wait = plain * self._spool.clock.jitter(backoff.JITTER)
        now = self._spool.clock.now()
        self.pause = Pause(
            error=error,
            since=self.pause.since if self.pause else now,
            until_ns=now.boottime_ns + int(wait.total_seconds() * 1e9),
            attempt=attempt,
        )
        warn(
            _log,
            "destination_paused",
            destination=self._destination.name,
            code=error.code,
            attempt=attempt,
            seconds=round(wait.total_seconds()),
        )
        return wait

    def _pausing(self) -> bool:
        if self.pause is None or self._spool.clock.boottime_ns() >= self.pause.until_ns:
            return False
        return not self._spool.deliveries.asked_again(self._destination.name)


def _wanted(objects: Iterable[SealedObject]) -> list[Wanted]:
    return [
        Wanted(sop_class_uid=o.sop_class_uid, transfer_syntax_uid=o.transfer_syntax_uid, lossy=o.lossy)
        for o in objects
    ]
