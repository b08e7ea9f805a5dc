"""The API's values as JSON. The only module that names the keys that callers see."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.config.body_parts import takes_side
from gateway.model import (
    CaptureState,
    Delivery,
    Exam,
    Patient,
    Procedure,
    RequestState,
    Step,
    StepMessage,
    WorklistItem,
)
from gateway.panel.shown import fates
from gateway.spool import questions
from gateway.spool.captures import Listed
from gateway.spool.pictures import Picture
from gateway.spool.processes.requests import Request
from gateway.spool.worklist import ServerState

Json = dict[str, Any]


def moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant(utc_ns: int) -> str | None:
    """Return a time in ns as text; None for 0, which means never."""
    return moment(datetime.fromtimestamp(utc_ns / 1e9, UTC)) if utc_ns else None


def patient(value: Patient) -> Json:
    return {
        "name": value.name,
        "id": value.id,
        "issuer": value.issuer,
        "birth_date": value.birth_date,
        "sex": value.sex,
    }


def procedure(value: Procedure) -> Json:
    return {
        "description": value.description,
        "accession_number": value.accession_number,
        "requested_procedure_id": value.requested_procedure_id,
        "step_id": value.step_id,
        "modality": value.modality,
        "scheduled_at": value.scheduled_at,
        "referring_physician": value.referring_physician,
    }


def worklist_item(item: WorklistItem) -> Json:
    return {
        "id": item.id,
        "server": item.server,
        "patient": patient(item.patient),
        "accession_number": item.procedure.accession_number,
        "procedure": item.procedure.description,
        "scheduled_at": item.procedure.scheduled_at,
        "modality": item.procedure.modality,
        "missing": list(item.missing),
    }


def server(state: ServerState) -> Json:
    return {
        "server": state.server,
        "answered_at": instant(state.answered_ns),
        "asked_at": instant(state.asked_ns),
        "code": state.code,
        "problem": state.problem,
    }


def opened(exam: Exam) -> Json:
    return {"id": exam.id, "study_instance_uid": exam.study_instance_uid, "opened_at": moment(exam.opened.utc)}


def exam_head(exam: Exam, captures: Sequence[Listed], deliveries: Sequence[Delivery]) -> Json:
    """Return an exam without its single captures."""
    kept = [c.capture for c in captures if c.capture.state is CaptureState.SAVED]
    counts: dict[str, int] = {}
    for delivery in deliveries:
        counts[delivery.state] = counts.get(delivery.state, 0) + 1
    return {
        "id": exam.id,
        "revision": exam.revision,
        "state": exam.state,
        "identity": exam.identity,
        "please_check": exam.please_check,
        "question": questions.of(exam),
        "patient": patient(exam.patient),
        "procedure": procedure(exam.procedure),
        "operator": exam.operator,
        "study_instance_uid": exam.study_instance_uid,
        "worklist_item": exam.worklist_item,
        "further_items": [each.worklist_item for each in exam.further],
        "server": exam.server,
        "opened_at": moment(exam.opened.utc),
        "reopened_at": moment(exam.reopened.utc if exam.reopened else None),
        "ended_at": moment(exam.ended.utc if exam.ended else None),
        "released_at": moment(exam.released.utc if exam.released else None),
        "discontinued": exam.discontinued,
        "keep": exam.keep,
        "laterality": exam.side,
        "stills": sum(c.kind == "still" for c in kept),
        "clips": sum(c.kind == "clip" for c in kept),
        "key_images": sum(c.key and c.capture.state is CaptureState.SAVED for c in captures),
        "rejected": len(captures) - len(kept),
        "deliveries": counts,
    }


def exam(
    value: Exam,
    pictures: Sequence[Picture],
    *,
    messages: Sequence[StepMessage],
    required: frozenset[str],
    sideless: Sequence[str],
) -> Json:
    """Return an exam with its captures and what became of each, and its procedure steps."""
    steps = [step(each, [m for m in messages if m.step == each.sop_instance_uid]) for each in value.steps]
    deliveries = [each for picture in pictures for each in picture.all_deliveries]
    head = exam_head(value, [each.listed for each in pictures], deliveries)
    captures = [capture(each, required) for each in pictures]
    return {**head, "laterality_missing": list(sideless), "captures": captures, "steps": steps}


def step(value: Step, messages: Sequence[StepMessage]) -> Json:
    return {
        "sop_instance_uid": value.sop_instance_uid,
        "id": value.id,
        "state": value.state,
        "reason": value.reason,
        "started_at": moment(value.started.utc),
        "ended_at": moment(value.ended.utc if value.ended else None),
        "messages": [step_message(each) for each in messages],
    }


def step_message(value: StepMessage) -> Json:
    return {
        "id": value.id,
        "exam": value.exam,
        "step": value.step,
        "server": value.server,
        "kind": value.kind,
        "state": value.state,
        "attempts": value.attempts,
        "next_attempt": instant(value.next_attempt_ns) if value.state == "queued" else None,
        "reason": value.reason,
        "code": value.code,
        "status": value.status,
        "changed_at": instant(value.changed_ns),
    }


def capture(picture: Picture, required: frozenset[str]) -> Json:
    value, listed = picture.capture, picture.listed
    return {
        "sop_instance_uid": value.sop_instance_uid,
        "exam": value.exam,
        "kind": value.kind,
        "source": value.source,
        "instance_number": value.instance_number,
        "state": value.state,
        "laterality": value.side if takes_side(value.equipment, value.kind) else None,
        "key": listed.key,
        "taken_at": moment(value.taken.utc),
        "frame": value.sequence,
        "frames": value.frames,
        "lost_frames": value.lost_frames,
        "rows": value.rows,
        "columns": value.columns,
        "codec": value.codec,
        "bytes": value.bytes,
        "salvaged": value.salvaged,
        "reason": listed.reason,
        "problem": {"code": listed.problem_code, "what": listed.problem} if listed.problem_code else None,
        "sealed": picture.sealed,
        "purged_at": moment(datetime.fromisoformat(listed.purged)) if listed.purged else None,
        "fate": fates.WORDS[fates.of_picture(picture, required)],
        "deliveries": [delivery(d) for d in picture.deliveries],
    }


def export(value: Request) -> Json:
    """Return how far an export is; its medium may be taken away only when `removable` is true."""
    said = value.answer
    return {
        "id": value.id,
        "state": value.state,
        "exams": value.arguments["exams"],
        "destination": value.arguments["destination"],
        "jpeg": value.arguments["jpeg"],
        "removable": value.state is RequestState.DONE,
        "objects": said.get("objects"),
        "objects_done": said.get("objects") if value.state is RequestState.DONE else said.get("objects_done", 0),
        "pictures": said.get("pictures"),
        "pictures_done": said.get("pictures" if value.state is RequestState.DONE else "pictures_done", 0),
        "bytes": said.get("bytes"),
        "bytes_done": said.get("bytes") if value.state is RequestState.DONE else said.get("bytes_done", 0),
        "left_s": said.get("left_s"),
        "left_out": said.get("left_out", 0),
        "code": said.get("code", ""),
        "what": said.get("what", ""),
        "safe": said.get("safe", ""),
        "action": said.get("action", ""),
    }


def delivery(value: Delivery) -> Json:
    return {
        "id": value.id,
        "sop_instance_uid": value.sop_instance_uid,
        "exam": value.exam,
        "destination": value.destination,
        "state": value.state,
        "fate": fates.WORDS[fates.of_delivery(value)],
        "proof": value.proof,
        "attempts": value.attempts,
        "next_attempt": instant(value.next_attempt_ns) if value.state == "queued" else None,
        "reason": value.reason,
        "code": value.code,
        "status": value.status,
        "changed_at": instant(value.changed_ns),
    }
