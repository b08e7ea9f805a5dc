"""What each archive, the medium and the lists on the box hold, against what was acknowledged and let go."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom

from tests.crash.busy import BusyTechnician
from tests.crash.clinic import FILES, STILLS, Clinic, Vouching
from tests.dicom_checks import H264


@dataclass(frozen=True, kw_only=True)
class State:
    """What the box says once nothing moves any more. `at`: UID to destination to state; `copies`: by number."""

    exams: dict[str, dict[str, Any]]
    at: dict[str, dict[str, str]]
    copies: dict[str, dict[str, Any]]

    @property
    def captures(self) -> dict[str, dict[str, Any]]:
        return {one["sop_instance_uid"]: one for exam in self.exams.values() for one in exam["captures"]}


def files_wrong(technician: BusyTechnician, clinic: Clinic, state: State) -> Iterator[str]:
    """Compare the archive that keeps what it gets as files."""
    owners = technician.owners
    arrived = {file.name.split(".", 1)[1]: file for file in clinic.files.received.iterdir()}
    yield from (f"{uid}: sent, though nobody let it go" for uid in arrived.keys() - owners.keys())
    for uid in owners.keys() - arrived.keys():
        if state.at.get(uid, {}).get(FILES) == "sent":
            yield f"{uid}: called sent, and not there"
    copies = dict(on_medium(clinic.medium))
    for uid in owners.keys() & arrived.keys():
        exam = state.exams[technician.exam_of[uid]]
        data = pydicom.dcmread(arrived[uid])
        whose = (uid, owners[uid], exam["study_instance_uid"])
        if (data.SOPInstanceUID, data.PatientID, data.StudyInstanceUID) != whose:
            yield f"{uid}: arrived as another's"
        performed = [
            each.ReferencedSOPInstanceUID for each in data.get("ReferencedPerformedProcedureStepSequence", ())
        ]
        if len(performed) != 1 or performed[0] not in {each["sop_instance_uid"] for each in exam["steps"]}:
            yield f"{uid}: arrived without its procedure step"
        yield from pixels_wrong(uid, data, clinic, state, copies.get(uid))


def pixels_wrong(uid: str, data: pydicom.Dataset, clinic: Clinic, state: State, copy: Path | None) -> Iterator[str]:
    """Compare what arrived with the sealed object, or with its copy on the medium once the box let it go."""
    kept = list(clinic.box.data.glob(f"exams/*/{uid}.dcm"))
    if state.captures[uid]["purged_at"]:
        if kept:
            yield f"{uid}: let go, and still there"
        kept = [copy] if copy else []
        if clinic.medium is None:
            return
    if len(kept) != 1 or pydicom.dcmread(kept[0]).PixelData != data.PixelData:
        yield f"{uid}: arrived with other pixels"


def vouching_wrong(
    archive: Vouching, owners: dict[str, str], vouched: set[str], told_safe: set[str]
) -> Iterator[str]:
    """Compare the archive that vouches: it has what is called safe, and what it vouched for is called so."""
    there = {each.sop_instance_uid for each in archive.arrived}
    asked = {uid for uids in archive.requests.values() for uid in uids}
    yield from (f"{uid}: sent to be vouched for, though nobody let it go" for uid in there - owners.keys())
    yield from (f"{uid}: asked about, and never sent" for uid in asked - there)
    yield from (f"{uid}: called safe, and not there" for uid in vouched - there)
    yield from (f"{uid}: called safe, and nobody asked whether it is" for uid in vouched - asked)
    yield from (f"{uid}: heard to be safe, and not called so" for uid in told_safe - vouched)
    forms = Counter({(each.sop_instance_uid, hashlib.sha256(each.data_set).digest()) for each in archive.arrived})
    yield from (f"{uid}: sent twice, and not alike" for uid, n in Counter(uid for uid, _ in forms).items() if n > 1)


def stills_wrong(technician: BusyTechnician, clinic: Clinic, state: State) -> Iterator[str]:
    """Compare the archive that gets stills in place of clips: two of each clip, always the same ones."""
    owners = technician.owners
    if clinic.films:
        return
    clips = {uid for uid in owners if state.captures.get(uid, {}).get("kind") == "clip"}
    held = {uid for uid, at in state.at.items() if at.get(STILLS) == "held"}
    sent = {uid for uid, at in state.at.items() if at.get(STILLS) == "sent"}
    there = {each.sop_instance_uid for each in clinic.stills.arrived}
    yield from (f"{uid}: no stills in its place" for uid in clips - held)
    if sent != there or not len(clips) <= len(there) <= 2 * len(clips):  # a salvaged clip may have one frame
        yield f"{len(there)} stills of {len(clips)} clips arrived, {len(sent)} are called sent"


def films(exams: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Return the H.264 clips that were sealed: where they are, or were, and what their seals say."""
    seals = ((seal, json.loads(seal.read_bytes())) for seal in exams.glob("*/*.seal"))
    return [(seal.with_suffix(".dcm"), said) for seal, said in seals if said["transfer_syntax_uid"] == H264]


