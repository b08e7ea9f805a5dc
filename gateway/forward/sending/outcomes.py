"""What an answer makes of a delivery: sent, once more, held, or waiting with its destination.

The only place that decides that. What an answer means stands in gateway/net.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cached_property

from gateway.config.settings import Destination
from gateway.errors import DeliveryError, NeverAccepted, NotFound, ScopegateError, TryLater, WrongState
from gateway.forward import backoff
from gateway.forward.patience import Patience
from gateway.forward.sending import outgoing
from gateway.forward.sending.outage import Refusals, Verdict
from gateway.log import event, warn
from gateway.model import Delivery, DeliveryState
from gateway.net.store import StoreResult
from gateway.spool.queue.deliveries import WANTED
from gateway.spool.spool import Spool
from gateway.spool.states import Owner

_log = logging.getLogger(__name__)
# Settings that keep one kind of object out.
_OF_THE_OBJECT = frozenset({outgoing.NO_CONTEXT, "sop-class", *WANTED})
# The file is not what its record says, or is larger than the archive ever takes: no repetition mends that.
_AT_ONCE = frozenset({"object-mismatch", "too-large"})


class Outcomes:
    """Of one destination; `patience` is shared with its sender."""

    def __init__(self, *, spool: Spool, destination: Destination, patience: Patience) -> None:
        self._deliveries = spool.deliveries
        self._destinations = spool.destinations
        self._destination = destination
        self._patience = patience

    @cached_property
    def _refusals(self) -> Refusals:
        return Refusals(self._destinations.refused(self._destination.name))

    def sent(self, delivery: Delivery, result: StoreResult) -> None:
        self._patience.works()
        self._deliveries.move(
            delivery,
            DeliveryState.SENT,
            Owner.FORWARD,
            reason=result.warning,
            code="stored-with-warning" if result.warning else "",
            status=result.status,
        )
        event(
            _log,
            "object_sent",
            destination=delivery.destination,
            uid=delivery.sop_instance_uid,
            tries=delivery.attempts,
            status=result.status,
        )
        begun = self._refusals.begun
        held = self._refusals.taken(delivery.id)
        if begun:
            try:
                self._end_row(held)
            except BaseException:
                del self._refusals  # what the index has of the row still counts, and ends with the next success
                raise

    def _end_row(self, held: Sequence[int]) -> None:
        """End a row of refusals; of `held` goes again what is held for it still, not what a person held since."""
        name = self._destination.name
        marked = self._destinations.refused(name) if held else {}
        for each in held:
            with suppress(WrongState, NotFound):  # a person was faster
                if marked.get(each):
                    self._deliveries.release(each)
                    event(_log, "delivery_released_after_outage", destination=name, delivery=each)
        self._destinations.took(name)  # last: after a cut the next success lets go what this one did not

    def not_sent(self, delivery: Delivery, error: DeliveryError, *, in_doubt: bool) -> None:
        if isinstance(error, NeverAccepted) and error.code not in _AT_ONCE:
            self._refused(delivery, error, in_doubt=in_doubt)
        elif isinstance(error, NeverAccepted) or error.code in _OF_THE_OBJECT:
            if not self._refusals.outage:  # that it refuses this too is no sign that it is well
                self._patience.works()
            self.hold(delivery, error, in_doubt=in_doubt)
        else:
            # Longer than its destination: if this object is what breaks it, the others go first.
            wait = self._patience.hold_back(error) + backoff.behind(delivery.setbacks)
            self._later(delivery, wait, error, in_doubt=in_doubt)

    def hold(self, delivery: Delivery, error: ScopegateError, *, in_doubt: bool, refused: bool = False) -> None:
        warn(
            _log, "delivery_held", destination=delivery.destination, uid=delivery.sop_instance_uid, code=error.code
        )
        self._deliveries.move(
            delivery,
            DeliveryState.HELD,
            Owner.FORWARD,
            code=error.code,
            reason=f"{error.what} {error.action}",
            status=_status(error),
            in_doubt=in_doubt,
            refused=refused,
        )

    def _refused(self, delivery: Delivery, error: NeverAccepted, *, in_doubt: bool) -> None:
        verdict = self._refusals.refused(delivery.id)
        if verdict is Verdict.OUTAGE:
            wait = self._patience.hold_back(_outage(self._destination, error))
            self._later(delivery, wait + backoff.behind(delivery.setbacks), error, in_doubt=in_doubt, refused=True)
            return
        self._patience.works()
        if verdict is Verdict.HOLD:
            self.hold(delivery, error, in_doubt=in_doubt, refused=True)
        else:
            self._later(delivery, backoff.FIRST, error, in_doubt=in_doubt, refused=True)

    def _later(
        self,
        delivery: Delivery,
        wait: timedelta,
        error: DeliveryError,
        *,
        in_doubt: bool,
        refused: bool = False,
    ) -> None:
        self._deliveries.move(
            delivery,
            DeliveryState.QUEUED,
            Owner.FORWARD,
            wait_s=wait.total_seconds(),
            code=error.code,
            reason=error.what,
            status=error.status,
            in_doubt=in_doubt,
            set_back=True,
            refused=refused,
        )


def _outage(destination: Destination, last: NeverAccepted) -> TryLater:
    error = TryLater(
        f"The archive {destination.name} refused three different objects in a row. The last answer: {last.what}",
        code="outage",
        action="It is tried again by itself. Call IT: look at the archive and its log.",
    )
    error.status = last.status
    return error


def _status(error: ScopegateError) -> str:
    return error.status if isinstance(error, DeliveryError) else ""
