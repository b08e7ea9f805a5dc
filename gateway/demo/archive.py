"""An archive for the demo: C-STORE, C-ECHO, commitment. Each object is durable in a file before it says yes.

Not an archive to keep anything in: no index, no query, one folder.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import AllStoragePresentationContexts, build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import time

from gateway.config.dicom import TRANSFER_SYNTAXES
from gateway.demo import vouching
from gateway.demo.peer import DemoPeer
from gateway.dicom import elements, part10, values
from gateway.dicom.elements import Elements, Malformed
from gateway.errors import DiskFailed, DiskFull
from gateway.log import warn
from gateway.spool.files import Files

_log = logging.getLogger(__name__)

AE_TITLE = "DEMOPACS"
_META = 1 << 16  # bytes in which a file's meta information ends
_STORED, _OUT_OF_RESOURCES, _MISMATCH, _NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000  # PS3.4 table B.2-1


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """One object as the archive has it. `bytes`: of the file; `again`: it was there already."""

    study_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    instance_number: str
    frames: int
    bytes: int
    path: Path
    again: bool = False


class DemoArchive(DemoPeer):
    """Stores under `folder`/study/object.dcm. `arrived` is called with each object, in a thread of its caller."""

    def __init__(
        self,
        folder: Path,
        *,
        arrived: Callable[[Arrival], None],
        files: Files | None = None,
        ae_title: str = AE_TITLE,
    ) -> None:
        self._folder = folder
        self._arrived = arrived
        self._files = files or Files()
        self._lock = threading.Lock()  # one object at a time: two callers may bring the same one
        self._counts = Counter({path.name: len(list(path.glob("*.dcm"))) for path in folder.glob("*")})
        forms = list(TRANSFER_SYNTAXES)  # whatever the product makes
        contexts = [build_context(str(each.abstract_syntax), forms) for each in AllStoragePresentationContexts]
        contexts.append(build_context(Verification, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]))
        contexts.append(vouching.Vouching.context())
        self.vouching = vouching.Vouching(self._kept)
        handlers = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, lambda _: _STORED),
            (evt.EVT_N_ACTION, self.vouching.take),
        ]
        super().__init__(ae_title, contexts=contexts, handlers=handlers)

    def count(self, study_instance_uid: str) -> int:
        """Return how many different objects of a study are here."""
        return self._counts[study_instance_uid]

    def path(self, study_instance_uid: str, sop_instance_uid: str) -> Path:
        return self._folder / study_instance_uid / f"{sop_instance_uid}.dcm"

    def _kept(self, sop_instance_uid: str) -> str:
        """Return the SOP Class UID of an object that lies here; "" when none does, or nobody can read it."""
        found = list(self._folder.glob(f"*/{sop_instance_uid}.dcm")) if values.is_uid(sop_instance_uid) else []
        try:
            with found[0].open("rb") as file:
                return part10.read_meta(file.read(_META)).sop_class_uid
        except (IndexError, Malformed, OSError):
            return ""

    def _store(self, event: evt.Event) -> int:
        request = event.request
        assert isinstance(request, C_STORE)
        raw = request.DataSet.getvalue() if request.DataSet else b""
        meta = part10.Meta(
            sop_class_uid=str(request.AffectedSOPClassUID),
            sop_instance_uid=str(request.AffectedSOPInstanceUID),
            transfer_syntax_uid=str(event.context.transfer_syntax),
        )
        try:
            head = elements.parse(raw, explicit=meta.transfer_syntax_uid != part10.IMPLICIT_LE)
        except Malformed:
            return _NOT_UNDERSTOOD
        study = head.text("StudyInstanceUID")
        if not _fits(head, meta) or not values.is_uid(study):
            return _MISMATCH
        try:
            with self._lock:
                arrival = self._keep(raw, head, meta, study)
        except (DiskFull, DiskFailed, OSError) as error:
            warn(_log, "object_not_kept", error=type(error).__name__)
            return _OUT_OF_RESOURCES
        self._arrived(arrival)
        return _STORED

    def _keep(self, raw: bytes, head: Elements, meta: part10.Meta, study: str) -> Arrival:
        path = self.path(study, meta.sop_instance_uid)
        if not path.parent.exists():
            self._files.make_folder(path.parent)
        again = path.exists()
        written = self._files.write(path, [part10.preface(meta), raw])
        self._counts[study] += not again
        return _arrival(path, head, meta, size=written.bytes, again=again)


def read(path: Path) -> Arrival:
    """Return what one of the archive's files is. Raises Malformed, OSError."""
    file = path.read_bytes()
    meta = part10.read_meta(file[:_META])
    return _arrival(path, part10.read_data_set(file), meta, size=len(file))


def _arrival(path: Path, head: Elements, meta: part10.Meta, *, size: int, again: bool = False) -> Arrival:
    return Arrival(
        study_instance_uid=head.text("StudyInstanceUID"),
        sop_instance_uid=meta.sop_instance_uid,
        sop_class_uid=meta.sop_class_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        instance_number=head.text("InstanceNumber"),
        frames=int(head.text("NumberOfFrames") or 1),
        bytes=size,
        path=path,
        again=again,
    )


def _fits(head: Elements, meta: part10.Meta) -> bool:
    """Say whether the data set is the object that the message announced, under names that can be used."""
    announced = (meta.sop_class_uid, meta.sop_instance_uid)
    frames = head.text("NumberOfFrames")
    return (
        (head.text("SOPClassUID"), head.text("SOPInstanceUID")) == announced
        and all(map(values.is_uid, announced))
        and (not frames or frames.isdecimal())
    )
