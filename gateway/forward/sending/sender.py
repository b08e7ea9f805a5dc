"""Sends one destination's queue: one exam an association, one association at a time, for ever.

What an answer makes of a delivery stands in `outcomes`.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace

from gateway.clock import Stopwatch
from gateway.config.settings import Destination
from gateway.errors import DeliveryError, ObjectError, SpoolDamaged, TryLater
from gateway.forward import backoff, noting
from gateway.forward.leases import Leases
from gateway.forward.patience import Patience, Pause
from gateway.forward.sending import outgoing, turns
from gateway.forward.sending.channel import Channel, Connect
from gateway.forward.sending.forms import Forms
from gateway.forward.sending.outcomes import Outcomes
from gateway.forward.sending.pace import Pace
from gateway.model import Delivery, DeliveryState, SealedObject
from gateway.spool.spool import Spool
from gateway.spool.states import Owner

_CAP_S = (backoff.CONFIGURATION * (1 + backoff.JITTER) + backoff.CAP).total_seconds()  # no wait is longer
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
        self._patience = Patience(destination.name, clock=spool.clock)
        self._outcomes = Outcomes(spool=spool, destination=destination, patience=self._patience)
        self._turns = turns.Turns()
        self._turn_bytes = turn_bytes
        self._forms = Forms(spool.destinations, destination.name)
        self._leases = Leases(lambda: spool.deliveries.forget_leases(destination.name))
        self._took = 0  # objects of this association
        self.pace = Pace()

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
        wanted = [outgoing.wanted(each, self._destination) for each in objects]
        to_blame = False
        try:
            with self._connect(wanted) as channel:
                if channel.usable:
                    self._forms.offered(wanted, channel.accepted)
                    try:
                        self._send_some(channel, left)
                    finally:
                        self._note(exam)
                if len(left) == len(batch) and not channel.usable:
                    raise TryLater(
                        f"The archive {self._destination.name} closed the connection at once.", code="dropped"
                    )
                self._turns.took(exam, interrupted=bool(left))
        except DeliveryError as error:  # no association: an object that nobody takes is held, the others wait
            if error.code == outgoing.NO_CONTEXT:
                self._forms.offered(wanted, lambda _: ())
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

    def _note(self, exam: str) -> None:
        """Write down what this association brought there."""
        if self._took:
            noting.note(self._spool, "objects-sent", exam=exam, to=self._destination.name, count=self._took)

    def _send_some(self, channel: Channel, left: list[tuple[Delivery, SealedObject]]) -> None:
        """Send what is `left` of an exam, until its turn is over; what was tried is taken out of `left`."""
        sent = self._took = 0
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
        watch = Stopwatch(self._spool.clock)
        try:
            form = outgoing.prepare(
                self._spool.objects.path(sealed),
                sealed,
                accepted=channel.accepted(sealed.sop_class_uid),
                destination=self._destination,
            )
        except (DeliveryError, ObjectError, SpoolDamaged) as error:
            self._spool.files.blame(error, self._spool.layout.probe(f"send-{self._destination.name}"))
            self._outcomes.hold(claimed, error, in_doubt=delivery.in_doubt)
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
            if error.code in outgoing.OF_THE_FORM:
                self._forms.answered(sealed.sop_class_uid, form.transfer_syntax_uid, taken=False)
            meant = outgoing.of_the_clip(error, sealed, self._destination)
            self._outcomes.not_sent(claimed, meant, in_doubt=delivery.in_doubt or not known)
        except SpoolDamaged as error:
            self._spool.files.blame(error, self._spool.layout.probe(f"send-{self._destination.name}"))
            self._outcomes.hold(claimed, error, in_doubt=delivery.in_doubt)
        else:
            self._outcomes.sent(claimed, result)
            self._took += 1
            self.pace.took(sealed.bytes, watch.seconds)
            self._forms.answered(sealed.sop_class_uid, form.transfer_syntax_uid, taken=True)

    def _claim(self, delivery: Delivery) -> Delivery | None:
        """Move a delivery to `sending`, or return None when a person took it back meanwhile."""
        attempts = delivery.attempts + 1
        moved = self._spool.deliveries.move(
            delivery, DeliveryState.SENDING, Owner.FORWARD, attempts=attempts, in_doubt=True
        )
        return replace(delivery, state=DeliveryState.SENDING, attempts=attempts, in_doubt=True) if moved else None

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
                gone = outgoing.let_go(self._spool.objects.path(sealed), sealed, self._destination)
                why = gone or outgoing.no_context(sealed, self._destination)
                self._outcomes.hold(claimed, why, in_doubt=delivery.in_doubt)
        self._patience.works()
