"""What the server of procedure steps heard, against what the technician did.

A message whose answer a kill swallowed is said again; the server answers that it has it already. Such repeats are
counted, and are no mistake: the first of them is what the server keeps.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.crash.busy import BusyTechnician
from tests.loopback.peers import StepServer

_HAS_IT = {0x0111, 0x0110}  # N-CREATE of a known step; N-SET of one that is over
_WRONG_ENTRY = "110514"


@dataclass(kw_only=True)
class Told:
    """`steps`: in what order messages about each came; `final`: how it ended; `patient`, `images`: of each."""

    steps: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    final: dict[str, str] = field(default_factory=dict)
    reason: dict[str, str] = field(default_factory=dict)
    patient: dict[str, str] = field(default_factory=dict)
    images: dict[str, set[str]] = field(default_factory=dict)
    repeats: int = 0
    problems: list[str] = field(default_factory=list)


def told(server: StepServer) -> Told:
    """Read what the server heard and kept."""
    found = Told(problems=list(server.problems), final=dict(server.states))
    for message in server.heard:
        found.steps.setdefault(message.step, []).append((message.kind, message.status))
        found.repeats += message.status in _HAS_IT
        if message.kind == "set" and message.status == 0:
            said = message.data_set
            reasons = said.get("PerformedProcedureStepDiscontinuationReasonCodeSequence") or ()
            found.reason[message.step] = "".join(str(each.CodeValue) for each in reasons)
            series = said.PerformedSeriesSequence
            found.images[message.step] = {
                str(image.ReferencedSOPInstanceUID) for each in series for image in each.ReferencedImageSequence
            }
    found.patient = {step: str(create.PatientID) for step, create in server.creates.items()}
    return found


def is_told(exam: dict[str, Any], *, leaves: bool) -> bool:
    """Say whether the box has nothing left to say of an exam that is over; one that `leaves` is always told of."""
    said = [{message["kind"]: message["state"] for message in step["messages"]} for step in exam["steps"]]
    waits = any(set(each.values()) & {"queued", "sending"} for each in said)
    unended = any(each.get("create") == "sent" and "set" not in each for each in said)
    return not waits and not unended and (not leaves or said[-1].keys() == {"create", "set"})


def wrong(
    told: Told, technician: BusyTechnician, exams: dict[str, dict[str, Any]], *, derived: set[str]
) -> Iterator[str]:
    """Yield what the server should not have heard, or not heard so. `derived`: stills that were made of clips."""
    yield from told.problems
    for step, messages in told.steps.items():
        yield from order_wrong(step, messages)
    exam_of = {step["sop_instance_uid"]: exam for exam in exams.values() for step in exam["steps"]}
    yield from (f"step {step}: of no exam" for step in told.steps.keys() - exam_of.keys())
    listed = Counter(uid for images in told.images.values() for uid in images - derived)
    yield from (f"{uid}: in two procedure steps" for uid, count in listed.items() if count > 1)
    yield from (f"{uid}: in a procedure step, though nobody let it go" for uid in listed.keys() - technician.owners)
    yield from (f"{uid}: in no procedure step" for uid in technician.owners.keys() - listed.keys())
    for step, images in told.images.items():
        for uid in images & technician.owners.keys():
            if told.patient[step] != technician.owners[uid] or exam_of[step]["id"] != technician.exam_of[uid]:
                yield f"{uid}: in another's procedure step"
    for exam in exams.values():
        yield from ends_wrong(exam, told, kept_back=exam["id"] in technician.kept_back)


def order_wrong(step: str, messages: list[tuple[str, int]]) -> Iterator[str]:
    """Check that a step was created, then ended, and each of it taken once."""
    kinds = [kind for kind, _ in messages]
    if kinds != sorted(kinds):  # "create" comes before "set"
        yield f"step {step}: told in the order {kinds}"
    for kind in ("create", "set"):
        taken = [status for each, status in messages if each == kind and status == 0]
        if kind in kinds and len(taken) != 1:
            yield f"step {step}: {kind} was taken {len(taken)} times"
    if strange := {status for _, status in messages} - _HAS_IT - {0, -1}:
        yield f"step {step}: answered with {strange}"


def ends_wrong(exam: dict[str, Any], told: Told, *, kept_back: bool) -> Iterator[str]:
    """Check how each step of an exam ended."""
    *before, last = [step["sop_instance_uid"] for step in exam["steps"]]
    if kept_back:
        before, last = [*before, last], ""
    elif told.final.get(last) != ("DISCONTINUED" if exam["discontinued"] else "COMPLETED"):
        yield f"step {last}: ended as {told.final.get(last)}"
    for step in before:
        if told.final.get(step) == "IN PROGRESS":
            yield f"step {step}: never ended"
        if told.reason.get(step) == _WRONG_ENTRY and told.images[step]:
            yield f"step {step}: of a wrong entry, with pictures"
        if kept_back and told.final.get(step) == "COMPLETED":
            yield f"step {step}: of a wrong entry, completed"
