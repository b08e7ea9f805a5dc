"""An archive that stores, vouches, and can be asked; `how` says in which way it misbehaves.

how: "same" (reports on the same association), "separate" (on one of its own), "twice" (separate, two times),
"partial" (the last `lost` objects failed with `reason`), "unknown" (under a Transaction UID that nobody asked),
"foreign" (names one more object), "stranger" (calls under another title), "never", "early" (before it answers the
request), "mute" (never answers the request), "leaves" (reports and hangs up), "many" (a hundred reports without
waiting), "S<4 hex digits>" (that status).
"""

import ssl
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_role, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
)

from tests.loopback.peers.faults import FaultArchive
from tests.loopback.peers.items import SECONDARY_CAPTURE

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]


class VouchingArchive(FaultArchive):
    """`requests`: what was asked, by Transaction UID; `answers`: statuses our reports were answered with.

    `calls_with`: how the associations it opens itself are secured; None: in clear.
    """

    def __init__(
        self, how: str = "separate", *, ae_title: str = "VOUCHES", secured: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(secured=secured)
        self.calls_with: ssl.SSLContext | None = None
        self.how = how
        self.reason = 0x0112
        self.lost = 1  # so many of the last objects, when "partial"
        self.ae_title = ae_title
        self.box_port = 0  # where the box listens
        self.box_title = "SCOPEGATE"
        self.requests: dict[str, list[str]] = {}
        self._classes: dict[str, str] = {}  # of what was asked about
        self.answers: list[int | None] = []
        self.has: dict[str, dict[str, list[str]]] = {}  # study -> series -> objects, for queries
        self.unavailable: set[str] = set()
        self.find_status = 0
        self.ignores_keys = False
        self.study = ""  # in which it says that all is, whatever it is asked for
        self.flooded = threading.Event()
        self._threads: list[threading.Thread] = []
        self._entity.supported_contexts = self._entity.supported_contexts[:100]
        self._entity.add_supported_context(StorageCommitmentPushModel, SYNTAXES, scu_role=True, scp_role=True)
        self._entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind, SYNTAXES)

    def __exit__(self, *words: object) -> None:
        super().__exit__(*words)
        for thread in self._threads:
            thread.join(5)

    def handlers(self) -> list[Any]:
        return [*super().handlers(), (evt.EVT_N_ACTION, self._action), (evt.EVT_C_FIND, self._find)]

    # --- vouching -------------------------------------------------------------------------------------------------

    def _action(self, event: evt.Event) -> tuple[int, None]:
        asked = event.action_information
        named = [
            (str(i.ReferencedSOPInstanceUID), str(i.ReferencedSOPClassUID)) for i in asked.ReferencedSOPSequence
        ]
        self.requests[str(asked.TransactionUID)] = [uid for uid, _ in named]
        self._classes |= dict(named)
        how = self.how
        if how.startswith("S") and len(how) == 5:
            return int(how[1:], 16), None
        if how == "mute":
            self.gone.wait(30)
        if how == "early":
            self.report(str(asked.TransactionUID))
        elif how not in ("never", "mute"):
            assoc = event.assoc if how in ("same", "many", "leaves") else None
            thread = threading.Thread(target=self._report_later, args=(str(asked.TransactionUID), assoc))
            self._threads.append(thread)
            thread.start()
        return 0, None

    def _report_later(self, transaction: str, assoc: Any) -> None:
        self.gone.wait(0.2)  # after the answer
        if assoc is None:
            for _ in range(2 if self.how == "twice" else 1):
                self.report(transaction)
        elif self.how in ("many", "leaves"):
            self._flood(transaction, assoc, 100 if self.how == "many" else 1)
            if self.how == "leaves":
                assoc.abort()
        else:
            self._say(assoc, *self.words(transaction))

    def words(self, transaction: str) -> tuple[Dataset, int]:
        """Return event information and event type as `how` has it."""
        uids = list(self.requests.get(transaction, ()))
        if self.how == "foreign":
            uids.append("2.25.4711")
        failed = uids[-self.lost :] if self.how == "partial" else []
        said = Dataset()
        said.TransactionUID = "2.25.99" if self.how == "unknown" else transaction
        said.ReferencedSOPSequence = Sequence([self._item(uid) for uid in uids if uid not in failed])
        if failed:
            said.FailedSOPSequence = Sequence([self._item(uid, self.reason) for uid in failed])
        return said, 2 if failed else 1

    def _item(self, uid: str, reason: int = 0) -> Dataset:
        made = Dataset()
        made.ReferencedSOPClassUID = self._classes.get(uid, SECONDARY_CAPTURE)
        made.ReferencedSOPInstanceUID = uid
        if reason:
            made.FailureReason = reason
        return made

    def report(self, transaction: str, *, calling: str = "") -> int | None:
        """Report on an association of our own; return the status of the answer, None when there was none."""
        title = calling or ("STRANGER" if self.how == "stranger" else self.ae_title)
        entity = ApplicationEntity(title)
        entity.add_requested_context(StorageCommitmentPushModel)
        assoc = entity.associate(
            "127.0.0.1",
            self.box_port,
            ae_title=self.box_title,
            ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
            tls_args=(self.calls_with, "127.0.0.1") if self.calls_with else None,
        )
        if not assoc.is_established:
            self.answers.append(None)
            return None
        self._say(assoc, *self.words(transaction))
        assoc.release()
        return self.answers[-1]

    def _say(self, assoc: Any, said: Dataset, event_type: int) -> None:
        status, _ = assoc.send_n_event_report(
            said, event_type, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        self.answers.append(status.get("Status"))

    def _flood(self, transaction: str, assoc: Any, count: int) -> None:
        """Send reports without waiting for an answer."""
        said, event_type = self.words(transaction)
        context = next(cx for cx in assoc.accepted_contexts if cx.abstract_syntax == StorageCommitmentPushModel)
        for number in range(count):
            flood(assoc, context, said, event_type, number + 1)
        while assoc.is_established and not assoc.dul.to_provider_queue.empty():
            self.gone.wait(0.01)
        self.flooded.set()

    # --- being asked ----------------------------------------------------------------------------------------------

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        keys = event.identifier
        series = self.has.get(keys.StudyInstanceUID, {})
        if self.find_status:
            yield self.find_status, None
            return
        if keys.QueryRetrieveLevel == "SERIES":
            for uid in series:
                yield 0xFF00, _answer(keys, SeriesInstanceUID=uid)
            return
        wanted = series if self.ignores_keys else {keys.SeriesInstanceUID: series.get(keys.SeriesInstanceUID, [])}
        for name, uids in wanted.items():
            for uid in uids:
                availability = "UNAVAILABLE" if uid in self.unavailable else "ONLINE"
                found = _answer(keys, SeriesInstanceUID=name, SOPInstanceUID=uid)
                found.InstanceAvailability = availability
                found.StudyInstanceUID = self.study or keys.StudyInstanceUID
                yield 0xFF01, found


def flood(assoc: Any, context: Any, said: Dataset, event_type: int, message: int) -> None:
    """Send one report and wait for nothing."""
    request = N_EVENT_REPORT()
    request.MessageID = message
    request.AffectedSOPClassUID = StorageCommitmentPushModel
    request.AffectedSOPInstanceUID = StorageCommitmentPushModelInstance
    request.EventTypeID = event_type
    syntax = context.transfer_syntax[0]
    request.EventInformation = BytesIO(encode(said, syntax.is_implicit_VR, syntax.is_little_endian) or b"")
    assoc.dimse.send_msg(request, context.context_id)


def _answer(keys: Dataset, **found: str) -> Dataset:
    answer = Dataset()
    answer.QueryRetrieveLevel = keys.QueryRetrieveLevel
    answer.StudyInstanceUID = keys.StudyInstanceUID
    for keyword, value in found.items():
        setattr(answer, keyword, value)
    return answer
