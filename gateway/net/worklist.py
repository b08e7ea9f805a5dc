"""C-FIND of the modality worklist: asks one server and hands on its answers, byte for byte, unread.

Refuses servers that refuse, answer without end, or not at all. What an answer means `gateway.dicom.order` says.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom.sop_class import ModalityWorklistInformationFind  # type: ignore[attr-defined]  # made at import time

from gateway.config.settings import Worklist
from gateway.errors import DeliveryError, WorklistError
from gateway.net.association import open_link
from gateway.net.find import Answers, RawAnswer, ask
from gateway.net.peers import Peer, Timeouts, capital, in_both_syntaxes, shared_out

MODEL = str(ModalityWorklistInformationFind)
MOST_ANSWERS = 2000  # a day of a big hospital; more is a query that was not understood
MOST_BYTES = 32 * 1024 * 1024
SEARCH_DAYS = 31  # before and after today, when a person looks for somebody
_TOO_MANY = "Call IT: it may ignore the date range; let it match modality or station."

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


def find(
    server: Worklist,
    *,
    our_ae: str,
    today: date,
    deadline_s: float = 20.0,
    most: int = MOST_ANSWERS,
    timeouts: Timeouts | None = None,
    sought: Mapping[str, str] | None = None,
) -> list[RawAnswer]:
    """Ask for the items scheduled around `today`; raise WorklistError when there is no whole answer.

    `sought`: values of keys that a person looks for (PatientName, PatientID, AccessionNumber), a month around
    today. Days, modality and station are asked for, but servers may ignore them, and send what is no data set.
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
    offers = in_both_syntaxes(MODEL)
    heard = Answers(most)
    try:
        with open_link(
            peer, our_ae=our_ae, contexts=offers, timeouts=patience, allowance=MOST_BYTES, heard=heard.take
        ) as link:
            status = ask(link, _query(server, today, sought), MODEL, heard)
    except DeliveryError as error:
        action = _TOO_MANY if heard.enough else error.action
        raise WorklistError(error.what, code=f"worklist-{error.code}", action=action) from None
    if status != 0:
        raise WorklistError(
            f"{capital(peer.who)} refused the question (status {status:04X}).", code="worklist-refused"
        )
    return heard.answers


def days(server: Worklist, today: date, *, searching: bool = False) -> tuple[date, date]:
    """Return the first and the last day that are asked for."""
    if searching:
        return today - timedelta(days=SEARCH_DAYS), today + timedelta(days=SEARCH_DAYS)
    return today - timedelta(days=server.days_back), today + timedelta(days=server.days_ahead)


def _query(server: Worklist, today: date, sought: Mapping[str, str] | None = None) -> Dataset:
    """Return the identifier of the question: one item in the step sequence (PS3.4 K.6.1.2.2)."""
    step = _empty(_STEP)
    first, last = days(server, today, searching=bool(sought))
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
    for keyword, value in (sought or {}).items():
        setattr(query, keyword, value)
        if not value.isascii():
            query.SpecificCharacterSet = "ISO_IR 192"
    return query


def _empty(keywords: Iterable[str]) -> Dataset:
    keys = Dataset()
    for keyword in keywords:
        setattr(keys, keyword, None)
    return keys
