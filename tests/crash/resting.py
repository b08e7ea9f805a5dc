"""Waits until nothing moves any more, and notes what the box says then."""

import time
from functools import partial

from tests.box import until
from tests.crash import holdings, telling
from tests.crash.busy import BusyTechnician
from tests.crash.clinic import STILLS, VOUCHES, Clinic
from tests.crash.holdings import State

_REST_S = 120.0
_VOUCHING_S = 8.0  # an object that the box asked about when it was killed it asks about again after ten minutes
_SETTLED = {"sent", "held", "committed"}


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
        if one["state"] not in _SETTLED or one["code"] == "key-stills-wanted":
            return None
    copies = {copy: clinic.box.get(f"/exports/{copy}") for copy in technician.copies}
    if any(said["state"] not in {"done", "failed"} for said in copies.values()):
        return None
    for exam in exams.values():
        leaves = exam["id"] not in technician.kept_back
        if not telling.is_told(exam, leaves=leaves):
            return None
        for one in exam["captures"] if leaves else ():
            wanted = clinic.everything | ({STILLS} if one["kind"] == "clip" else set())
            waits = at.get(one["sop_instance_uid"], {}).keys() != wanted
            if waits and one["state"] != "rejected" and not one["problem"]:
                return None
    # The list of an exam's files is written again after whatever changes them.
    return None if any(holdings.sums_wrong(clinic.box.data / "exams")) else State(exams=exams, at=at, copies=copies)
