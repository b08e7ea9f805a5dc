"""Sends one destination's queue: one exam an association, one association at a time, for ever.

The only place that decides what an answer makes of a delivery. What an answer means stands in gateway/net.
"""

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from gateway.config.settings import Destination
from gateway.errors import (
    DeliveryError,
    NeverAccepted,
    ObjectError,
    ScopegateError,
    SpoolDamaged,
    TryLater,
    WrongState,
)
from gateway.forward import backoff
from gateway.forward.leases import Leases
from gateway.forward.patience import Patience, Pause
from gateway.forward.sending import outgoing, turns
from gateway.forward.sending.channel import Channel, Connect
from gateway.forward.sending.outage import Refusals, Verdict
from gateway.log import event, warn
from gateway.model import Delivery, DeliveryState, SealedObject
from gateway.net.store import StoreResult, Wanted
from gateway.spool.spool import Spool
from gateway.spool.states import Owner

_log = logging.getLogger(__name__)
_CAP_S = (backoff.CONFIGURATION * (1 + backoff.JITTER) + backoff.CAP).total_seconds()  # no wait is longer
_OF_THE_OBJECT = frozenset({outgoing.NO_CONTEXT, "sop-class"})  # settings that keep one kind of object out
# The file is not what its record says, or is larger than the archive ever takes: no repetition mends that.
_AT_ONCE = frozenset({"object-mismatch", "too-large"})
_NOBODY_THERE = "unreachable"  # says nothing about what was to be sent: the order stays


