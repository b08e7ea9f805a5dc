"""Compares an exam's files with their records. Looks, and changes nothing."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import SpoolDamaged
from gateway.model import Capture, MediaKind, SealedObject
from gateway.spool import clips, records
from gateway.spool.files import sha256_of
from gateway.spool.key_stills import Plan
from gateway.spool.paths import KEY_STILLS, PURGED, SEAL, SIDECAR
from gateway.spool.recovery import load_exam
from gateway.spool.spool import Spool


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One file that is not what its record says."""

    exam: str
    file: str
    what: str


def inspect_exam(spool: Spool, exam: str) -> Iterator[Finding]:
    """Yield what is wrong with one exam's files."""
    folder = spool.layout.exam(exam)
    record = load_exam(spool.layout.exam_json(exam))
    if record is None:
        yield Finding(exam=exam, file="exam.json", what="cannot be read")
    sealed = {path.name.removesuffix(SEAL) for path in folder.glob("*" + SEAL)}
    derived = {uid for path in folder.glob("*" + KEY_STILLS + "*") for uid in _stills_of(path)}
    derived |= {each.sop_instance_uid for each in record.key_documents} if record else set()
    gone = {path.name.removesuffix(PURGED) for path in folder.glob("*" + PURGED)}
    for path in sorted(folder.glob("*" + SIDECAR)):
        uid = path.name.removesuffix(SIDECAR)
        if path.name == "exam.json" or uid in sealed | gone or spool.layout.moved(exam, uid).exists():
            continue
        found = list(_capture(spool, exam, uid))
        if not spool.layout.seal(exam, uid).exists():  # else it was sealed while we looked
            yield from found
    for uid in sorted(sealed):
        yield from _object(spool, exam, uid)
        if uid not in derived:
            yield from _sidecar_of_object(spool, exam, uid)


def _stills_of(plan: Path) -> list[str]:
    """Return the UIDs of the key stills that a plan names: they have no sidecar of their own."""
    try:
        return [still.sop_instance_uid for still in records.load(Plan, plan.read_bytes()).stills]
    except (SpoolDamaged, OSError):
        return []


def _capture(spool: Spool, exam: str, uid: str) -> Iterator[Finding]:
    try:
        capture = records.load(Capture, spool.layout.sidecar(exam, uid).read_bytes())
        if _media_digest(spool, capture) != capture.sha256:
            yield Finding(exam=exam, file=capture.media, what="is not what was captured")
    except (SpoolDamaged, FileNotFoundError) as error:
        yield Finding(exam=exam, file=uid + SIDECAR, what=f"or its media cannot be read ({type(error).__name__})")


def _media_digest(spool: Spool, capture: Capture) -> str:
    media = spool.layout.media(capture.exam, capture.media)
    if capture.kind is MediaKind.CLIP:
        _, entries = clips.read_index(spool.layout.index(capture.exam, capture.sop_instance_uid))
        return clips.digest_of(media, entries)
    return hashlib.sha256(media.read_bytes()).hexdigest()


def _sidecar_of_object(spool: Spool, exam: str, uid: str) -> Iterator[Finding]:
    """Say so when a rebuild could not list the capture any more; its object is not in danger."""
    try:
        records.load(Capture, spool.layout.sidecar(exam, uid).read_bytes())
    except (SpoolDamaged, FileNotFoundError) as error:
        yield Finding(exam=exam, file=uid + SIDECAR, what=f"cannot be read ({type(error).__name__})")


def _object(spool: Spool, exam: str, uid: str) -> Iterator[Finding]:
    try:
        seal = records.load(SealedObject, spool.layout.seal(exam, uid).read_bytes())
        if spool.layout.purged(exam, seal.capture).exists():
            return  # an archive has it; the seal tells what it was
        if sha256_of(spool.layout.object(exam, uid)) != seal.sha256:
            yield Finding(exam=exam, file=f"{uid}.dcm", what="was changed after it was sealed")
    except (SpoolDamaged, FileNotFoundError) as error:
        yield Finding(exam=exam, file=f"{uid}.dcm", what=f"or its seal cannot be read ({type(error).__name__})")
