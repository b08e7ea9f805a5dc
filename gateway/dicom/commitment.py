"""What a storage commitment report says (PS3.4 J.3.3), read strictly: whatever is in doubt is no report."""

from gateway.dicom import elements
from gateway.dicom.elements import Elements, Malformed
from gateway.dicom.part10 import EXPLICIT_LE, IMPLICIT_LE
from gateway.dicom.values import is_uid
from gateway.model import CommitmentReport

MOST = 1000  # instances a report may name; this box asks for a hundred at a time
_ALL_STORED = 1  # event type; 2: failures exist


def read_report(raw: bytes, *, event_type: int, transfer_syntax_uid: str) -> CommitmentReport:
    """Read the event information of an N-EVENT-REPORT. Raises Malformed, nothing else."""
    if transfer_syntax_uid not in {IMPLICIT_LE, EXPLICIT_LE}:
        raise Malformed("a transfer syntax that was not offered")
    information = elements.parse(raw, explicit=transfer_syntax_uid == EXPLICIT_LE)
    stored = tuple(_uid(item) for item in _items(information, "ReferencedSOPSequence"))
    failures = _items(information, "FailedSOPSequence")
    failed = {_uid(item): item.number("FailureReason") for item in failures}
    named = {*stored, *failed}
    if len(named) != len(stored) + len(failures):
        raise Malformed("an instance is named twice")
    if not named or len(named) > MOST:
        raise Malformed("no instance, or too many")
    if bool(failed) is (event_type == _ALL_STORED):
        raise Malformed("failures do not fit the type of the event")
    transaction = information.text("TransactionUID")
    if not is_uid(transaction):
        raise Malformed("no Transaction UID")
    return CommitmentReport(transaction_uid=transaction, stored=stored, failed=failed)


def _items(information: Elements, keyword: str) -> tuple[Elements, ...]:
    found = information.find(keyword)
    return found.items if found else ()


def _uid(item: Elements) -> str:
    uid = item.text("ReferencedSOPInstanceUID")
    if not is_uid(uid):
        raise Malformed("an instance without its UID")
    return uid
