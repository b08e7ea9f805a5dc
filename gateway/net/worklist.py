"""C-FIND of the modality worklist: asks one server and hands on its answers, byte for byte, unread.

Refuses servers that refuse, answer without end, or not at all. What an answer means `gateway.dicom.order` says.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.dimse_messages import C_FIND_RSP
from pynetdicom.sop_class import ModalityWorklistInformationFind  # type: ignore[attr-defined]  # made at import time

from gateway.config.settings import Worklist
from gateway.errors import DeliveryError, WorklistError
from gateway.net.association import Link, open_link
from gateway.net.peers import Context, Peer, Timeouts, capital, shared_out
from gateway.net.wires import WireBroken

MOST_ANSWERS = 2000  # a day of a big hospital; more is a query that was not understood
MOST_BYTES = 32 * 1024 * 1024
_PENDING = (0xFF00, 0xFF01)  # FF01: some optional keys were not looked at (PS3.4 K.4.1.1.4)

# Return keys: what objects, the screen and later MPPS take from an item (PS3.4 table K.6-1, PS3.17 J.2).
# SpecificCharacterSet is asked for because some servers name theirs only then.
_PATIENT_AND_REQUEST = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientSize",
    "PatientWeight",
    "MedicalAlerts",
    "Allergies",
    "PregnancyStatus",
    "SpecialNeeds",
    "PatientState",
    "PatientComments",
    "CurrentPatientLocation",
    "StudyInstanceUID",
    "StudyID",
    "RequestingPhysician",
    "RequestingService",
    "RequestedProcedureDescription",
    "AdmissionID",
    "RequestedProcedureID",
    "RequestedProcedurePriority",
    "ReasonForTheRequestedProcedure",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
)
_STEP = (
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "Modality",
    "ScheduledPerformingPhysicianName",
    "ScheduledProcedureStepDescription",
    "ScheduledProcedureStepID",
    "ScheduledStationName",
    "ScheduledProcedureStepLocation",
    "ScheduledProcedureStepStatus",
)
_CODE = ("CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning")
_REFERENCE = ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")
_ISSUER = ("LocalNamespaceEntityID", "UniversalEntityID", "UniversalEntityIDType")


@dataclass(frozen=True, kw_only=True, slots=True)
class RawAnswer:
    """One answer's identifier exactly as it came over the wire, and the syntax it is written in."""

    raw: bytes
    transfer_syntax_uid: str


def find(
    server: Worklist,
    *,
    our_ae: str,
    today: date,
    deadline_s: float = 20.0,
    most: int = MOST_ANSWERS,
    timeouts: Timeouts | None = None,
) -> list[RawAnswer]:
    """Ask for the items scheduled around `today`; raise WorklistError when there is no whole answer.

    The date range, modality and station are asked for, but servers may ignore them, and send what is no data set.
    """
    peer = Peer(
        kind="worklist server",
        name=server.name,
        ae_title=server.ae_title,
        host=server.host,
        port=server.port,
        tls=server.tls,
    )
    patience = shared_out(timeouts or Timeouts(), deadline_s)
    offers = [
        Context(abstract_syntax=str(ModalityWorklistInformationFind), transfer_syntax=str(syntax))
        for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    ]
    heard = _Answers(most)
    try:
        with open_link(
            peer, our_ae=our_ae, contexts=offers, timeouts=patience, allowance=MOST_BYTES, heard=heard.take
        ) as link:
            status = _ask(link, _query(server, today), heard)
    except DeliveryError as error:
        raise WorklistError(error.what, code=f"worklist-{error.code}", action=error.action) from None
    if status != 0:
        raise WorklistError(
            f"{capital(peer.who)} refused the question (status {status:04X}).", code="worklist-refused"
        )
    return heard.answers


class _Answers:
    """Collects identifiers as they arrive, in pynetdicom's thread."""

    def __init__(self, most: int) -> None:
        self.answers: list[RawAnswer] = []
        self._most = most

    @property
    def enough(self) -> bool:
        return len(self.answers) > self._most

    def take(self, heard: evt.Event) -> None:
        message = heard.message
        if self.enough or not isinstance(message, C_FIND_RSP) or message.data_set is None:
            return
        if message.command_set.get("Status") not in _PENDING:
            return
        raw = message.data_set.getvalue()
        context = heard.assoc._accepted_cx.get(message.context_id or 0)  # noqa: SLF001 - the one way to the syntax
        syntax = str(context.transfer_syntax[0]) if context else ""
        self.answers.append(RawAnswer(raw=raw, transfer_syntax_uid=syntax))


def _ask(link: Link, query: Dataset, heard: _Answers) -> int:
    """Send the question and wait for the last answer; return its status."""
    status = None
    try:
        with link.within(link.timeouts.answer):
            for answer, _ in link.association.send_c_find(query, ModalityWorklistInformationFind):
                if heard.enough:
                    link.drop()
                    raise _endless(link.peer)
                status = answer.get("Status")
                if status is None or status not in _PENDING:
                    break
    except (WireBroken, RuntimeError, ValueError):
        raise link.broken() from None
    if status is None:
        raise link.broken()
    return int(status)


def _endless(peer: Peer) -> WorklistError:
    return WorklistError(
        f"{capital(peer.who)} did not stop answering.",
        code="worklist-endless",
        action="Call IT: it may ignore the date range; let it match modality or station.",
    )


def _query(server: Worklist, today: date) -> Dataset:
    """Return the identifier of the question: one item in the step sequence (PS3.4 K.6.1.2.2)."""
    step = _empty(_STEP)
    first, last = today - timedelta(days=server.days_back), today + timedelta(days=server.days_ahead)
    # A date range, never with a time range: the two match independently (PS3.4 C.2.2.2.5).
    step.ScheduledProcedureStepStartDate = f"{first:%Y%m%d}-{last:%Y%m%d}"
    step.Modality = server.modality
    step.ScheduledStationAETitle = server.station_ae_title
    step.ScheduledProtocolCodeSequence = Sequence([_empty(_CODE)])
    query = _empty(_PATIENT_AND_REQUEST)
    query.ScheduledProcedureStepSequence = Sequence([step])
    query.RequestedProcedureCodeSequence = Sequence([_empty(_CODE)])
    query.ReasonForRequestedProcedureCodeSequence = Sequence([_empty(_CODE)])
    query.ReferencedStudySequence = Sequence([_empty(_REFERENCE)])
    query.ReferencedPatientSequence = Sequence([_empty(_REFERENCE)])
    query.IssuerOfAccessionNumberSequence = Sequence([_empty(_ISSUER)])
    return query


def _empty(keywords: Iterable[str]) -> Dataset:
    keys = Dataset()
    for keyword in keywords:
        setattr(keys, keyword, None)
    return keys
