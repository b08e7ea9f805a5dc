import uuid

import pytest

from gateway.model import ExamState, Identity, MessageKind, MessageState
from tests.unit.panel.conftest import Bench, item


def test_an_exam_opened_from_the_worklist_carries_the_items_identity_and_bytes(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [item(1, "MEIER^Anna")])
    opened = bench.post("/exams", {"worklist_item": "item-1"}, status=201)
    exam = bench.spool.exams.get(str(opened["id"]))
    assert (exam.identity, exam.patient.name, exam.patient.issuer) == (Identity.WORKLIST, "MEIER^Anna", "HIS")
    assert opened["study_instance_uid"] == exam.study_instance_uid == "1.2.3.1"
    assert bench.spool.exams.order(exam) == b"order"


def test_a_second_exam_waits_until_the_first_is_finished_or_closed_on_purpose(bench: Bench) -> None:
    first = bench.open_exam()
    bench.refused("/exams", {"emergency": True}, 409, "exam-open")
    second = bench.post("/exams", {"emergency": True, "close_open": True}, status=201)["id"]
    closed = bench.get(f"/exams/{first}")
    assert (closed["state"], closed["please_check"]) == ("finished", "closed-by-next")
    assert bench.get(f"/exams/{second}")["state"] == "open"
    assert bench.capture.drained == 1


def test_the_same_request_opens_one_exam_even_when_its_entry_left_the_list(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [item(1, "MEIER^Anna")])
    body = {"worklist_item": "item-1", "request_id": str(uuid.uuid4())}
    first = bench.post("/exams", body, status=201)
    bench.spool.worklist.replace("ris", [])
    assert bench.post("/exams", body, status=201) == first
    bench.refused("/exams", {**body, "worklist_item": "item-2"}, 422, "request-reused")
    assert len(bench.spool.exams.list()) == 1


def test_a_request_id_that_is_no_uuid_is_refused(bench: Bench) -> None:
    bench.refused("/exams", {"emergency": True, "request_id": "1"}, 422, "bad-value")


def test_an_entry_without_study_uid_gets_the_same_one_twice_but_never_for_two_patients(bench: Bench) -> None:
    bench.spool.worklist.replace(
        "ris",
        [
            item(1, "MEIER^Anna", study_instance_uid="", missing=("StudyInstanceUID",)),
            item(2, "MEYER^Anna", study_instance_uid="", procedure=item(1, "").procedure),
        ],
    )
    studies = []
    for entry in ("item-1", "item-1", "item-2"):
        opened = bench.post("/exams", {"worklist_item": entry}, status=201)
        studies.append(opened["study_instance_uid"])
        bench.post(f"/exams/{opened['id']}/finish")
    assert studies[0] == studies[1] != studies[2]
    assert bench.get("/worklist")["items"][0]["missing"] == ["StudyInstanceUID"]


@pytest.mark.parametrize("lost", ["name", "id"])
def test_an_entry_that_does_not_say_who_the_patient_is_is_refused_with_what_to_do(bench: Bench, lost: str) -> None:
    whole = item(1, "MEIER^Anna")
    patient = {"name": whole.patient.name, "id": whole.patient.id, lost: "^" if lost == "name" else ""}
    bench.spool.worklist.replace("ris", [item(1, "", patient=type(whole.patient)(**patient))])
    problem = bench.refused("/exams", {"worklist_item": "item-1"}, 422, "patient-incomplete")
    assert "start without patient" in problem["action"]


def test_an_entry_that_left_the_list_is_not_found(bench: Bench) -> None:
    bench.refused("/exams", {"worklist_item": "gone"}, 404, "not-found")


def several(bench: Bench, **second: object) -> None:
    same = item(1, "MEIER^Anna").patient
    bench.spool.worklist.replace(
        "ris", [item(1, "MEIER^Anna"), item(2, "MEIER^Anna", **{"patient": same, "answer": b"two", **second})]
    )


def test_several_entries_of_one_patient_make_one_exam_with_every_order(bench: Bench) -> None:
    several(bench)
    opened = bench.post("/exams", {"worklist_item": ["item-1", "item-2"]}, status=201)
    exam = bench.spool.exams.get(str(opened["id"]))
    assert exam.study_instance_uid == "1.2.3.1"
    assert (bench.spool.exams.order(exam), bench.spool.exams.further_orders(exam)) == (b"order", (b"two",))
    assert [each.procedure.step_id for each in exam.further] == ["S2"]
    said = bench.get(f"/exams/{exam.id}")
    assert (said["worklist_item"], said["further_items"]) == ("item-1", ["item-2"])
    bench.post(f"/exams/{exam.id}/assign", {"worklist_item": "item-2"})
    assert bench.spool.exams.further_orders(bench.spool.exams.get(exam.id)) == ()


