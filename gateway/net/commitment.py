"""Storage commitment with one peer (PS3.4 annex J): asks for it, and takes reports on the same association.

What a report says is handed on byte for byte, unread: `gateway.dicom.commitment` reads it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import time
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from gateway.errors import DeliveryError, NeedsConfiguration, SpoolError, TryLater
from gateway.net.association import Link
from gateway.net.peers import Peer, Timeouts, capital, in_both_syntaxes
from gateway.net.service import ServiceAssociation
from gateway.net.statuses import is_warning
from gateway.net.wires import WireBroken

PUSH_MODEL = str(StorageCommitmentPushModel)
INSTANCE = str(StorageCommitmentPushModelInstance)
REFUSED = "commitment-refused"
_REQUEST = 1  # action type: Request Storage Commitment (PS3.4 J.3.2)
_ALLOWANCE = 1024 * 1024  # bytes; a report about a hundred instances has 20,000
_GLANCE_S = 0.25  # between two looks at whether the waiting has an end

# Answers to N-EVENT-REPORT (PS3.7 10.1.1.1.8)
TAKEN, NOT_STORED, NO_SUCH_EVENT, NOT_OURS = 0x0000, 0x0110, 0x0113, 0x0115
_BY_SETTINGS = frozenset({0x0118, 0x0122, 0x0124, 0x0211})  # no such class, not supported, not authorised, unknown


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who reports: the AE title it calls with and the address it calls from."""

    ae_title: str
    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RawReport:
    """An N-EVENT-REPORT as it came. `event_type`: 1 all are stored, 2 failures exist (PS3.4 J.3.3)."""

    event_type: int
    transfer_syntax_uid: str
    raw: bytes = field(repr=False)


Hear = Callable[[RawReport, Caller], bool]
"""Takes a report: True once what it says is durable, False when it counts for nothing. Raises SpoolError."""


def answer_to(request: Any, transfer_syntax_uid: str, caller: Caller, hear: Hear) -> int:  # noqa: ANN401 - pynetdicom's N_EVENT_REPORT
    """Hand a peer's request on and return the status of the answer: success only for what is kept for good."""
    if request.AffectedSOPClassUID != PUSH_MODEL or request.AffectedSOPInstanceUID != INSTANCE:
        return NOT_OURS
    if request.EventTypeID not in (1, 2):
        return NO_SUCH_EVENT
    raw = request.EventInformation.getvalue() if request.EventInformation else b""
    report = RawReport(event_type=request.EventTypeID, transfer_syntax_uid=transfer_syntax_uid, raw=raw)
    try:
        return TAKEN if hear(report, caller) else NOT_OURS
    except SpoolError:
        return NOT_STORED


class CommitmentAssociation(ServiceAssociation):
    """One association to the peer that vouches."""

    def __init__(self, peer: Peer, *, our_ae: str, timeouts: Timeouts | None = None) -> None:
        super().__init__(
            peer,
            our_ae=our_ae,
            contexts=in_both_syntaxes(PUSH_MODEL),
            timeouts=timeouts,
            allowance=_ALLOWANCE,
            both_roles=True,
        )

    def ask(self, transaction_uid: str, instances: Sequence[tuple[str, str]]) -> None:
        """Ask the peer to vouch for `instances`, (SOP Class UID, SOP Instance UID), and see the request taken.

        Raises TryLater or NeedsConfiguration. An error with a `status` is a refusal; after any other one nobody
        knows whether the peer has the request.
        """
        link = self._link
        assert link is not None
        try:
            with link.within(self._timeouts.answer):
                answer, _ = link.association.send_n_action(
                    _information(transaction_uid, instances), _REQUEST, PUSH_MODEL, INSTANCE
                )
        except (WireBroken, RuntimeError, ValueError):
            raise link.broken() from None
        if "Status" not in answer:
            raise link.broken()
        status = int(answer.Status)
        if status and not is_warning(status):
            raise _refusal(self._peer, status)

    def listen(self, seconds: float, hear: Hear, *, enough: Callable[[], bool]) -> None:
        """Take reports that come on this association within `seconds`, or until it is `enough`."""
        link = self._link
        assert link is not None
        caller = Caller(ae_title=self._peer.ae_title, address=self._peer.host)
        for _ in range(max(1, round(seconds / _GLANCE_S))):
            if enough():
                return
            request = link.request(_GLANCE_S if link.usable else 0)  # what it said before it left counts
            if request is not None:
                self._take(link, *request, caller, hear)
            elif not link.usable:
                return

    def _take(self, link: Link, request: Any, context_id: int, caller: Caller, hear: Hear) -> None:  # noqa: ANN401 - a primitive
        context = link.context(context_id)
        if context is None or not isinstance(request, N_EVENT_REPORT):
            return
        answer = N_EVENT_REPORT()
        answer.MessageIDBeingRespondedTo = request.MessageID
        answer.AffectedSOPClassUID = request.AffectedSOPClassUID
        answer.AffectedSOPInstanceUID = request.AffectedSOPInstanceUID
        answer.EventTypeID = request.EventTypeID
        answer.Status = answer_to(request, context.transfer_syntax, caller, hear)
        try:
            with link.within(self._timeouts.answer):
                link.association.dimse.send_msg(answer, context_id)
        except WireBroken:
            link.drop()  # what was reported is kept; the peer may say it again


def _information(transaction_uid: str, instances: Sequence[tuple[str, str]]) -> Dataset:
    """Return the action information (PS3.4 table J.3-1)."""
    items = []
    for sop_class_uid, sop_instance_uid in instances:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class_uid
        item.ReferencedSOPInstanceUID = sop_instance_uid
        items.append(item)
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = Items(items)
    return information


def _refusal(peer: Peer, status: int) -> DeliveryError:
    kind = NeedsConfiguration if status in _BY_SETTINGS else TryLater
    error: DeliveryError = kind(
        f"{capital(peer.who)} does not take the question whether it keeps the pictures (status {status:04X}).",
        code=REFUSED,
        action="Call IT: look at its storage commitment. The pictures stay on this box.",
    )
    error.status = f"{status:04X}"
    return error
