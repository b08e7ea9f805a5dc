"""What was acknowledged against what lies on the box, in the archives and on the medium."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.box import until
from tests.crash import holdings, telling
from tests.crash.busy import BusyTechnician
from tests.crash.clinic import Clinic
from tests.crash.holdings import State
from tests.crash.resting import rested, vouched_in


@dataclass(kw_only=True)
class Found:
    """What a part came to. `lost`, `wrong`: UIDs and words. `repeats`: messages about steps that went twice."""

    acknowledged: int = 0
    arrived: int = 0
    rejected: int = 0
    kept_back: int = 0
    committed: int = 0
    purged: int = 0
    copied: int = 0
    clips: int = 0  # that were to leave
    films: int = 0
    jpegs: int = 0
    steps: int = 0
    repeats: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


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
        copied=sum(said["state"] == "done" for said in state.copies.values()),
        clips=sum(state.captures.get(uid, {}).get("kind") == "clip" for uid in owners),
        films=len(holdings.films(clinic.box.data / "exams")),
        purged=sum(bool(one["purged_at"]) for one in state.captures.values()),
    )
    found.lost = sorted(lost(technician, clinic, state))
    for each in (
        listed_wrong(technician, state),
        holdings.files_wrong(technician, clinic, state),
        holdings.vouching_wrong(clinic.vouching, owners, vouched, told_safe),
        holdings.stills_wrong(technician, clinic, state),
        holdings.films_wrong(clinic.box.data / "exams", state),
        holdings.sums_wrong(clinic.box.data / "exams"),
        holdings.medium_wrong(clinic, owners),
        holdings.copies_wrong(clinic, state),
    ):
        found.wrong += each
    told = telling.told(clinic.steps)
    found.steps, found.repeats = len(told.steps), told.repeats
    found.wrong += telling.wrong(
        told, technician, state.exams, derived={a.sop_instance_uid for a in clinic.stills.arrived}
    )
    return found


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