@pytest.mark.parametrize(
    ("items", "code"),
    [
        (["item-1", "item-2"], "different-patients"),
        (["item-1", "item-1"], "bad-value"),
        ([], "bad-value"),
        (["item-1", 2], "bad-value"),
        ([f"item-{number}" for number in range(11)], "bad-value"),
    ],
)
def test_entries_that_do_not_belong_together_make_no_exam(bench: Bench, items: list[object], code: str) -> None:
    several(bench, patient=item(2, "MEIER^Anna").patient)
    bench.refused("/exams", {"worklist_item": items}, 422, code)
    assert bench.spool.exams.open_one() is None


def test_a_released_exam_is_opened_again_and_goes_on(bench: Bench) -> None:
    exam = bench.open_exam()
    first = bench.still(exam)
    bench.refused(f"/exams/{exam}/reopen", {}, 409, "exam-open")
    bench.post(f"/exams/{exam}/finish")
    bench.refused(f"/exams/{exam}/reopen", {}, 409, "wrong-state")
    bench.spool.exams.release(exam)
    opened = bench.post(f"/exams/{exam}/reopen")
    assert (opened["state"], opened["ended_at"]) == ("open", None)
    assert opened["reopened_at"]
    assert [step["state"] for step in opened["steps"]] == ["completed", "in-progress"]
    second = bench.still(exam)
    bench.refused(f"/captures/{first}/reject", {"reason": "x"}, 409, "wrong-state")
    bench.post(f"/captures/{second}/reject", {"reason": "x"})
    assert '"exam-reopened"' in bench.spool.layout.audit.read_text()
    bench.refused("/exams/none/reopen", {}, 404, "not-found")


