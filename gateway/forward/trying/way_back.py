"""Tries storage commitment both ways: asks about an object that nobody has, and hears whether an answer comes.

Harmless: an archive that does not have an object says so (failure reason 0112, PS3.3 C.14.1.1) and keeps nothing.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from gateway.clock import Clock
from gateway.config.settings import Address, Destination
from gateway.dicom.commitment import read_report
from gateway.dicom.elements import Malformed
from gateway.errors import DeliveryError, ListenerFailed
from gateway.net.commitment import Caller, CommitmentAssociation, Hear, RawReport
from gateway.net.hearing import Guest
from gateway.net.peers import Timeouts, service_of
from gateway.spool.processes.trials import Line

PATIENCE_S = 20.0
_ASKED, _BACK = "commitment", "way-back"
_ON_THE_SAME_S = 5.0  # most archives that answer on the same connection do it at once
_MOST = 50
_LOOK_S = 0.2
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

Welcome = Callable[[Guest, Address], AbstractContextManager[None]]


class TrialReports:
    """Hears the answers to questions that were trials. Called from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, Caller | None] = {}  # by Transaction UID: who answered

    def expect(self, transaction_uid: str) -> None:
        with self._lock:
            self._asked[transaction_uid] = None
            while len(self._asked) > _MOST:
                self._asked.pop(next(iter(self._asked)))

    def heard(self, transaction_uid: str) -> Caller | None:
        """Return who answered, None as long as nobody did."""
        with self._lock:
            return self._asked.get(transaction_uid)

    def hear(self, raw: RawReport, caller: Caller) -> bool:
        """Take the answer to a trial, however late; False for any other report."""
        try:
            report = read_report(raw.raw, event_type=raw.event_type, transfer_syntax_uid=raw.transfer_syntax_uid)
        except Malformed:
            return False
        with self._lock:
            if report.transaction_uid not in self._asked:
                return False
            self._asked[report.transaction_uid] = caller
            return True

    def before(self, hear: Hear | None) -> Hear | None:
        """Return what takes trials' answers and hands on all others; None where nobody is asked for any."""
        return (lambda raw, caller: self.hear(raw, caller) or hear(raw, caller)) if hear else None


class WayBack:
    """One try. `welcome` has the box's listener take one more caller, at an address, while a block runs."""

    def __init__(
        self,
        *,
        reports: TrialReports,
        welcome: Welcome,
        clock: Clock,
        stop: threading.Event,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._reports = reports
        self._welcome = welcome
        self._clock = clock
        self._stop = stop
        self._patience_s = patience_s

    def tried(
        self, destination: Destination, listen: Address, *, our_ae: str, timeouts: Timeouts | None = None
    ) -> Iterator[Line]:
        """Yield whether the archive takes the question, and whether its answer arrived.

        `listen`: where this box hears; `our_ae`: by which title it asks and is called.
        """
        peer = service_of(destination, destination.commitment)
        assert peer is not None
        transaction = self._clock.uid()
        self._reports.expect(transaction)
        guest = Guest(ae_title=peer.ae_title, host=peer.host, hear=self._reports.hear, ours=our_ae)
        try:
            with self._welcome(guest, listen):
                with CommitmentAssociation(peer, our_ae=our_ae, timeouts=timeouts) as way:
                    way.ask(transaction, [(_SECONDARY_CAPTURE, self._clock.uid())])
                    yield Line(
                        part=_ASKED,
                        ok=True,
                        what="It takes the question whether it keeps pictures (storage commitment).",
                    )
                    way.listen(
                        min(_ON_THE_SAME_S, self._patience_s),
                        self._reports.hear,
                        enough=lambda: self._is_over(transaction),
                    )
                yield self._back(transaction, title=our_ae, port=listen.port)
        except ListenerFailed as error:
            yield Line(part=_BACK, ok=False, what=error.what, action=error.action, code=error.code)
        except DeliveryError as error:
            yield Line(part=_ASKED, ok=False, what=error.what, action=error.action, code=error.code)

    def _is_over(self, transaction: str) -> bool:
        return self._stop.is_set() or self._reports.heard(transaction) is not None

    def _back(self, transaction: str, *, title: str, port: int) -> Line:
        for _ in range(round(self._patience_s / _LOOK_S)):
            if self._is_over(transaction):
                break
            self._clock.wait(self._stop, _LOOK_S)
        if self._reports.heard(transaction):
            return Line(part=_BACK, ok=True, what="Its answer came back: it can tell this box what it keeps.")
        return _not_back(round(self._patience_s), title=title, port=port)


def _not_back(seconds: int, *, title: str, port: int) -> Line:
    return Line(
        part=_BACK,
        ok=False,
        what=f"It took the question, and its answer did not come back within {seconds} seconds.",
        action=f"Call IT: the archive must know {title} with this box's address and port {port}. "
        "Some archives answer later; then test again.",
        code="no-way-back",
    )
