"""Whatever a program asks the HTTP API, meant or not: no answer but those that openapi.json tells, no mistake of
the program, no patient in a refusal. Requests are made by schemathesis from openapi.json, real ones among them.
"""

import json
import urllib.parse
from collections.abc import Iterator
from datetime import timedelta
from importlib import resources
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import response_schema_conformance

from gateway.model import Identity, Patient
from gateway.panel.people.roles import Door, Role
from gateway.panel.people.sessions import COOKIE
from gateway.spool.subjects import Subject
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, item, running, seal
from tests.unit.panel.fake_capture import START

PIN = "402918"
TRIES, TRIES_SLOW = 40, 4  # of each call; a slow one waits for another process, which there is not
NAME, PATIENT_ID, BORN = "Kanarienvogel^Zitronella", "CANARY77031", "19380229"
SECRET = (*NAME.split("^"), PATIENT_ID, BORN)
OPENAPI = json.loads((resources.files("gateway.panel.calls") / "openapi.json").read_text())
PROBLEM = OPENAPI["components"]["schemas"]["Problem"]
SCHEMA = schemathesis.openapi.from_dict(OPENAPI)
ENDLESS = {"/events", "/preview/{source}", "/presses"}
# What any call may answer, as openapi.json says at its beginning and docs/api.md in its table.
ALWAYS = {400, 401, 403, 404, 413, 415, 421, 422}
CALLS = {
    f"{operation.method.upper()} {operation.path}": operation
    for operation in (found.ok() for found in SCHEMA.get_all_operations())
    if operation.path not in ENDLESS
}
SLOW = {"POST /worklist/refresh", "POST /days/{date}/check", "POST /worklist/search"}
few = settings(
    max_examples=TRIES_SLOW,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
many = settings(few, max_examples=TRIES)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a box on which a day has gone by, all of it of one patient."""
    with folder_in_memory() as folder, running(folder, refresh=0.02) as bench:
        patient = Patient(name=NAME, id=PATIENT_ID, birth_date=BORN, sex="F")
        subject = Subject(identity=Identity.TYPED, patient=patient)
        for _ in range(2):
            exam, _ = bench.spool.exams.open(subject, close_open=True)
            for _ in range(2):
                bench.capture.store(exam, frame=START + 1)
            uid = bench.capture._call_clip_start({"exam": exam.id, "request": None, "source": "ultrasound"})["clip"]
            bench.capture._call_clip_stop({"clip": uid})
            bench.spool.exams.finish(exam.id)
        bench.spool.exams.release(exam.id)
        for listed in bench.spool.captures.of_exam(exam.id):
            seal(bench, exam.id, listed.capture.sop_instance_uid)
        bench.spool.exams.open(subject)
        bench.spool.worklist.replace("ris", [item(1, NAME), item(2, NAME)])
        bench.watching.app.state.desk.people.first("Huber", PIN)
        yield bench


def real(bench: Bench) -> dict[str, list[str]]:
    """Return what there is on the box for each place in an address."""
    exams = [each.id for each in bench.spool.exams.list()]
    uids = [each.capture.sop_instance_uid for exam in exams for each in bench.spool.captures.of_exam(exam)]
    return {
        "exam": exams,
        "uid": uids,
        "clip": uids,
        "delivery": [str(each.id) for each in bench.spool.deliveries.list()],
        "person": [each.id for each in bench.watching.app.state.desk.people.all()],
        "number": ["1", "2", "99"],
        "date": ["2026-11-21", "2026-02-30", "0001-01-01", "9999-12-31"],
    }


def ask(bench: Bench, case: Any, chosen: dict[str, str]) -> httpx2.Response:
    """Ask as an administrator at the box, so that every route is reached."""
    desk = bench.watching.app.state.desk
    administrator = next((each.id for each in desk.people.all() if each.role is Role.ADMINISTRATOR), "")
    places = {**(case.path_parameters or {}), **chosen}
    path = case.operation.path
    for name, value in places.items():
        path = path.replace(f"{{{name}}}", urllib.parse.quote(str(value), safe=""))
    headers = {"cookie": f"{COOKIE[Door.FRONT]}={desk.sessions.begin(administrator, Door.FRONT)}"}
    headers |= {str(name): str(value) for name, value in (case.headers or {}).items() if str(value).isascii()}
    body: dict[str, Any] = {}
    if case.method == "POST":
        content = {} if case.body is schemathesis.core.NOT_SET else case.body
        body = {"content": content if isinstance(content, bytes) else json.dumps(content).encode()}
        headers["content-type"] = "application/json"
    query = [(str(name), str(value)) for name, value in (case.query or {}).items()]
    return bench.client.request(case.method, f"/api/v1{path}", params=query, headers=headers, **body)


def wrong(case: Any, answer: httpx2.Response) -> str:
    """Return what is wrong with an answer."""
    declared = {int(status) for status in case.operation.definition.raw["responses"]}
    if answer.status_code not in declared | ALWAYS:
        return f"{answer.status_code} is not in openapi.json: {answer.text[:300]}"
    if "Traceback" in answer.text:
        return "a traceback"
    if answer.status_code >= 400 and (found := wrong_refusal(answer)):
        return f"{found}: {answer.text[:300]}"
    if answer.status_code in declared:
        answer.elapsed = timedelta()  # schemathesis wants it; in one process nothing measures it
        try:
            case.validate_response(answer, checks=[response_schema_conformance])
        except FailureGroup as failures:
            return "; ".join(str(each) for each in failures.exceptions)
    return ""


def wrong_refusal(answer: httpx2.Response) -> str:
    if answer.headers["content-type"] != "application/problem+json":
        return "a refusal that is no problem document"
    said = answer.json()
    if set(said) != set(PROBLEM["properties"]) or not said["code"]:
        return "not what a problem document has"
    found = [word for word in SECRET if word in answer.text]
    return f"{found} in a refusal" if found else ""


@pytest.mark.parametrize("call", list(CALLS))
def test_no_request_brings_more_than_a_problem_that_names_nobody(bench: Bench, call: str) -> None:
    places = real(bench)
    operation = CALLS[call]
    here = {name: values for name, values in places.items() if f"{{{name}}}" in operation.path and values}
    chosen = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in here.items()})
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )

    @(few if call in SLOW else many)
    @given(case=cases, chosen=chosen)
    def tried(case: Any, chosen: dict[str, str]) -> None:
        assert wrong(case, ask(bench, case, chosen)) == ""

    tried()


def test_a_program_s_mistake_would_be_found(bench: Bench) -> None:
    case = CALLS["GET /exams/{exam}"].Case(path_parameters={"exam": "x"})
    (exam, *_) = real(bench)["exam"]
    assert wrong(case, ask(bench, case, {"exam": exam})) == ""
    refusal = bench.get("/exams/x", status=404)
    for status, body in (
        (500, refusal),
        (200, {"id": 5}),
        (404, refusal | {"what": f"There is no {NAME}."}),
        (404, refusal | {"code": ""}),
        (404, refusal | {"trace": ""}),
        (404, refusal | {"detail": "Traceback (most recent call last)"}),
    ):
        kind = "application/problem+json" if status >= 400 else "application/json"
        request = httpx2.Request("GET", f"http://127.0.0.1:8080/api/v1/exams/{exam}")
        answer = httpx2.Response(status, json=body, headers={"content-type": kind}, request=request)
        assert wrong(case, answer) != "", body
