import uuid

import pytest

from gateway.model import ExamState, Identity
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


def test_several_entries_in_one_exam_are_not_in_this_version(bench: Bench) -> None:
    bench.refused("/exams", {"worklist_item": ["item-1", "item-2"]}, 422, "not-in-this-version")


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
        ({"name": "MEIER^Anna", "id": ""}, "id"),
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
