"""What stands in the seal of an object whose file was read back and found good."""

from gateway.clock import Moment
from gateway.dicom.verify import Sealed
from gateway.model import KeyDocument, SealedObject


def seal_of(
    found: Sealed, uid: str, exam: str, *, at: Moment, decoded: bool = False, of: SealedObject | None = None
) -> SealedObject:
    """Return what is sealed. `decoded`: without further loss; `of`: the clip it was made of, if it was."""
    return SealedObject(
        sop_instance_uid=uid,
        sop_class_uid=found.sop_class_uid,
        transfer_syntax_uid=found.transfer_syntax_uid,
        exam=exam,
        capture=of.capture if of else uid,
        bytes=found.bytes,
        sha256=found.sha256,
        lossy=found.lossy,
        frames=found.frames,
        sealed=at,
        decoded=decoded,
        derived_from=of.sop_instance_uid if of else "",
    )


def seal_of_document(found: Sealed, document: KeyDocument, exam: str, *, at: Moment) -> SealedObject:
    """Return what is sealed of a list of key images: it is of no single capture."""
    return SealedObject(
        sop_instance_uid=document.sop_instance_uid,
        sop_class_uid=found.sop_class_uid,
        transfer_syntax_uid=found.transfer_syntax_uid,
        exam=exam,
        capture=document.sop_instance_uid,
        bytes=found.bytes,
        sha256=found.sha256,
        lossy=False,
        frames=0,
        sealed=at,
        derived_from=document.part_of,
        destinations=document.destinations,
    )
