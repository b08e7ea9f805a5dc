"""Waits until nothing moves any more, and notes what the box says then."""

import time
from collections.abc import Iterator

from tests.crash import holdings, telling
from tests.crash.busy import BusyTechnician
from tests.crash.clinic import STILLS, VOUCHES, Clinic
from tests.crash.holdings import State

_REST_S = 120.0
_VOUCHING_S = 8.0  # an object that the box asked about when it was killed it asks about again after ten minutes
_SETTLED = {"sent", "held", "committed"}


def rested(technician: BusyTechnician, clinic: Clinic) -> tuple[State, set[str]]:
    """Wait until nothing moves any more; return what the box says then, and what it heard is safe before that."""
    state = at_rest(technician, clinic)
    end = time.monotonic() + _VOUCHING_S
    while vouched_in(state) < technician.owners.keys() and time.monotonic() < end:
        time.sleep(0.2)
        state = at_rest(technician, clinic)
    told_safe = {uid for uid, status in list(clinic.vouching.told.items()) if status == 0}
    return at_rest(technician, clinic), told_safe


def vouched_in(state: State) -> set[str]:
    return {uid for uid, at in state.at.items() if at.get(VOUCHES) == "committed"}


def at_rest(technician: BusyTechnician, clinic: Clinic) -> State:
    end = time.monotonic() + _REST_S
    while True:
        state = seen(technician, clinic)
        moving = next(moves(state, technician, clinic), "")
        if not moving:
            return state
        assert time.monotonic() < end, f"after {_REST_S:g} s this is still not done: {moving}"
        time.sleep(0.05)


def seen(technician: BusyTechnician, clinic: Clinic) -> State:
    """Return what the box says at this moment."""
    at: dict[str, dict[str, str]] = {}
    for one in clinic.box.get("/deliveries?limit=2000")["deliveries"]:
        wanted = one["code"] == "key-stills-wanted"  # held until they are made
        at.setdefault(one["sop_instance_uid"], {})[one["destination"]] = "wanted" if wanted else one["state"]
    return State(
        exams={exam: clinic.box.get(f"/exams/{exam}") for exam in technician.exams},
        at=at,
        copies={copy: clinic.box.get(f"/exports/{copy}") for copy in technician.copies},
    )


def moves(state: State, technician: BusyTechnician, clinic: Clinic) -> Iterator[str]:
    """Yield what is still to be done."""
    for uid, at in state.at.items():
        yield from (f"{uid} is {said} at {where}" for where, said in at.items() if said not in _SETTLED)
    for copy, said in state.copies.items():
        if said["state"] not in {"done", "failed"}:
            yield f"copy {copy} is {said['state']}"
    for exam, said in state.exams.items():
        leaves = exam not in technician.kept_back
        if not telling.is_told(said, leaves=leaves):
            yield f"steps of exam {exam}: {[step['messages'] for step in said['steps']]}"
        for one in said["captures"] if leaves else ():
            wanted = clinic.everything | ({STILLS} if one["kind"] == "clip" and not clinic.films else set())
            queued = state.at.get(one["sop_instance_uid"], {}).keys()
            if queued != wanted and one["state"] != "rejected" and not one["problem"]:
                yield f"{one['sop_instance_uid']} is queued for {sorted(queued)}"
    # The list of an exam's files is written again after whatever changes them.
    yield from holdings.sums_wrong(clinic.box.data / "exams")
