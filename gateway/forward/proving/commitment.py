"""Asks one destination to vouch for what was sent to it: one exam a request, for ever.

A request is durable before it leaves the box; what the reports make of a delivery stands in `reports` and `proof`.
Owns no delivery that is on its way: sending and asking never wait for each other.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from gateway.config.settings import Destination
from gateway.errors import DeliveryError
from gateway.forward import backoff
from gateway.forward.patience import Patience, Pause
from gateway.forward.proving import proof
from gateway.log import event
from gateway.net.commitment import CommitmentAssociation, Hear
from gateway.net.peers import Timeouts, service_of
from gateway.spool.queue.proofs import Unproven
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
SETTLE_S = 3.0  # an exam's objects arrive one after the other; an archive may need a moment with the last
_HOUR_S = 3600.0


class Vouching(Protocol):
    """An open way to the peer that vouches, as CommitmentAssociation is."""

    def ask(self, transaction_uid: str, instances: list[tuple[str, str]]) -> None: ...

    def listen(self, seconds: float, hear: Hear, *, enough: Callable[[], bool]) -> None: ...


Open = Callable[[], AbstractContextManager[Vouching]]


def opener(destination: Destination, *, our_ae: str, timeouts: Timeouts | None = None) -> Open:
    """Return what opens a way to the peer that vouches for this destination."""
    peer = service_of(destination, destination.commitment)
    assert peer is not None
    return lambda: CommitmentAssociation(peer, our_ae=our_ae, timeouts=timeouts)


class Committer:
    """One destination. `pause` is None while it takes requests."""

    def __init__(
        self,
        *,
        spool: Spool,
        destination: Destination,
        open_way: Open,
        hear: Hear,
        stop: threading.Event | None = None,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._spool = spool
        self._destination = destination
        self._open = open_way
        self._hear = hear
        self._stop = stop or threading.Event()
        self._settle_s = settle_s
        self._wait_s = destination.commitment_hours * _HOUR_S
        self._patience = Patience(f"{destination.name}-commitment", clock=spool.clock)
        self.silent_since_ns: int | None = None  # UTC; the first request that should have been reported about

    @property
    def pause(self) -> Pause | None:
        return self._patience.pause

    def step(self) -> bool:
        """Ask about one exam; say whether there may be more to do now. Raises SpoolError."""
        name = self._destination.name
        if self._patience.left_s:
            return False
        self.silent_since_ns = self._spool.commitments.silent_since_ns(name, wait_s=self._wait_s)
        longest_s = max(self._wait_s, proof.CAP.total_seconds()) + backoff.CAP.total_seconds()
        asked = self._spool.proofs.due(name, cap_s=longest_s, settle_s=self._settle_s)
        if not asked:
            return self._spool.commitments.forget_old(name)
        try:
            with self._open() as way:
                self._ask(way, asked)
        except DeliveryError as error:
            self._patience.hold_back(error)
            return False
        self._patience.works()
        return not self._stop.is_set()

    def _ask(self, way: Vouching, asked: list[Unproven]) -> None:
        spool = self._spool
        instances = [
            (spool.objects.get(each.sop_instance_uid).sop_class_uid, each.sop_instance_uid) for each in asked
        ]
        transaction = spool.commitments.ask(self._destination.name, asked)
        try:
            way.ask(transaction, instances)
        except DeliveryError as error:
            spool.commitments.not_accepted(transaction, refused=bool(error.status))
            raise
        spool.commitments.accepted(transaction, wait_s=self._wait_s)
        event(_log, "commitment_asked", destination=self._destination.name, count=len(asked))
        way.listen(
            self._destination.commitment_wait_s,
            self._hear,
            enough=lambda: self._stop.is_set() or spool.commitments.reported(transaction),
        )
