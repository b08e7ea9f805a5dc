"""What a line of the audit file is in the words of PS3.15 A.5.3: a table by its `what`."""

from dataclasses import dataclass

from gateway.dicom.audit_message import Code

ACTIVITY = Code(value="110100", meaning="Application Activity")
LOG_USED = Code(value="110101", meaning="Audit Log Used")
ACCESSED = Code(value="110103", meaning="DICOM Instances Accessed")
TRANSFERRED = Code(value="110104", meaning="DICOM Instances Transferred")
DELETED = Code(value="110105", meaning="DICOM Study Deleted")
EXPORT = Code(value="110106", meaning="Export")
PATIENT_RECORD = Code(value="110110", meaning="Patient Record")
PROCEDURE_RECORD = Code(value="110111", meaning="Procedure Record")
QUERY = Code(value="110112", meaning="Query")
ALERT = Code(value="110113", meaning="Security Alert")
AUTHENTICATION = Code(value="110114", meaning="User Authentication")

_START = Code(value="110120", meaning="Application Start")
_STOP = Code(value="110121", meaning="Application Stop")
_LOGIN = Code(value="110122", meaning="Login")
_LOGOUT = Code(value="110123", meaning="Logout")
_NODE = Code(value="110126", meaning="Node Authentication")
_SOFTWARE = Code(value="110131", meaning="Software Configuration")
_RESTRICTED = Code(value="110132", meaning="Use of Restricted Function")
_ROLES = Code(value="110136", meaning="Security Roles Changed")
_USERS = Code(value="110137", meaning="User Security Attributes Changed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """The event, what finer kind of it (None: only the line's own word), what was done, how it ended."""

    event: Code
    kind: Code | None = None
    action: str = "E"  # C create, R read, U update, D delete, E execute
    outcome: str = "0"  # or 4, a minor failure


DOWNLOADED = Meaning(event=EXPORT, action="R")
_CHANGED = Meaning(event=ACCESSED, action="U")
_TABLE = {
    "forward-started": Meaning(event=ACTIVITY, kind=_START),
    "forward-stopped": Meaning(event=ACTIVITY, kind=_STOP),
    "switched-off": Meaning(event=ACTIVITY, kind=_STOP),
    "audit-verified": Meaning(event=LOG_USED, action="R"),
    "signed-in": Meaning(event=AUTHENTICATION, kind=_LOGIN),
    "signed-out": Meaning(event=AUTHENTICATION, kind=_LOGOUT),
    "sign-in-refused": Meaning(event=AUTHENTICATION, kind=_LOGIN, outcome="4"),
    "not-permitted": Meaning(event=ALERT, kind=_RESTRICTED, outcome="4"),
    "commitment-report-refused": Meaning(event=ALERT, kind=_NODE, outcome="4"),
    "settings-changed": Meaning(event=ALERT, kind=_SOFTWARE),
    "person-role-changed": Meaning(event=ALERT, kind=_ROLES),
    "exam-opened": Meaning(event=PROCEDURE_RECORD, action="C"),
    "exam-assigned": Meaning(event=PATIENT_RECORD, action="U"),
    "patient-confirmed": Meaning(event=PATIENT_RECORD, action="U"),
    "capture-moved": _CHANGED,
    "capture-laterality": _CHANGED,
    "capture-key": _CHANGED,
    "capture-restored": _CHANGED,
    "exam-looked-at": Meaning(event=ACCESSED, action="R"),
    "capture-rejected": Meaning(event=ACCESSED, action="D"),
    "capture-purged": Meaning(event=ACCESSED, action="D"),
    "lost-by-archive": Meaning(event=ACCESSED, action="R", outcome="4"),
    "box-erase-refused": Meaning(event=ALERT, kind=_RESTRICTED, outcome="4"),
    "settings-new-refused": Meaning(event=ALERT, kind=_RESTRICTED, outcome="4"),
    "exam-erased": Meaning(event=DELETED, action="D"),
    "capture-downloaded": DOWNLOADED,
    "exported": Meaning(event=EXPORT, action="R"),
    "objects-sent": Meaning(event=TRANSFERRED, action="C"),
    "worklist-searched": Meaning(event=QUERY),
}
_OF_AN_EXAM = Meaning(event=PROCEDURE_RECORD, action="U")
_OF_PEOPLE = Meaning(event=ALERT, kind=_USERS)
_ANYTHING = Meaning(event=ALERT, kind=_RESTRICTED)
UNREADABLE = Meaning(event=ALERT, kind=_RESTRICTED, outcome="8")  # somebody, or a disk, changed the audit file


def meaning_of(what: str, *, of_an_exam: bool) -> Meaning:
    """Return what a line means; a kind that is not in the table is told by what it is about."""
    if what in _TABLE:
        return _TABLE[what]
    if what.startswith(("person-", "recovery-code-")):
        return _OF_PEOPLE
    return _OF_AN_EXAM if of_an_exam else _ANYTHING
