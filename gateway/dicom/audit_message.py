"""Audit messages as PS3.15 A.5.1 writes them: values to XML. Decides nothing about what is told."""

import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """A coded value; `meaning` is its text for people."""

    value: str
    meaning: str
    system: str = "DCM"


@dataclass(frozen=True, kw_only=True, slots=True)
class Participant:
    """Somebody, or a program, that took part. at: the address of the machine, as an IP address or a name."""

    id: str
    requestor: bool
    name: str = ""
    other_id: str = ""
    roles: tuple[Code, ...] = ()
    medium: Code | None = None
    at: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What it was about; `what` and `role` by PS3.15 A.5.1.2.2. Either it has a name or there was a query."""

    id: str
    kind: Code
    what: str
    role: str
    name: str = ""
    query: bytes | None = None
    accession_number: str = ""
    objects: int = 0  # instances of the study that were moved
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditMessage:
    """One event; outcome by PS3.15 A.5.1: 0 as it should be, 4 a minor failure."""

    event: Code
    kinds: tuple[Code, ...]
    action: str
    utc: datetime
    outcome: str
    participants: tuple[Participant, ...]
    source: str
    site: str
    subjects: tuple[Subject, ...]


PATIENT_NUMBER = Code(value="2", meaning="Patient Number", system="RFC-3881")
USER = Code(value="11", meaning="User Identifier", system="RFC-3881")
URI = Code(value="12", meaning="URI", system="RFC-3881")
STUDY = Code(value="110180", meaning="Study Instance UID")
SOP_CLASS = Code(value="110181", meaning="SOP Class UID")
NODE = Code(value="110182", meaning="Node ID")


def as_xml(message: AuditMessage) -> bytes:
    """Return the message in UTF-8, in one line."""
    root = ET.Element("AuditMessage")
    when = message.utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = ET.SubElement(
        root,
        "EventIdentification",
        {"EventActionCode": message.action, "EventDateTime": when, "EventOutcomeIndicator": message.outcome},
    )
    _coded(event, "EventID", message.event)
    for kind in message.kinds:
        _coded(event, "EventTypeCode", kind)
    for participant in message.participants:
        _participant(root, participant)
    site = {"AuditEnterpriseSiteID": _clean(message.site)} if message.site else {}
    source = ET.SubElement(root, "AuditSourceIdentification", {**site, "AuditSourceID": _clean(message.source)})
    ET.SubElement(source, "AuditSourceTypeCode", {"csd-code": "2"})  # a data acquisition device
    for subject in message.subjects:
        _subject(root, subject)
    written: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written.replace(b"\n", b" ")


def _participant(root: ET.Element, said: Participant) -> None:
    words = {
        "UserID": _clean(said.id),
        **({"AlternativeUserID": _clean(said.other_id)} if said.other_id else {}),
        **({"UserName": _clean(said.name)} if said.name else {}),
        "UserIsRequestor": str(said.requestor).lower(),
    }
    if said.at:
        is_ip = bool(re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", said.at.partition("%")[0]))
        words |= {"NetworkAccessPointID": _clean(said.at), "NetworkAccessPointTypeCode": "2" if is_ip else "1"}
    element = ET.SubElement(root, "ActiveParticipant", words)
    for role in said.roles:
        _coded(element, "RoleIDCode", role)
    if said.medium:
        _coded(ET.SubElement(element, "MediaIdentifier"), "MediaType", said.medium)


def _subject(root: ET.Element, said: Subject) -> None:
    element = ET.SubElement(
        root,
        "ParticipantObjectIdentification",
        {
            "ParticipantObjectID": _clean(said.id),
            "ParticipantObjectTypeCode": said.what,
            "ParticipantObjectTypeCodeRole": said.role,
        },
    )
    _coded(element, "ParticipantObjectIDTypeCode", said.kind)
    if said.query is not None:
        ET.SubElement(element, "ParticipantObjectQuery").text = b64encode(said.query).decode()
    else:
        ET.SubElement(element, "ParticipantObjectName").text = _clean(said.name)
    for kind, value in said.details.items():
        words = {"type": _clean(kind), "value": b64encode(value.encode()).decode()}
        ET.SubElement(element, "ParticipantObjectDetail", words)
    if said.accession_number or said.objects:
        description = ET.SubElement(element, "ParticipantObjectDescription")
        if said.accession_number:
            ET.SubElement(description, "Accession", {"Number": _clean(said.accession_number)})
        if said.objects:
            ET.SubElement(description, "SOPClass", {"NumberOfInstances": str(said.objects)})


def _coded(parent: ET.Element, name: str, code: Code) -> None:
    words = {"csd-code": code.value, "codeSystemName": code.system, "originalText": code.meaning}
    ET.SubElement(parent, name, words)


def _clean(text: str) -> str:
    """Return a text without what XML cannot have: nobody's message is lost because of it."""
    return _ILLEGAL.sub("\ufffd", text)
