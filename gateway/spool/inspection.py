"""Compares what is stored with its records: every exam's files, and the audit file. Looks, and changes nothing."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import SpoolDamaged
from gateway.model import Capture, MediaKind, SealedObject
from gateway.spool import clips, records
from gateway.spool.chain import Verdict
from gateway.spool.erasure import erased
from gateway.spool.key_stills import Plan
from gateway.spool.paths import KEY_STILLS, PURGED, SEAL, SIDECAR
from gateway.spool.recovery.exams import load_exam
from gateway.spool.spool import Spool

_UNREADABLE = "file-unreadable"
_PIECE = 1 << 22  # bytes that are read between two steps
Step = Callable[[int], None]  # called with 1 before each picture, and with 0 while one is read


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One file that is not what its record says; no file: something of the exam as a whole."""

    exam: str
    file: str = ""
    what: str
    code: str

    @property
    def place(self) -> str:
        return f"{self.exam}/{self.file}" if self.file else self.exam


def verify_audit(spool: Spool, step: Callable[[], None] = lambda: None) -> Verdict:
    """Say whether the audit file is as it was written. `step` is called at each line. Raises SpoolDamaged."""
    sent = spool.audit.witness(spool.layout.audit_sent)
    return spool.audit.verify(*([sent] if sent else []), step=step)


def exams_of(spool: Spool) -> list[str]:
    """Return the exams on the disk, whatever the index knows; of one that lost its exam.json there are pictures."""
    return sorted({path.parent.name for path in spool.layout.of_exams("*" + SIDECAR)})


def count_of(spool: Spool, exam: str) -> int:
    """Return how many steps `inspect` makes for an exam, as it is now."""
    return sum(map(len, _pictures(spool, exam)))


def inspect(spool: Spool, exams: Iterable[str], step: Step) -> Iterator[Finding]:
    """Yield what is wrong on the disk. The box may be at work: what `step` raises ends it, and it may wait.

    Raises SpoolDamaged when the index is no sound database.
    """
    spool.database.check()
    for exam in exams:
        if found := list(inspect_exam(spool, exam, step)):
            # Meanwhile a picture may have been sealed, moved, let go or erased: what is wrong is so twice.
            again = set(inspect_exam(spool, exam, lambda _: step(0)))
            if spool.layout.exam(exam).is_dir():
                yield from (each for each in found if each in again)
    for exam in erased.unfinished(spool):
        what = "was erased, and traces of it are left on the disk; they go when no exam was open for ten minutes"
        yield Finding(exam=exam, what=what, code=erased.LEFT)


def inspect_exam(spool: Spool, exam: str, step: Step = lambda _: None) -> Iterator[Finding]:
    """Yield what is wrong with one exam's files."""
    folder = spool.layout.exam(exam)
    record = load_exam(spool.layout.exam_json(exam))
    if record is None:
        yield Finding(exam=exam, file="exam.json", what="cannot be read", code=_UNREADABLE)
    captured, sealed = _pictures(spool, exam)
    derived = {uid for path in folder.glob("*" + KEY_STILLS + "*") for uid in _stills_of(path)}
    derived |= {each.sop_instance_uid for each in record.key_documents} if record else set()
    for uid in captured:
        step(1)
        found = list(_capture(spool, exam, uid, step))
        if not spool.layout.seal(exam, uid).exists():  # else it was sealed while we looked
            yield from found
    for uid in sealed:
        step(1)
        yield from _object(spool, exam, uid, step)
        if uid not in derived:
            yield from _sidecar_of_object(spool, exam, uid)


def _pictures(spool: Spool, exam: str) -> tuple[list[str], list[str]]:
    """Return the UIDs of the captures that are not sealed, and of the objects that are."""
    folder = spool.layout.exam(exam)
    sealed, gone, sidecars = (
        {path.name.removesuffix(suffix) for path in folder.glob("*" + suffix)} for suffix in (SEAL, PURGED, SIDECAR)
    )
    open_ones = sidecars - sealed - gone - {"exam"}  # exam.json is none
    return sorted(uid for uid in open_ones if not spool.layout.moved(exam, uid).exists()), sorted(sealed)


def _stills_of(plan: Path) -> list[str]:
    """Return the UIDs of the key stills that a plan names: they have no sidecar of their own."""
    try:
        return [still.sop_instance_uid for still in records.load(Plan, plan.read_bytes()).stills]
    except (SpoolDamaged, OSError):
        return []


def _capture(spool: Spool, exam: str, uid: str, step: Step) -> Iterator[Finding]:
    try:
        capture = records.load(Capture, spool.layout.sidecar(exam, uid).read_bytes())
        if _media_digest(spool, capture, step) != capture.sha256:
            yield Finding(exam=exam, file=capture.media, what="is not what was captured", code=SpoolDamaged.code)
    except (SpoolDamaged, OSError) as error:
        what = f"or its media cannot be read ({type(error).__name__})"
        yield Finding(exam=exam, file=uid + SIDECAR, what=what, code=_code_of(error))


def _media_digest(spool: Spool, capture: Capture, step: Step) -> str:
    media = spool.layout.media(capture.exam, capture.media)
    if capture.kind is MediaKind.CLIP:
        _, entries = clips.read_index(spool.layout.index(capture.exam, capture.sop_instance_uid))
        return clips.digest_of(media, entries)
    return _digest(media, step)


def _sidecar_of_object(spool: Spool, exam: str, uid: str) -> Iterator[Finding]:
    """Say so when a rebuild could not list the capture any more; its object is not in danger."""
    try:
        records.load(Capture, spool.layout.sidecar(exam, uid).read_bytes())
    except (SpoolDamaged, OSError) as error:
        what = f"cannot be read ({type(error).__name__})"
        yield Finding(exam=exam, file=uid + SIDECAR, what=what, code=_code_of(error))


def _object(spool: Spool, exam: str, uid: str, step: Step) -> Iterator[Finding]:
    try:
        seal = records.load(SealedObject, spool.layout.seal(exam, uid).read_bytes())
        if spool.layout.purged(exam, seal.capture).exists():
            return  # an archive has it; the seal tells what it was
        if _digest(spool.layout.object(exam, uid), step) != seal.sha256:
            what = "was changed after it was sealed"
            yield Finding(exam=exam, file=f"{uid}.dcm", what=what, code=SpoolDamaged.code)
    except (SpoolDamaged, OSError) as error:
        what = f"or its seal cannot be read ({type(error).__name__})"
        yield Finding(exam=exam, file=f"{uid}.dcm", what=what, code=_code_of(error))


def _digest(path: Path, step: Step) -> str:
    """Return the SHA-256 of a file. Nobody reads it soon again: the memory that it takes is left to others."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            os.posix_fadvise(file.fileno(), 0, file.tell(), os.POSIX_FADV_DONTNEED)
            step(0)
    return digest.hexdigest()


def _code_of(error: SpoolDamaged | OSError) -> str:
    """Return one of deliveries.FILE_LOST: the same trouble has the same code wherever it is met."""
    if isinstance(error, SpoolDamaged):
        return error.code
    return "file-missing" if isinstance(error, FileNotFoundError) else _UNREADABLE