def test_an_exam_is_not_opened_again_over_another_one(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.post(f"/exams/{exam}/finish")
    bench.spool.exams.release(exam)
    bench.open_exam()
    bench.refused(f"/exams/{exam}/reopen", {}, 409, "exam-open")


def test_what_servers_were_told_of_an_exam_can_be_seen_and_released(bench: Bench) -> None:
    exam = bench.spool.exams.get(bench.open_exam())
    step = exam.steps[0].sop_instance_uid
    told = {"state": MessageState.HELD, "code": "refused", "reason": "The server refuses a value in it."}
    bench.spool.steps.queue(exam, step, MessageKind.CREATE, ["ris"], **told)
    (said,) = bench.get(f"/exams/{exam.id}")["steps"]
    (message,) = said["messages"]
    assert (message["kind"], message["state"], message["code"]) == ("create", "held", "refused")
    assert bench.get("/procedure-steps?state=held")["messages"] == [message]
    assert bench.get("/procedure-steps?state=sent")["messages"] == []
    bench.refused("/procedure-steps/99/release", {}, 404, "not-found")
    bench.refused("/procedure-steps/none/release", {}, 404, "not-found")
    released = bench.post(f"/procedure-steps/{message['id']}/release")
    assert released["state"] == "queued"
    bench.refused(f"/procedure-steps/{message['id']}/release", {}, 409, "wrong-state")
    assert bench.post("/procedure-steps/retry", {"server": "ris"}) == {"retried": 1}
    bench.refused("/procedure-steps/retry", {"server": "none"}, 404, "not-found")
    assert bench.client.get("/api/v1/procedure-steps?state=gone").status_code == 422


def test_an_exam_without_patient_has_an_identity_that_is_never_made_twice(bench: Bench) -> None:
    made = set()
    for _ in range(3):
        exam = bench.spool.exams.get(str(bench.post("/exams", {"emergency": True}, status=201)["id"]))
        assert exam.identity is Identity.TEMPORARY
        assert exam.patient.name == exam.patient.id
        assert exam.patient.id.startswith("EMERG-US-ROOM-2-")
        assert exam.patient.issuer not in {"", "CLINIC"}
        made.add(exam.patient.id)
        bench.post(f"/exams/{exam.id}/finish")
    assert len(made) == 3


@pytest.mark.parametrize(
    ("patient", "word"),
    [
        ({"name": "", "id": "1"}, "name"),
        ({"name": "^Anna", "id": "1"}, "family name"),
        ({"name": "MEIER^Anna", "id": "1", "issuer": "a\\b"}, "backslash"),
        ({"name": "MEIER^Anna", "id": "x" * 65}, "id"),
        ({"name": "MEIER^Anna", "id": "a\\b"}, "backslash"),
        ({"name": "MEIER^Anna", "id": "a\tb"}, "printed"),
        ({"name": "MEIER^\u202eannA", "id": "1"}, "printed"),
        ({"name": "MEI\u200bER^Anna", "id": "1"}, "printed"),
        ({"name": "\ufeff", "id": "1"}, "printed"),
        ({"name": "A^B^C^D^E^F", "id": "1"}, "name"),
        ({"name": "A=B=C=D", "id": "1"}, "name"),
        ({"name": "A" * 65, "id": "1"}, "name"),
        ({"name": "A\\B", "id": "1"}, "name"),
        ({"name": "MEIER", "id": "1", "birth_date": "19680231"}, "calendar"),
        ({"name": "MEIER", "id": "1", "birth_date": "1968-02-01"}, "calendar"),
        ({"name": "MEIER", "id": "1", "birth_date": "29990101"}, "future"),
        ({"name": "MEIER", "id": "1", "sex": "U"}, "sex"),
        ({"name": 5, "id": "1"}, "name"),
    ],
)
def test_a_typed_patient_that_dicom_cannot_hold_is_refused(quiet: Bench, patient: dict, word: str) -> None:
    assert word in quiet.refused("/exams", {"patient": patient}, 422, "bad-value")["what"]
    assert len(quiet.spool.exams.list()) == 1


def test_a_typed_patient_belongs_to_the_clinics_own_issuer(bench: Bench) -> None:
    exam = bench.spool.exams.get(bench.open_exam("王^小东", procedure={"description": "Thyroid"}))
    assert (exam.identity, exam.patient.issuer, exam.patient.name) == (Identity.TYPED, "CLINIC", "王^小东")
    assert exam.procedure.description == "Thyroid"


def test_a_patient_typed_without_id_gets_one_of_the_boxs_own_issuer_that_is_never_made_twice(bench: Bench) -> None:
    made = set()
    for _ in range(3):
        body = {"patient": {"name": "Meier^Anna"}}
        exam = bench.spool.exams.get(str(bench.post("/exams", body, status=201)["id"]))
        assert (exam.identity, exam.patient.issuer) == (Identity.TYPED, "LOCAL-US-ROOM-2")
        made.add(exam.patient.id)
        bench.post(f"/exams/{exam.id}/finish")
    assert len(made) == 3
    assert all(each.startswith("US-ROOM-2-") for each in made)


def test_a_patient_who_is_known_keeps_the_issuer_of_the_id(bench: Bench) -> None:
    body = {"patient": {"name": "Meier^Anna", "id": "4711", "issuer": "HIS"}}
    exam = bench.spool.exams.get(str(bench.post("/exams", body, status=201)["id"]))
    assert (exam.patient.id, exam.patient.issuer) == ("4711", "HIS")


@pytest.mark.parametrize("body", [{}, {"emergency": True, "worklist_item": "x"}, {"emergency": False}])
def test_an_exam_needs_exactly_one_patient(quiet: Bench, body: dict) -> None:
    quiet.refused("/exams", body, 422, "bad-value")


def test_finish_waits_for_presses_in_flight_and_ends_the_exam_once(bench: Bench) -> None:
    exam = bench.open_exam()
    assert bench.post(f"/exams/{exam}/finish")["state"] == "finished"
    assert bench.capture.drained == 1
    bench.refused(f"/exams/{exam}/finish", None, 409, "wrong-state")


def test_finish_works_with_the_recorder_gone(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.capture.stop()
    assert bench.post(f"/exams/{exam}/finish")["state"] == "finished"
    bench.capture.start()


def test_an_exam_cannot_be_finished_while_a_clip_is_recorded(bench: Bench) -> None:
    exam = bench.open_exam()
    clip = bench.post(f"/exams/{exam}/clips", status=201)["clip"]
    bench.refused(f"/exams/{exam}/finish", None, 409, "clip-recording")
    bench.refused("/exams", {"emergency": True, "close_open": True}, 409, "clip-recording")
    bench.post(f"/clips/{clip}/stop")
    bench.post(f"/exams/{exam}/finish")


@pytest.mark.parametrize(
    ("reason", "code", "please_check"),
    [("patient-refused", "110505", ""), ("110514", "110514", "incorrect-worklist-entry")],
)
def test_a_discontinued_exam_keeps_its_reason(bench: Bench, reason: str, code: str, please_check: str) -> None:
    exam = bench.open_exam()
    answer = bench.post(f"/exams/{exam}/discontinue", {"reason": reason})
    assert (answer["state"], answer["discontinued"], answer["please_check"]) == ("finished", code, please_check)


def test_an_exam_is_not_discontinued_for_no_known_reason(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.refused(f"/exams/{exam}/discontinue", {"reason": "tired"}, 422, "bad-value")
    assert bench.spool.exams.get(exam).state is ExamState.OPEN


def test_a_person_confirms_the_patient_of_an_exam_that_was_closed_by_the_next(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.post("/exams", {"emergency": True, "close_open": True}, status=201)
    assert bench.post(f"/exams/{exam}/confirm")["please_check"] == ""


def test_a_temporary_exam_is_assigned_to_a_worklist_patient(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [item(1, "MEIER^Anna")])
    exam = str(bench.post("/exams", {"emergency": True}, status=201)["id"])
    uid = bench.still(exam)
    answer = bench.post(f"/exams/{exam}/assign", {"worklist_item": "item-1"})
    assert answer["patient"]["name"] == "MEIER^Anna"
    assert [c["sop_instance_uid"] for c in answer["captures"]] == [uid]
    assert answer["study_instance_uid"] == "1.2.3.1"
    bench.spool.exams.finish(exam)
    bench.spool.exams.release(exam)
    bench.refused(f"/exams/{exam}/assign", {"worklist_item": "item-1"}, 409, "wrong-state")
    bench.refused(f"/exams/{exam}/confirm", None, 409, "wrong-state")


def test_what_people_did_with_exams_stands_in_the_audit_file_without_a_name(bench: Bench) -> None:
    exam = bench.open_exam("CANARY^Yellow")
    uid = bench.still(exam)
    bench.post(f"/captures/{uid}/reject", {"reason": "CANARY blurred"})
    bench.post(f"/captures/{uid}/restore")
    bench.post(f"/exams/{exam}/assign", {"patient": {"name": "CANARY^Red", "id": "4"}})
    bench.post(f"/exams/{exam}/finish")
    text = bench.spool.layout.audit.read_text()
    for what in ("exam-opened", "capture-rejected", "capture-restored", "exam-assigned", "exam-finished"):
        assert what in text
    assert "CANARY" not in text


def test_exams_are_listed_newest_first_and_by_state(bench: Bench) -> None:
    first = bench.open_exam()
    bench.still(first)
    bench.post(f"/exams/{first}/finish")
    second = str(bench.post("/exams", {"emergency": True}, status=201)["id"])
    everything = bench.get("/exams")["exams"]
    assert [(e["id"], e["state"], e["stills"]) for e in everything] == [(second, "open", 0), (first, "finished", 1)]
    assert [e["id"] for e in bench.get("/exams?state=finished")["exams"]] == [first]
    assert bench.client.get("/api/v1/exams?state=lost").status_code == 422
    assert bench.client.get("/api/v1/exams?limit=0").status_code == 422


@pytest.mark.parametrize("call", ["", "/finish", "/confirm", "/assign", "/discontinue", "/stills", "/clips"])
def test_an_unknown_exam_is_not_found_by_any_call(quiet: Bench, call: str) -> None:
    body: dict[str, object] = {}
    if call == "/assign":
        body = {"patient": {"name": "A", "id": "1"}}
    if call == "/discontinue":
        body = {"reason": "unspecified"}
    address = f"/api/v1/exams/0000000000{call}"
    answer = quiet.client.post(address, json=body) if call else quiet.client.get(address)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("why", "left"),
    [("idle", ""), ("reboot", ""), ("study-shared", "study-shared"), ("closed-by-next", "closed-by-next")],
)
def test_finish_answers_whether_the_patient_is_still_there_and_no_other_question(
    bench: Bench, why: str, left: str
) -> None:
    exam = bench.open_exam()
    bench.still(exam)
    bench.spool.exams.ask_to_check(exam, why)
    assert bench.post(f"/exams/{exam}/finish", {"confirmed": True})["please_check"] == left


def test_finish_without_an_answer_leaves_the_exam_to_be_checked(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.spool.exams.ask_to_check(exam, "idle")
    assert bench.post(f"/exams/{exam}/finish")["please_check"] == "idle"
    bench.refused(f"/exams/{exam}/finish", {"confirmed": "yes"}, 422, "bad-value")
