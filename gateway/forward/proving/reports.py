"""Takes storage commitment reports, on whichever association they come, and keeps them before they are answered.

What does not fit a request of ours changes nothing and goes into the audit file.
"""

import logging
import threading
from collections.abc import Callable, Collection, Sequence

from gateway.config.settings import Destination
from gateway.dicom.commitment import read_report
from gateway.dicom.elements import Malformed
from gateway.forward.proving import proof
from gateway.log import event, warn
from gateway.net.commitment import Caller, RawReport
from gateway.net.peers import addresses
from gateway.spool.queue.commitments import Heard, Said
from gateway.spool.queue.proofs import Unproven, Verdict
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
_AUDITED_EVERY_S = 60.0  # at most one line for each caller and cause: nobody fills the disk from outside
_WHY = {
    Heard.UNKNOWN: "no such request",
    Heard.STRANGER: "another peer was asked",
    Heard.FOREIGN: "names objects that were not asked about",
}


class Reports:
    """Hears the reports of every destination with storage commitment. Called from several threads."""

    def __init__(
        self,
        *,
        spool: Spool,
        destinations: Sequence[Destination],
        addresses_of: Callable[[str], Collection[str]] = addresses,
    ) -> None:
        self._spool = spool
        self._asked = {each.name: entity for each in destinations if (entity := each.entity(each.commitment))}
        self._addresses_of = addresses_of
        self._audited_ns: dict[tuple[str, str], int] = {}  # when the next line may be written
        self._lock = threading.Lock()

    def hear(self, raw: RawReport, caller: Caller) -> bool:
        """Take a report from a system that called us; True once it is kept. Raises SpoolError."""
        of = [
            name
            for name, entity in self._asked.items()
            if entity.ae_title == caller.ae_title and caller.address in self._addresses_of(entity.host)
        ]
        return self._hear(raw, caller, of)

    def hear_from(self, destination: str) -> Callable[[RawReport, Caller], bool]:
        """Return what takes reports on an association that we opened to this destination."""
        return lambda raw, caller: self._hear(raw, caller, [destination])

    def _hear(self, raw: RawReport, caller: Caller, of: Sequence[str]) -> bool:
        try:
            report = read_report(raw.raw, event_type=raw.event_type, transfer_syntax_uid=raw.transfer_syntax_uid)
        except Malformed as error:
            self._refuse(caller, str(error), "")
            return False
        heard = self._spool.commitments.report(report, of=of, verdict=_verdict)
        if heard in _WHY:
            self._refuse(caller, _WHY[heard], report.transaction_uid)
            return False
        counts = {"stored": len(report.stored), "failed": len(report.failed)}
        event(_log, "commitment_reported", caller=caller.ae_title, how=heard.name.lower(), **counts)
        return True

    def _refuse(self, caller: Caller, why: str, transaction_uid: str) -> None:
        now = self._spool.clock.boottime_ns()
        with self._lock:
            due = self._audited_ns.get((caller.ae_title, why), 0) <= now
            if due:
                self._audited_ns[caller.ae_title, why] = now + int(_AUDITED_EVERY_S * 1e9)
        if due:
            warn(_log, "commitment_report_refused", caller=caller.ae_title, address=caller.address, why=why)
            details = {"caller": caller.ae_title, "address": caller.address, "why": why}
            self._spool.audit.note(
                "commitment-report-refused", by="forward", transaction=transaction_uid, **details
            )


def _verdict(asked: Unproven, said: Said) -> Verdict:
    if said.stored:
        return proof.committed(proof.COMMITMENT)
    return proof.not_committed(said.reason, answers=asked.round, archive=asked.destination)
