"""A patient is typed: what is asked, who may be meant, what is confirmed."""

import hashlib
import html
import json
import re
from importlib import resources

import pytest

from gateway.model import Identity, Patient
from gateway.panel.shown import known
from gateway.spool.subjects import Subject
from tests.unit.panel.conftest import Bench, item

MEIER = {
    "family": "Meier",
    "given": "Anna",
    "day": "14",
    "month": "3",
    "year": "1968",
    "sex": "F",
    "id": "4711-0001",
}


def send(bench: Bench, path: str = "/typed", *, status: int = 200, **fields: str) -> str:
    answer = bench.client.post(path, data=fields)
    assert answer.status_code == status
    return answer.text


def to_open(page: str) -> dict:
    """Return what the page's blue key asks for."""
    found = re.search(r'data-post="/api/v1/exams" data-body=\'([^\']*)\'', page)
    assert found
    return json.loads(html.unescape(found[1]))


def on_this_box(bench: Bench, patient: Patient, identity: Identity = Identity.TYPED) -> str:
    exam, _ = bench.spool.exams.open(Subject(identity=identity, patient=patient))
    bench.spool.exams.finish(exam.id)
    return exam.id


def test_what_was_typed_is_confirmed_and_opened_as_it_stands_there(bench: Bench) -> None:
    page = send(bench, **MEIER, description="Abdomen")
    for fact in ("MEIER, Anna", "14-Mar-1968", "4711-0001", "Abdomen"):
        assert fact in page
    opened = bench.post("/exams", to_open(page), status=201)
    exam = bench.spool.exams.get(str(opened["id"]))
    assert exam.patient == Patient(
        name="Meier^Anna", id="4711-0001", issuer="CLINIC", birth_date="19680314", sex="F"
    )
    assert exam.procedure.description == "Abdomen"


def test_the_id_that_the_box_made_is_the_one_that_was_confirmed(bench: Bench) -> None:
    page = send(bench, **{**MEIER, "id": ""})
    assert "made by this box" in page
    body = to_open(page)
    assert body["patient"]["id"] in page.split("<footer")[0]
    exam = bench.spool.exams.get(str(bench.post("/exams", body, status=201)["id"]))
    assert (exam.patient.id, exam.patient.issuer) == (body["patient"]["id"], "LOCAL-US-ROOM-2")


@pytest.mark.parametrize(
    ("wrong", "step", "word"),
    [
        ({"family": " "}, 0, "family name"),
        ({"family": "Mei\\er"}, 0, "not one that DICOM can hold"),
        ({"given": "A" * 65}, 1, "not one that DICOM can hold"),
        ({"day": "31", "month": "2"}, 2, "no day of the calendar"),
        ({"year": "68"}, 2, "no day of the calendar"),
        ({"year": "2999"}, 2, "in the future"),
        ({"sex": "X"}, 3, "none of M, F, O"),
        ({"id": "a\\b"}, 4, "backslash"),
        ({"description": "a\\b"}, 5, "backslash"),
    ],
)
def test_what_is_refused_is_asked_again_where_it_is_wrong(bench: Bench, wrong: dict, step: int, word: str) -> None:
    page = send(bench, status=422, **{**MEIER, **wrong})
    assert word in page
    assert f'data-step="{step}"' in page
    assert bench.spool.exams.list() == []


def test_what_was_typed_can_be_corrected(bench: Bench) -> None:
    page = send(bench, "/type", **MEIER)
    assert 'data-step="0"' in page
    for text in ("Meier", "Anna", "14", "1968", "4711-0001"):
        assert f'value="{text}"' in page


def test_a_patient_of_the_worklist_is_chosen_there_rather_than_made_twice(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [item(1, "Meyer^Anna"), item(2, "Okonkwo^Chidi")])
    page = send(bench, **{**MEIER, "id": "9999"})
    assert "/confirm?item=item-1" in page
    assert "item-2" not in page
    page = send(bench, **{**MEIER, "id": "9999"}, checked="1")
    assert to_open(page)["patient"]["id"] == "9999"


def test_a_patient_of_this_box_comes_back_as_the_same_person(bench: Bench) -> None:
    patient = Patient(name="MEIER^Anna Maria", id="4711-0815", issuer="HIS", birth_date="19680314", sex="F")
    exam = on_this_box(bench, patient)
    page = send(bench, **{**MEIER, "id": ""}, description="Thyroid")
    assert f'name="known" value="{exam}"' in page
    body = to_open(send(bench, known=exam, description="Thyroid"))
    again = bench.spool.exams.get(str(bench.post("/exams", body, status=201)["id"]))
    assert (again.patient, again.procedure.description) == (patient, "Thyroid")


def test_an_id_that_belongs_to_somebody_else_is_said_also_after_the_question(bench: Bench) -> None:
    on_this_box(bench, Patient(name="HUBER^Max", id="4711-0001", birth_date="19500101", sex="M"))
    assert "HUBER, Max" in send(bench, **MEIER)
    page = send(bench, **MEIER, checked="1")
    assert "This ID belongs to" in page
    assert "HUBER, Max" in page


def test_a_temporary_identity_is_nobody_who_could_be_meant(bench: Bench) -> None:
    on_this_box(bench, Patient(name="Meier^Anna", id="Meier"), Identity.TEMPORARY)
    assert "Is this your patient?" in send(bench, **MEIER)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("Meier^Anna", "", "19680314"), ("MEYER^ANNA", "7", "19680314"), True),
        (("Meier^Anna", "", ""), ("MEIER^Anna Maria", "7", "19680314"), True),
        (("Meier^Anna", "", "19680314"), ("MEIER^Anna", "7", "19680315"), False),
        (("Meier^Anna", "", "19680314"), ("MEIER^Berta", "7", "19680314"), False),  # twins
        (("Müller^Jörg", "", "19680314"), ("Mueller^Joerg", "7", "19680314"), True),
        (("Meier^Anna", "7", "19680314"), ("Huber^Max", "7", "19500101"), True),
        (("Meier^", "", "19680314"), ("MEIER^Anna", "7", "19680314"), True),
    ],
)
def test_who_may_be_the_same_person(one: tuple[str, ...], other: tuple[str, ...], *, same: bool) -> None:
    a, b = (Patient(name=name, id=ident, birth_date=born) for name, ident, born in (one, other))
    assert known.may_be(a, b) is same


@pytest.mark.parametrize(
    ("language", "keyboard"), [("de", "qwertz"), ("en", "qwerty"), ("it", "italian"), ("zh-Hans", "qwerty")]
)
def test_the_keyboard_is_the_one_of_the_language(quiet: Bench, language: str, keyboard: str) -> None:
    page = quiet.client.get("/type", headers={"cookie": f"language={language}"}).text
    assert f'data-layout="{keyboard}"' in page


def test_the_keyboards_code_is_the_published_one() -> None:
    vendored = resources.files("gateway.panel").joinpath("static/vendor/simple-keyboard-3.8.192")
    digest = hashlib.sha256(vendored.joinpath("index.modern.js").read_bytes()).hexdigest()
    assert digest == "1b57c091afce92f61dbd617b697764d9c7aa1f796453b8885f5a55f341ce1f5c"
    assert "MIT License" in vendored.joinpath("LICENSE.txt").read_text()
