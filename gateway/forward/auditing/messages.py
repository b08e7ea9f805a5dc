"""A line of the audit file as an audit message: who, what, about whom. Looks the patient up; keeps nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.config.settings import STICK, Destination, Settings
from gateway.dicom import audit_message
from gateway.dicom.audit_message import AuditMessage, Code, Participant, Subject
from gateway.errors import NotFound, SpoolDamaged
from gateway.forward.auditing import meanings
from gateway.forward.auditing.meanings import Meaning
from gateway.net.syslog import AuditRecord
from gateway.spool.audit_sent import AuditLine
from gateway.spool.spool import Spool

_OURS = "99SCOPEGATE"
_EXAM = Code(value="exam", meaning="Number of an exam of this box", system=_OURS)
_APPLICATION = Code(value="110150", meaning="Application")
_DESTINATION = Code(value="110152", meaning="Destination Role ID")
_SOURCE = Code(value="110153", meaning="Source Role ID")
_TO_MEDIUM = Code(value="110154", meaning="Destination Media")
_STICK = Code(value="110030", meaning="USB Disk Emulation")
_URI = Code(value="110037", meaning="URI")
_WORKLIST_FIND = "1.2.840.10008.5.1.4.31"  # what is asked about: Modality Worklist Information Model
_ROLES = {
    meanings.ACTIVITY: _APPLICATION,
    meanings.TRANSFERRED: _SOURCE,
    meanings.EXPORT: _SOURCE,
    meanings.QUERY: _SOURCE,
}
_NO_SUBJECT = frozenset({meanings.ACTIVITY, meanings.AUTHENTICATION})  # PS3.15 A.5.3.1, A.5.3.11: none is needed
_SAID_ELSEWHERE = frozenset({"utc", "what", "by", "person", "operator", "address", "exam", "line", "before"})
_COUNTS = ("count", "objects")


class Messages:
    """Makes the messages of this box."""

    def __init__(self, *, spool: Spool, settings: Settings) -> None:
        self._spool = spool
        self._station = settings.station
        self._destinations = {each.name: each for each in settings.destinations}
        self._worklists = {each.name: each for each in settings.worklists}

    def of(self, line: AuditLine) -> AuditRecord:
        """Return the message about a line, also about one that cannot be read. Raises SpoolError."""
        entry = line.entry
        what, exam = str(entry.get("what", "audit-line-unreadable")), self._exam_of(entry)
        meaning = meanings.meaning_of(what, of_an_exam=bool(exam)) if "what" in entry else meanings.UNREADABLE
        own = Code(value=what, meaning=what.replace("-", " "), system=_OURS)
        utc = self._when(entry)
        message = AuditMessage(
            event=meaning.event,
            kinds=(meaning.kind, own) if meaning.kind else (own,),
            action=meaning.action,
            utc=utc,
            outcome="4" if entry.get("failed") else meaning.outcome,
            participants=tuple(self._participants(entry, meaning)),
            source=self._station.name,
            site=self._station.institution,
            subjects=tuple(self._subjects(entry, meaning, exam)),
        )
        return AuditRecord(number=line.number, utc=utc, xml=audit_message.as_xml(message))

    def _when(self, entry: Mapping[str, Any]) -> datetime:
        try:
            said = datetime.fromisoformat(str(entry.get("utc")))
        except ValueError:
            return self._spool.clock.utc()
        return said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)

    def _exam_of(self, entry: Mapping[str, Any]) -> str:
        """Return the exam that a line is about, "" when it is about none, or nobody knows any more."""
        if entry.get("exam"):
            return str(entry["exam"])
        uid = entry.get("capture")
        try:
            return self._spool.captures.get(str(uid)).capture.exam if uid else ""
        except (NotFound, SpoolDamaged):
            return ""

    # --- who ----------------------------------------------------------------------------------------------

    def _participants(self, entry: Mapping[str, Any], meaning: Meaning) -> list[Participant]:
        person = str(entry.get("person") or entry.get("operator") or "")
        found = []
        if person or meaning.event == meanings.AUTHENTICATION:
            at = str(entry.get("address", ""))
            # PS3.15 A.5.3.6: who fetches is where it goes.
            roles = (_DESTINATION,) if meaning is meanings.DOWNLOADED else ()
            found.append(Participant(id=person or "unknown", name=person, requestor=True, roles=roles, at=at))
        role = _ROLES.get(meaning.event)
        found.append(
            Participant(
                id=str(entry.get("by", "unknown")),
                other_id=f"AETITLES={self._station.ae_title}",
                requestor=not found,
                roles=(role,) if role else (),
            )
        )
        return [*found, *self._others(entry, meaning)]

    def _others(self, entry: Mapping[str, Any], meaning: Meaning) -> list[Participant]:
        """Return the other system, or the medium."""
        if meaning.event == meanings.TRANSFERRED:
            name = str(entry.get("to", ""))
            to = self._destinations.get(name)
            return [Participant(id=_address(to) or name, requestor=False, roles=(_DESTINATION,), at=_host(to))]
        if meaning.event == meanings.QUERY:
            name = str(entry.get("server", ""))
            asked = self._worklists.get(name)
            id_, at = (asked.ae_title, asked.host) if asked else (name, "")
            return [Participant(id=id_, requestor=False, roles=(_DESTINATION,), at=at)]
        if meaning is meanings.DOWNLOADED:
            to_machine = str(entry.get("address") or self._station.name)
            return [Participant(id=to_machine, requestor=False, roles=(_TO_MEDIUM,), medium=_URI)]
        if meaning.event == meanings.EXPORT:
            name = str(entry.get("to", ""))
            is_stick = name in self._destinations or name.startswith(str(STICK.parent))
            medium = _STICK if is_stick else _URI
            return [Participant(id=name, requestor=False, roles=(_TO_MEDIUM,), medium=medium)]
        return []

    # --- about what ---------------------------------------------------------------------------------------

    def _subjects(self, entry: Mapping[str, Any], meaning: Meaning, exam: str) -> list[Subject]:
        if meaning.event in _NO_SUBJECT:
            return []
        details = {key: str(value) for key, value in entry.items() if key not in _SAID_ELSEWHERE}
        if meaning.event == meanings.QUERY:
            return [
                Subject(
                    id=_WORKLIST_FIND,
                    kind=audit_message.SOP_CLASS,
                    what="2",
                    role="3",
                    query=b"",  # what was searched for may be a patient: it is in no file
                    details=details,
                )
            ]
        if meaning.event == meanings.LOG_USED:
            name = "Security Audit Log"  # PS3.15 A.5.3.2
            path = self._spool.layout.audit.as_uri()
            return [
                Subject(id=path, kind=audit_message.URI, what="2", role="13", name=name, details=details),
            ]
        if about := entry.get("about"):
            who = str(about)
            return [Subject(id=who, kind=audit_message.USER, what="1", role="6", name=who, details=details)]
        if exam:
            return self._of_exam(exam, details, objects=_count(entry))
        node = self._station.name
        return [Subject(id=node, kind=audit_message.NODE, what="2", role="13", name=node, details=details)]

    def _of_exam(self, exam: str, details: Mapping[str, str], *, objects: int) -> list[Subject]:
        """Return the study and its patient as they are now; of an exam that is gone its number is left."""
        try:
            found = self._spool.exams.get(exam)
        except (NotFound, SpoolDamaged):
            name = f"exam {exam}, not on this box any more"
            return [Subject(id=exam, kind=_EXAM, what="2", role="3", name=name, objects=objects, details=details)]
        return [
            Subject(
                id=found.study_instance_uid,
                kind=audit_message.STUDY,
                what="2",
                role="3",
                name=f"exam {exam}",
                accession_number=found.accession_number,
                objects=objects,
                details=details,
            ),
            Subject(
                id=found.patient.id,
                kind=audit_message.PATIENT_NUMBER,
                what="1",
                role="1",
                name=found.patient.name,
            ),
        ]


def _count(entry: Mapping[str, Any]) -> int:
    return next((value for key in _COUNTS if isinstance(value := entry.get(key), int)), 0)


def _address(to: Destination | None) -> str:
    return (to.ae_title or to.url) if to else ""


def _host(to: Destination | None) -> str:
    return to.host if to else ""
