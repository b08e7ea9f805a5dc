"""Asks one destination which objects it has: after a rebuild, and for proof where nobody vouches."""

import logging
import threading
from collections.abc import Sequence

from gateway.config.settings import Destination
from gateway.errors import DeliveryError, TryLater
from gateway.forward.patience import Patience, Pause
from gateway.forward.proving import proof
from gateway.forward.proving.finder import Finder
from gateway.log import event, warn
from gateway.spool.queue.proofs import Unproven, Verdict
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_ENDLESS = "endless"
SETTLE_S = 60.0  # archives file some time after they store
_CAP_S = (proof.CAP * 2).total_seconds()  # no wait is longer


class Querier:
    """One destination. `pause` is None while it answers. Trusted, its answers are proof if nobody vouches."""

    def __init__(
        self,
        *,
        spool: Spool,
        destination: Destination,
        finder: Finder,
        stop: threading.Event | None = None,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._spool = spool
        self._name = destination.name
        self._is_proof = destination.trust_query and not destination.commitment
        self._finder = finder
        self._stop = stop or threading.Event()
        self._settle_s = settle_s
        self._patience = Patience(f"{destination.name}-query", clock=spool.clock)

    @property
    def pause(self) -> Pause | None:
        return self._patience.pause

    def step(self) -> bool:
        """Ask about one exam; say whether there may be more to do now. Raises SpoolError."""
        if self._patience.left_s:
            return False
        try:
            worked = self._settle_rebuilt() or self._prove()
        except DeliveryError as error:
            self._patience.hold_back(error)
            return False
        return worked and not self._stop.is_set()

    def _settle_rebuilt(self) -> bool:
        asked = self._spool.proofs.lost_track(self._name)
        if asked:
            found = self._find(asked)
            self._spool.proofs.found_again(asked, lambda each: each.sop_instance_uid in found)
            event(_log, "found_after_rebuild", destination=self._name, asked=len(asked), found=len(found))
        return bool(asked)

    def _prove(self) -> bool:
        asked = self._is_proof and self._spool.proofs.due(self._name, cap_s=_CAP_S, settle_s=self._settle_s)
        if not asked:
            return False
        found = self._find(asked)

        def verdict(each: Unproven) -> Verdict:
            if each.sop_instance_uid in found:
                return proof.committed(proof.QUERY)
            return proof.not_found(answers=each.round, archive=self._name)

        self._spool.proofs.settle(asked, verdict)
        event(_log, "asked_for", destination=self._name, asked=len(asked), found=len(found))
        return True

    def _find(self, asked: Sequence[Unproven]) -> frozenset[str]:
        study = self._spool.exams.get(asked[0].exam).study_instance_uid
        try:
            found = self._finder.find(study, [each.sop_instance_uid for each in asked])
        except TryLater as error:
            if error.code != _ENDLESS:
                raise
            # It would be asked the same for ever, and about nothing else: it has not said that it has them.
            warn(_log, "endless_answer", destination=self._name, asked=len(asked))
            found = frozenset()
        self._patience.works()
        return found
