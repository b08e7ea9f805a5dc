"""What a storage commitment report says: read strictly, and noise is never taken for a good word."""

import random
import struct

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom.dsutils import encode

from gateway.dicom.commitment import MOST, read_report
from gateway.dicom.elements import Malformed
from gateway.model import CommitmentReport

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def information(stored: tuple[str, ...] = (), failed: dict[str, int] | None = None, **more: object) -> Dataset:
    said = Dataset()
    said.TransactionUID = "2.25.1"
    if stored:
        said.ReferencedSOPSequence = Sequence([item(uid) for uid in stored])
    if failed:
        said.FailedSOPSequence = Sequence([item(uid, FailureReason=reason) for uid, reason in failed.items()])
    for keyword, value in more.items():
        setattr(said, keyword, value)
    return said


def item(uid: str, **more: object) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID = SECONDARY_CAPTURE
    made.ReferencedSOPInstanceUID = uid
    for keyword, value in more.items():
        setattr(made, keyword, value)
    return made


def raw(said: Dataset, syntax: str = EXPLICIT) -> bytes:
    encoded = encode(said, is_implicit_vr=syntax == IMPLICIT, is_little_endian=True)
    assert encoded is not None
    return encoded


def read(said: Dataset, event_type: int = 1, syntax: str = EXPLICIT) -> CommitmentReport:
    return read_report(raw(said, syntax), event_type=event_type, transfer_syntax_uid=syntax)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
@pytest.mark.parametrize("undefined", [False, True])
def test_a_report_is_read_in_every_form_it_may_come_in(syntax: str, undefined: bool) -> None:  # noqa: FBT001
    said = information(
        ("1.2.3", "1.2.4"), {"1.2.5": 0x0112}, RetrieveAETitle="PACS", StorageMediaFileSetID="", InstitutionName="x"
    )
    for element in (said["ReferencedSOPSequence"], said["FailedSOPSequence"]):
        element.is_undefined_length = undefined
        for each in element.value:
            each.is_undefined_length_sequence_item = undefined
    assert read(said, 2, syntax) == CommitmentReport(
        transaction_uid="2.25.1", stored=("1.2.3", "1.2.4"), failed={"1.2.5": 0x0112}
    )


def test_a_failure_without_a_reason_stays_a_failure() -> None:
    said = information(("1.2.3",), {"1.2.4": 0x0112})
    del said.FailedSOPSequence[0].FailureReason
    assert read(said, 2).failed == {"1.2.4": 0}
    assert read(said, 2).stored == ("1.2.3",)


REFUSED = {
    "no transaction": (lambda: information(("1.2.3",), TransactionUID=""), 1),
    "a transaction that is no UID": (lambda: information(("1.2.3",), TransactionUID="PACS"), 1),
    "all stored, but failures": (lambda: information(("1.2.3",), {"1.2.4": 0x0112}), 1),
    "failures, but none": (lambda: information(("1.2.3",)), 2),
    "no object": (information, 1),
    "one object twice": (lambda: information(("1.2.3", "1.2.3")), 1),
    "one object stored and failed": (lambda: information(("1.2.3",), {"1.2.3": 0x0112}), 2),
    "an object without its UID": (lambda: information(("1.2.3", "")), 1),
    "two UIDs for one object": (lambda: information(("1.2.3\\1.2.4",)), 1),
    "too many objects": (lambda: information(tuple(f"1.2.{n}" for n in range(MOST + 1))), 1),
}


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI", "ignore:The value length")
@pytest.mark.parametrize("what", REFUSED)
def test_a_report_that_contradicts_itself_is_none(what: str) -> None:
    make, event_type = REFUSED[what]
    with pytest.raises(Malformed):
        read(make(), event_type)


def test_a_report_in_a_syntax_that_was_not_agreed_on_is_none() -> None:
    with pytest.raises(Malformed):
        read_report(raw(information(("1.2.3",))), event_type=1, transfer_syntax_uid="1.2.840.10008.1.2.2")


@pytest.mark.parametrize("of", ["elements", "items"])
def test_a_report_of_a_million_tiny_pieces_is_not_read_to_its_end(of: str) -> None:
    """Each takes thirty times its eight bytes once it is read."""
    if of == "items":
        pieces = struct.pack("<HHL", 0xFFFE, 0xE000, 0) * 60_000
        flood = struct.pack("<HHL", 0x0008, 0x1199, len(pieces)) + pieces
    else:
        flood = b"".join(struct.pack("<HHL", 0x0009, number, 0) for number in range(1, 60_000))
    with pytest.raises(Malformed, match="more elements"):
        read_report(flood, event_type=1, transfer_syntax_uid=IMPLICIT)


def test_noise_is_refused_and_raises_nothing_else() -> None:
    chance = random.Random(3)
    whole = raw(information(("1.2.3", "1.2.4"), {"1.2.5": 0x0112}))
    refused = 0
    for _ in range(3000):
        noise = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            noise[chance.randrange(len(noise))] = chance.randrange(256)
        cut = bytes(noise[: chance.randrange(1, len(noise) + 1)])
        try:
            found = read_report(cut, event_type=2, transfer_syntax_uid=EXPLICIT)
        except Malformed:
            refused += 1
        else:
            assert found.failed, "failures became good words"
    assert refused > 2000