class Sender:
    """One destination. `pause` is None while it takes what it gets."""

    def __init__(
        self,
        *,
        spool: Spool,
        destination: Destination,
        connect: Connect,
        stop: threading.Event | None = None,
        turn_bytes: int = turns.MOST_BYTES,
    ) -> None:
        self._spool = spool
        self._destination = destination
        self._connect = connect
        self._stop = stop or threading.Event()
        self._refusals = Refusals()
        self._patience = Patience(destination.name, clock=spool.clock)
        self._turns = turns.Turns()
        self._turn_bytes = turn_bytes
        self._known_forms: dict[tuple[str, str], bool] = {}
        self._leases = Leases(lambda: spool.deliveries.forget_leases(destination.name))

    @property
    def pause(self) -> Pause | None:
        return self._patience.pause

    def step(self) -> bool:
        """Send the ready objects of one exam; say whether there may be more to do now.

        Raises SpoolError when the index cannot be read or written; what was on its way then goes again.
        """
        if self._patience.waits(lambda: self._spool.deliveries.take_asked(self._destination.name)):
            return False
        with self._leases.kept():
            return self._send_one_exam()

    def _send_one_exam(self) -> bool:
        batch = self._next()
        if not batch:
            if self.pause and self._spool.deliveries.next_attempt_ns(self._destination.name) is None:
                self._patience.forget()
            return False
        exam = batch[0].exam
        objects = [self._spool.objects.get(delivery.sop_instance_uid) for delivery in batch]
        left = list(zip(batch, objects, strict=True))
        to_blame = False
        try:
            with self._connect(_wanted(objects)) as channel:
                if channel.usable:
                    self._learn(objects, channel)
                    self._send_some(channel, left)
                if len(left) == len(batch) and not channel.usable:
                    raise TryLater(
                        f"The archive {self._destination.name} closed the connection at once.", code="dropped"
                    )
                self._turns.took(exam, interrupted=bool(left))
        except DeliveryError as error:  # no association: an object that nobody takes is held, the others wait
            if error.code == outgoing.NO_CONTEXT:
                self._learn(objects, None)
                self._hold_all(left)
            else:
                to_blame = error.code != _NOBODY_THERE and self._turns.failed(exam)
                self._patience.hold_back(error)
        if self.pause and self._patience.left_s:
            self._postpone([delivery for delivery, _ in left], self.pause, to_blame=to_blame)
            return False
        return not self._stop.is_set()

    def _next(self) -> list[Delivery]:
        return self._spool.deliveries.due(
            self._destination.name,
            cap_s=_CAP_S,
            today_ns=turns.today_ns(self._spool.clock.now()),
            first=self._turns.line,
            but_not=self._turns.passed_over,
        )

    def _learn(self, objects: Sequence[SealedObject], channel: Channel | None) -> None:
        """Note which sealed forms the destination takes, where that is not known yet; None = nothing of them."""
        forms = {(each.sop_class_uid, each.transfer_syntax_uid) for each in objects}
        taken = {form: channel is not None and form[1] in channel.accepted(form[0]) for form in forms}
        if new := {form: yes for form, yes in taken.items() if self._known_forms.get(form) is not yes}:
            self._spool.destinations.learn(self._destination.name, new)
            self._known_forms.update(new)

    def _send_some(self, channel: Channel, left: list[tuple[Delivery, SealedObject]]) -> None:
        """Send what is `left` of an exam, until its turn is over; what was tried is taken out of `left`."""
        sent = 0
        while left and channel.usable and not self._patience.left_s and not self._stop.is_set():
            if sent >= self._turn_bytes:
                return
            delivery, sealed = left.pop(0)
            self._deliver(channel, delivery, sealed)
            sent += sealed.bytes

    # --- one object ---------------------------------------------------------------------------------------

    def _deliver(self, channel: Channel, delivery: Delivery, sealed: SealedObject) -> None:
        claimed = self._claim(delivery)
        if claimed is None:
            return
        try:
            form = outgoing.prepare(
                self._spool.objects.path(sealed),
                sealed,
                accepted=channel.accepted(sealed.sop_class_uid),
                destination=self._destination,
            )
        except (DeliveryError, ObjectError, SpoolDamaged) as error:
            self._spool.files.blame(error, self._spool.layout.probe(f"send-{self._destination.name}"))
            self._hold(claimed, error, in_doubt=delivery.in_doubt)
            return
        try:
            result = channel.store(
                form.source,
                sop_class_uid=sealed.sop_class_uid,
                sop_instance_uid=sealed.sop_instance_uid,
                transfer_syntax_uid=form.transfer_syntax_uid,
                sent_before=delivery.in_doubt,
            )
        except DeliveryError as error:
            # An answer tells that it was not stored now; without one nobody knows.
            known = error.nothing_left or bool(error.status)
            self._not_sent(claimed, error, in_doubt=delivery.in_doubt or not known)
        except SpoolDamaged as error:
            self._spool.files.blame(error, self._spool.layout.probe(f"send-{self._destination.name}"))
            self._hold(claimed, error, in_doubt=delivery.in_doubt)
        else:
            self._sent(claimed, result)

    def _claim(self, delivery: Delivery) -> Delivery | None:
        """Move a delivery to `sending`, or return None when a person took it back meanwhile."""
        attempts = delivery.attempts + 1
        moved = self._spool.deliveries.move(
            delivery, DeliveryState.SENDING, Owner.FORWARD, attempts=attempts, in_doubt=True
        )
        return replace(delivery, state=DeliveryState.SENDING, attempts=attempts, in_doubt=True) if moved else None

    def _sent(self, delivery: Delivery, result: StoreResult) -> None:
        self._patience.works()
        self._spool.deliveries.move(
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
        for held in self._refusals.taken(delivery.id):
            with suppress(WrongState):  # a person was faster
                self._spool.deliveries.release(held)
                event(_log, "delivery_released_after_outage", destination=delivery.destination, delivery=held)

    def _not_sent(self, delivery: Delivery, error: DeliveryError, *, in_doubt: bool) -> None:
        if isinstance(error, NeverAccepted) and error.code not in _AT_ONCE:
            self._refused(delivery, error, in_doubt=in_doubt)
        elif isinstance(error, NeverAccepted) or error.code in _OF_THE_OBJECT:
            self._patience.works()
            self._hold(delivery, error, in_doubt=in_doubt)
        else:
            # Longer than its destination: if this object is what breaks it, the others go first.
            wait = self._patience.hold_back(error) + backoff.behind(delivery.setbacks)
            self._later(delivery, wait, error, in_doubt=in_doubt)

    def _refused(self, delivery: Delivery, error: NeverAccepted, *, in_doubt: bool) -> None:
        verdict = self._refusals.refused(delivery.id)
        if verdict is Verdict.OUTAGE:
            wait = self._patience.hold_back(_outage(self._destination, error))
            self._later(delivery, wait + backoff.behind(delivery.setbacks), error, in_doubt=in_doubt)
            return
        self._patience.works()
        if verdict is Verdict.HOLD:
            self._hold(delivery, error, in_doubt=in_doubt)
        else:
            self._later(delivery, backoff.FIRST, error, in_doubt=in_doubt)

    def _hold(self, delivery: Delivery, error: ScopegateError, *, in_doubt: bool) -> None:
        warn(
            _log, "delivery_held", destination=delivery.destination, uid=delivery.sop_instance_uid, code=error.code
        )
        self._spool.deliveries.move(
            delivery,
            DeliveryState.HELD,
            Owner.FORWARD,
            code=error.code,
            reason=f"{error.what} {error.action}",
            status=_status(error),
            in_doubt=in_doubt,
        )

    def _later(self, delivery: Delivery, wait: timedelta, error: DeliveryError, *, in_doubt: bool) -> None:
        self._spool.deliveries.move(
            delivery,
            DeliveryState.QUEUED,
            Owner.FORWARD,
            wait_s=wait.total_seconds(),
            code=error.code,
            reason=error.what,
            status=error.status,
            in_doubt=in_doubt,
            set_back=True,
        )

    # --- the destination ----------------------------------------------------------------------------------

    def _postpone(self, deliveries: Sequence[Delivery], pause: Pause, *, to_blame: bool) -> None:
        """Say with every object of the exam why it waits; if they are to blame, let all others go before them."""
        error, wait_s = pause.error, self._patience.left_s
        if to_blame:
            wait_s += backoff.behind(max((d.setbacks for d in deliveries), default=0)).total_seconds()
        self._spool.deliveries.postpone(
            deliveries, wait_s=wait_s, code=error.code, reason=error.what, status=error.status, set_back=to_blame
        )

    def _hold_all(self, left: Sequence[tuple[Delivery, SealedObject]]) -> None:
        for delivery, sealed in left:
            if claimed := self._claim(delivery):
                self._hold(claimed, outgoing.no_context(sealed, self._destination), in_doubt=delivery.in_doubt)
        self._patience.works()


def _wanted(objects: Sequence[SealedObject]) -> list[Wanted]:
    return [
        Wanted(
            sop_class_uid=o.sop_class_uid,
            transfer_syntax_uid=o.transfer_syntax_uid,
            lossy=not o.may_go_uncompressed,
        )
        for o in objects
    ]


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
