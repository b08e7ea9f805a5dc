"""A stick in a folder, and foreign eyes on it: media are read with pydicom, not with our own code."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pydicom

from gateway.clock import FakeClock
from gateway.forward.media.forms import Item
from gateway.forward.media.writer import Writing
from gateway.model import Exam
from gateway.spool.files import Files
from gateway.spool.spool import Spool
from tests.forward.bench import Disk


def items(spool: Spool, *exams: Exam) -> list[Item]:
    return [
        Item(sealed=sealed, path=spool.objects.path(sealed))
        for exam in exams
        for sealed in spool.objects.of_exam(exam.id)
    ]


def write(stick: Path, wanted: list[Item], *, files: Files | None = None, **more: object) -> None:
    """Write objects onto a stick in one session. Raises MediaError."""
    with Writing(stick, wanted, files=files or Files(), clock=FakeClock(), **more) as writing:  # type: ignore[arg-type]
        for item in wanted:
            writing.put(item)
        writing.finish()


def listed(stick: Path) -> dict[str, Path]:
    """What the DICOMDIR names, by SOP Instance UID; fails when it names a file that is not that object, whole."""
    path = stick / "DICOMDIR"
    if not path.exists():
        return {}
    found = {}
    for record in pydicom.dcmread(path).DirectoryRecordSequence:
        if record.DirectoryRecordType in {"IMAGE", "KEY OBJECT DOC"}:
            file = stick.joinpath(*record.ReferencedFileID)
            uid = record.ReferencedSOPInstanceUIDInFile
            assert pydicom.dcmread(file).SOPInstanceUID == uid
            found[uid] = file
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def holds(stick: Path, wanted: list[Item]) -> bool:
    """Say whether the DICOMDIR names exactly these objects, each as it was sealed."""
    found = listed(stick)
    seals = {item.sealed.sop_instance_uid: item.sealed.sha256 for item in wanted}
    return {uid: sha256(file) for uid, file in found.items()} == seals


@dataclass(kw_only=True)
class Slot:
    """Where a stick is plugged in, or not."""

    plugged: bool = True

    def __call__(self, folder: Path, data_dir: Path) -> bool:
        del folder, data_dir
        return self.plugged


class BadStick(Disk):
    """A stick that keeps something else than it was given: one bit of the files whose names begin with `victim`."""

    def __init__(self, victim: str) -> None:
        super().__init__()
        self._victim = victim

    def _rename(self, old: Path, new: Path) -> None:
        super()._rename(old, new)
        if new.name.startswith(self._victim):
            content = bytearray(new.read_bytes())
            content[len(content) // 2] ^= 1
            new.write_bytes(content)
