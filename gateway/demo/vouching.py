"""The demo archive's storage commitment (PS3.4 annex J): says, on the same association, which objects it has.

Knows nothing of files: what is kept, it is told.
"""

import logging
import queue
import threading
from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import time
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from gateway.log import event, warn

_log = logging.getLogger(__name__)
_LOOK_S = 0.25
_TAKEN = 0x0000
_ALL_STORED, _FAILURES = 1, 2  # event types
_NO_SUCH_OBJECT, _OTHER_CLASS = 0x0112, 0x0119  # failure reasons, PS3.3 C.14.1.1


class Vouching:
    """`take` answers a request at once; `serve` says what is here, each report once.

    kept: returns the SOP Class UID under which an object lies durably in the archive, "" when it does not.
    """

    def __init__(self, kept: Callable[[str], str]) -> None:
        self._kept = kept
        self._requests: queue.Queue[tuple[Association, Dataset]] = queue.Queue()

    @staticmethod
    def context() -> PresentationContext:
        context = build_context(StorageCommitmentPushModel, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        context.scu_role = context.scp_role = True
        return context

    def take(self, request: evt.Event) -> tuple[int, None]:
        """Take an N-ACTION. pynetdicom answers 0110 to one that cannot be read."""
        self._requests.put((request.assoc, request.action_information))
        return _TAKEN, None

    def serve(self, stop: threading.Event) -> None:
        """Report until `stop` is set. For a supervised thread."""
        while not stop.is_set():
            try:
                association, asked = self._requests.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            self._report(association, asked)

    def _report(self, association: Association, asked: Dataset) -> None:
        said, failed = self._judged(asked)
        try:
            answer, _ = association.send_n_event_report(
                said,
                _FAILURES if failed else _ALL_STORED,
                StorageCommitmentPushModel,
                StorageCommitmentPushModelInstance,
            )
        except (RuntimeError, ValueError):  # the box is gone; it asks again
            warn(_log, "report_not_said")
        else:
            event(_log, "vouched", failed=failed, status=answer.get("Status"))

    def _judged(self, asked: Dataset) -> tuple[Dataset, int]:
        """Return the event information of the report, and how many objects are not here."""
        stored, failed = [], []
        for item in asked.ReferencedSOPSequence:
            named = Dataset()
            named.ReferencedSOPClassUID = item.ReferencedSOPClassUID
            named.ReferencedSOPInstanceUID = item.ReferencedSOPInstanceUID
            sop_class = self._kept(str(item.ReferencedSOPInstanceUID))
            if sop_class == item.ReferencedSOPClassUID:
                stored.append(named)
            else:
                named.FailureReason = _OTHER_CLASS if sop_class else _NO_SUCH_OBJECT
                failed.append(named)
        said = Dataset()
        said.TransactionUID = asked.TransactionUID
        if stored:
            said.ReferencedSOPSequence = Sequence(stored)
        if failed:
            said.FailedSOPSequence = Sequence(failed)
        return said, len(failed)
