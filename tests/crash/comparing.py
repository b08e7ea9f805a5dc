"""What was acknowledged against what lies on the box, in the archives and on the medium."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pydicom

from tests.box import Box, until
from tests.crash import telling
from tests.crash.busy import BusyTechnician
from tests.crash.clinic import FILES, STILLS, VOUCHES, Clinic

_REST_S = 120.0
_VOUCHING_S = 8.0  # an object that the box asked about when it was killed it asks about again after ten minutes
_SETTLED = {"sent", "held", "committed"}


@dataclass(kw_only=True)
class Found:
    """What a part came to. `lost`, `wrong`: UIDs and words. `repeats`: messages about steps that went twice."""

    acknowledged: int = 0
    arrived: int = 0
    rejected: int = 0
    kept_back: int = 0
    committed: int = 0
    purged: int = 0
    steps: int = 0
    repeats: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class State:
    """What the box says once nothing moves any more. `at`: UID to destination to state."""

    exams: dict[str, dict[str, Any]]
    at: dict[str, dict[str, str]]

    @property
    def captures(self) -> dict[str, dict[str, Any]]:
        return {one["sop_instance_uid"]: one for exam in self.exams.values() for one in exam["captures"]}


def compare(technician: BusyTechnician, clinic: Clinic) -> Found:
    """Let everything come to rest, then note what was acknowledged and is nowhere, and what is wrong anywhere."""
    box, owners = clinic.box, technician.owners
    until("the box to be ready", box.is_ready)
    for exam in technician.exams:
        if exam not in technician.kept_back and box.get(f"/exams/{exam}")["please_check"]:
            box.post(f"/exams/{exam}/confirm")
    state, told_safe = rested(technician, clinic)
    vouched = vouched_in(state)
    back = {uid for uid, exam in technician.exam_of.items() if exam in technician.kept_back}
    found = Found(
        acknowledged=len(technician.exam_of) - len(technician.rejected),
        arrived=len(list(clinic.files.received.iterdir())),
        rejected=len(technician.rejected),
        kept_back=len(back - technician.rejected),
        committed=len(vouched),
        purged=sum(bool(one["purged_at"]) for one in state.captures.values()),
    )
    found.lost = sorted(lost(technician, clinic, state))
    for each in (
        listed_wrong(technician, state),
        files_wrong(technician, clinic, state),
        vouching_wrong(technician, clinic, vouched, told_safe),
        stills_wrong(technician, clinic, state),
        medium_wrong(clinic, owners),
    ):
        found.wrong += each
    told = telling.told(clinic.steps)
    found.steps, found.repeats = len(told.steps), told.repeats
    found.wrong += telling.wrong(
        told, technician, state.exams, derived={a.sop_instance_uid for a in clinic.stills.arrived}
    )
    return found


def rested(technician: BusyTechnician, clinic: Clinic) -> tuple[State, set[str]]:
    """Wait until nothing moves any more; return what the box says then, and what it heard is safe before that."""
    wait = partial(until, "everything to come to rest", lambda: at_rest(technician, clinic), _REST_S)
    state = wait()
    end = time.monotonic() + _VOUCHING_S
    while vouched_in(state) < technician.owners.keys() and time.monotonic() < end:
        time.sleep(0.2)
        state = wait()
    told_safe = {uid for uid, status in list(clinic.vouching.told.items()) if status == 0}
    return wait(), told_safe


def vouched_in(state: State) -> set[str]:
    return {uid for uid, at in state.at.items() if at.get(VOUCHES) == "committed"}


def at_rest(technician: BusyTechnician, clinic: Clinic) -> State | None:
    """Return what the box says, or None while something still moves."""
    exams = {exam: clinic.box.get(f"/exams/{exam}") for exam in technician.exams}
    at: dict[str, dict[str, str]] = {}
    for one in clinic.box.get("/deliveries?limit=2000")["deliveries"]:
        at.setdefault(one["sop_instance_uid"], {})[one["destination"]] = one["state"]
    if any(state not in _SETTLED for states in at.values() for state in states.values()):
        return None
    for exam in exams.values():
        if exam["id"] in technician.kept_back:
            continue
        for one in exam["captures"]:
            wanted = clinic.everything | ({STILLS} if one["kind"] == "clip" else set())
            if (
                one["state"] != "rejected"
                and not one["problem"]
                and at.get(one["sop_instance_uid"], {}).keys() != wanted
            ):
                return None
        if not telling.is_told(exam):
            return None
    return State(exams=exams, at=at)


def lost(technician: BusyTechnician, clinic: Clinic, state: State) -> Iterator[str]:
    """Yield what was acknowledged and did not go everywhere, and what was kept back and is not on the box."""
    for uid in technician.owners:
        at = state.at.get(uid, {})
        if any(at.get(name) not in {"sent", "committed"} for name in clinic.everything):
            yield uid
    for uid, exam in technician.exam_of.items():
        if exam in technician.kept_back and uid not in technician.rejected:
            listed = state.captures.get(uid, {})
            media = [
                *clinic.box.data.glob(f"exams/{exam}/{uid}.*jpg"),
                *clinic.box.data.glob(f"exams/{exam}/{uid}.frames"),
            ]
            if listed.get("state") != "saved" or len(media) != 1:
                yield uid


def listed_wrong(technician: BusyTechnician, state: State) -> Iterator[str]:
    """Compare what the box lists."""
    known = set(technician.exam_of)
    yield from (f"{uid}: nobody asked for it" for uid in state.captures.keys() - known)
    for uid, exam in technician.exam_of.items():
        if uid not in {one["sop_instance_uid"] for one in state.exams[exam]["captures"]}:
            yield f"{uid}: not listed in its exam"
    for exam, said in state.exams.items():
        numbers = [one["instance_number"] for one in said["captures"]]
        if len(set(numbers)) != len(numbers):
            yield f"{exam}: two pictures of one number"
        if said["patient"]["id"] != technician.patient_of[exam] and exam not in technician.kept_back:
            yield f"{exam}: another's exam"
        study = technician.study_of.get(exam)
        if study and said["study_instance_uid"] != study:
            yield f"{exam}: not the study of its order"


def files_wrong(technician: BusyTechnician, clinic: Clinic, state: State) -> Iterator[str]:
    """Compare the archive that keeps what it gets as files."""
    owners = technician.owners
    arrived = {file.name.split(".", 1)[1]: file for file in clinic.files.received.iterdir()}
    yield from (f"{uid}: sent, though nobody let it go" for uid in arrived.keys() - owners.keys())
    for uid in owners.keys() - arrived.keys():
        if state.at.get(uid, {}).get(FILES) == "sent":
            yield f"{uid}: called sent, and not there"
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
        yield from pixels_wrong(uid, data, clinic.box, state)


def pixels_wrong(uid: str, data: pydicom.Dataset, box: Box, state: State) -> Iterator[str]:
    """Compare what arrived with the sealed object, which is there unless it was let go."""
    kept = list(box.data.glob(f"exams/*/{uid}.dcm"))
    if state.captures[uid]["purged_at"]:
        if kept:
            yield f"{uid}: let go, and still there"
    elif len(kept) != 1 or pydicom.dcmread(kept[0]).PixelData != data.PixelData:
        yield f"{uid}: arrived with other pixels"


def vouching_wrong(
    technician: BusyTechnician, clinic: Clinic, vouched: set[str], told_safe: set[str]
) -> Iterator[str]:
    """Compare the archive that vouches: it has what is called safe, and what it vouched for is called so."""
    owners, there = technician.owners, {each.sop_instance_uid for each in clinic.vouching.arrived}
    asked = {uid for uids in clinic.vouching.requests.values() for uid in uids}
    yield from (f"{uid}: sent to be vouched for, though nobody let it go" for uid in there - owners.keys())
    yield from (f"{uid}: called safe, and not there" for uid in vouched - there)
    yield from (f"{uid}: called safe, and nobody asked whether it is" for uid in vouched - asked)
    yield from (f"{uid}: heard to be safe, and not called so" for uid in told_safe - vouched)
    forms = Counter(
        {(each.sop_instance_uid, hashlib.sha256(each.data_set).digest()) for each in clinic.vouching.arrived}
    )
    yield from (f"{uid}: sent twice, and not alike" for uid, n in Counter(uid for uid, _ in forms).items() if n > 1)


def stills_wrong(technician: BusyTechnician, clinic: Clinic, state: State) -> Iterator[str]:
    """Compare the archive that gets stills in place of clips: two of each clip, always the same ones."""
    owners = technician.owners
    clips = {uid for uid in owners if state.captures.get(uid, {}).get("kind") == "clip"}
    held = {uid for uid, at in state.at.items() if at.get(STILLS) == "held"}
    sent = {uid for uid, at in state.at.items() if at.get(STILLS) == "sent"}
    there = {each.sop_instance_uid for each in clinic.stills.arrived}
    yield from (f"{uid}: no stills in its place" for uid in clips - held)
    if sent != there or len(there) > 2 * len(clips):
        yield f"{len(there)} stills of {len(clips)} clips arrived, {len(sent)} are called sent"


def medium_wrong(clinic: Clinic, owners: dict[str, str]) -> Iterator[str]:
    """Compare the medium: its DICOMDIR names what was let go, each once, with the bytes that were sealed."""
    if clinic.medium is None:
        return
    named: Counter[str] = Counter()
    for record in pydicom.dcmread(clinic.medium / "DICOMDIR").DirectoryRecordSequence:
        if "ReferencedFileID" not in record:
            continue
        uid = str(record.ReferencedSOPInstanceUIDInFile)
        named[uid] += 1
        (seal,) = clinic.box.data.glob(f"exams/*/{uid}.seal")
        file = clinic.medium.joinpath(*record.ReferencedFileID)
        if hashlib.sha256(file.read_bytes()).hexdigest() != json.loads(seal.read_bytes())["sha256"]:
            yield f"{uid}: other bytes on the medium"
    yield from (f"{uid}: on the medium, though nobody let it go" for uid in named.keys() - owners.keys())
    yield from (f"{uid}: not on the medium" for uid in owners.keys() - named.keys())
    yield from (f"{uid}: twice on the medium" for uid, count in named.items() if count > 1)