def films_wrong(exams: Path, state: State) -> Iterator[str]:
    """Compare the H.264 clips with what was recorded: every frame, and nothing left of their making."""
    yield from (f"{path.name}: left of an encoding" for path in exams.glob("*/*.mp4.part"))
    for path, said in films(exams):
        uid = said["sop_instance_uid"]
        yield from (f"{each.name}: beside its object" for each in path.parent.glob(f"{uid}.frames"))
        if said["frames"] != state.captures[uid]["frames"]:
            yield f"{uid}: {said['frames']} frames of {state.captures[uid]['frames']}"


def sums_wrong(exams: Path) -> Iterator[str]:
    """Compare each exam's list of files with the seals of those that are there."""
    for folder in exams.iterdir():
        sealed = {file.with_suffix(".seal").name for file in folder.glob("*.dcm")}
        digests = (json.loads(seal.read_bytes())["sha256"] for seal in folder.glob("*.seal") if seal.name in sealed)
        file = folder / "SHA256SUMS"
        listed = [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []
        if sorted(digests) != sorted(listed):
            yield f"{folder.name}: lists other files than it has"


def on_medium(medium: Path | None) -> list[tuple[str, Path]]:
    """Return what a medium's DICOMDIR names: UIDs and files."""
    if medium is None or not (medium / "DICOMDIR").exists():
        return []
    records = pydicom.dcmread(medium / "DICOMDIR").DirectoryRecordSequence
    return [
        (str(each.ReferencedSOPInstanceUIDInFile), medium.joinpath(*each.ReferencedFileID))
        for each in records
        if "ReferencedFileID" in each
    ]


def medium_wrong(clinic: Clinic, owners: dict[str, str]) -> Iterator[str]:
    """Compare the medium: its DICOMDIR names what was let go, each once, with the bytes that were sealed."""
    if clinic.medium is None:
        return
    found = on_medium(clinic.medium)
    for uid, file in found:
        (seal,) = clinic.box.data.glob(f"exams/*/{uid}.seal")
        if hashlib.sha256(file.read_bytes()).hexdigest() != json.loads(seal.read_bytes())["sha256"]:
            yield f"{uid}: other bytes on the medium"
    named = Counter(uid for uid, _ in found)
    yield from (f"{uid}: on the medium, though nobody let it go" for uid in named.keys() - owners.keys())
    yield from (f"{uid}: not on the medium" for uid in owners.keys() - named.keys())
    yield from (f"{uid}: twice on the medium" for uid, count in named.items() if count > 1)


def copies_wrong(clinic: Clinic, state: State) -> Iterator[str]:
    """Compare the copies for looking at: those of an exam that is called copied are all there."""
    for said in state.copies.values():
        there = [copy for exam in said["exams"] for copy in (clinic.medium or Path()).glob(f"JPEG/*_{exam}/*.JPG")]
        if said["state"] == "done" and len(there) < said["objects"]:
            yield f"{said['exams']}: called copied, and {said['objects'] - len(there)} pictures are not there"
