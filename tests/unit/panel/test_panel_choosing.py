"""A patient is chosen: by a search, by a scan, with several orders."""

import html
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.model import RequestState
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, item, running

MEIER = item(1, "MEIER^Anna")


def another_order(number: int = 7, **changes: object) -> object:
    return replace(item(number, ""), patient=MEIER.patient, **changes)


def links(page: str) -> list[str]:
    return [html.unescape(link) for link in re.findall(r'href="(/confirm\?[^"]*)"', page)]


def body(page: str) -> dict:
    found = re.search(r"data-body='([^']*)'", page)
    assert found
    return json.loads(html.unescape(found[1]))


# --- several orders ------------------------------------------------------------------------------------------


def test_the_other_orders_of_the_patient_are_offered_and_those_ticked_become_one_exam(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER, item(2, "HUBER^Max"), another_order(7), another_order(8)])
    page = bench.client.get("/confirm?item=item-1").text
    assert links(page) == ["/confirm?item=item-1&item=item-7", "/confirm?item=item-1&item=item-8"]
    assert body(page) == {"worklist_item": "item-1"}
    page = bench.client.get("/confirm?item=item-1&item=item-8").text
    assert links(page) == ["/confirm?item=item-1&item=item-8&item=item-7", "/confirm?item=item-1"]
    assert "One exam for 2 orders" in page
    assert bench.post("/exams", body(page), status=201)


def test_orders_of_two_patients_are_no_question(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER, item(2, "HUBER^Max")])
    assert bench.client.get("/confirm?item=item-1&item=item-2").status_code == 404


def test_a_row_says_how_many_orders_its_patient_has(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER, item(2, "HUBER^Max"), another_order()])
    assert bench.client.get("/").text.count("2 orders") == 2


# --- who was here already ------------------------------------------------------------------------------------


def taken(bench: Bench, *entries: str, pictures: int = 2) -> str:
    """Examine a patient of the list; return the exam, which has ended."""
    exam = str(bench.post("/exams", {"worklist_item": list(entries)}, status=201)["id"])
    for _ in range(pictures):
        bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    return exam


def rows(page: str) -> dict[str, str]:
    return {row.split('"')[0]: row for row in page.split('href="/confirm?item=')[1:]}


def test_who_was_examined_here_today_is_marked_on_the_list_and_is_still_chosen_with_one_touch(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER, item(2, "HUBER^Max")])
    exam = taken(bench, "item-1", pictures=3)
    time = f"{bench.spool.exams.get(exam).opened.local:%H:%M}"
    found = rows(bench.client.get("/").text)
    assert f"examined today {time} · 3 images" in found["item-1"]
    assert "examined today" not in found["item-2"]
    page = bench.client.get("/confirm?item=item-1").text
    assert f"Examined here today at {time} (3 images). Yes begins one more exam." in page
    again = str(bench.post("/exams", body(page), status=201)["id"])
    assert bench.spool.exams.get(again).study_instance_uid == bench.spool.exams.get(exam).study_instance_uid


def test_an_order_that_was_not_done_yet_is_not_marked_because_another_one_of_its_patient_was(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER, another_order(7), another_order(8)])
    taken(bench, "item-1", "item-8")
    marked = {entry for entry, row in rows(bench.client.get("/").text).items() if "examined today" in row}
    assert marked == {"item-1", "item-8"}


def test_what_was_taken_of_a_patient_for_no_order_marks_each_of_the_orders(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER, another_order(7), item(2, "HUBER^Max")])
    patient = {"name": MEIER.patient.name, "id": MEIER.patient.id, "issuer": MEIER.patient.issuer}
    exam = str(bench.post("/exams", {"patient": patient}, status=201)["id"])
    bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    marked = {entry for entry, row in rows(bench.client.get("/").text).items() if "1 image" in row}
    assert marked == {"item-1", "item-7"}


def test_an_exam_without_a_picture_or_from_a_wrong_entry_marks_nobody(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER])
    taken(bench, "item-1", pictures=0)
    removed = str(bench.post("/exams", {"worklist_item": "item-1"}, status=201)["id"])
    uid = bench.still(removed)
    assert "examined today" not in bench.client.get("/").text  # it is open: the line above the list says so
    bench.post(f"/captures/{uid}/reject", {"reason": "blurred"})
    bench.post(f"/exams/{removed}/finish")
    wrong = str(bench.post("/exams", {"worklist_item": "item-1"}, status=201)["id"])
    bench.still(wrong)
    bench.post(f"/exams/{wrong}/discontinue", {"reason": "incorrect-worklist-entry"})
    assert "examined today" not in bench.client.get("/").text


def test_nobody_is_called_examined_by_pictures_that_may_be_of_another_patient(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER, item(2, "HUBER^Max")])
    exam = str(bench.post("/exams", {"worklist_item": "item-1"}, status=201)["id"])
    bench.still(exam)
    next_one = str(bench.post("/exams", {"worklist_item": "item-2", "close_open": True}, status=201)["id"])
    bench.post(f"/exams/{next_one}/finish")
    assert "examined today" not in bench.client.get("/").text  # "Please check: still MEIER, Anna?"
    bench.post(f"/exams/{exam}/confirm")
    assert "examined today" in rows(bench.client.get("/").text)["item-1"]


# --- scan ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scanned", ["4711-0001", " 4711-0001 ", "A-00001", "a-00001"])
def test_a_scan_of_one_entry_asks_whether_it_is_this_patient(bench: Bench, scanned: str) -> None:
    bench.spool.worklist.replace("ris", [MEIER, item(2, "HUBER^Max")])
    answer = bench.client.post("/scanned", data={"text": scanned})
    assert str(answer.url).endswith("/confirm?item=item-1")


def test_a_scan_for_an_exam_that_needs_a_patient_stays_with_that_exam(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER])
    exam = bench.post("/exams", {"emergency": True}, status=201)["id"]
    answer = bench.client.post(f"/scanned?assign={exam}", data={"text": "4711-0001"})
    assert str(answer.url).endswith(f"/confirm?item=item-1&assign={exam}")


def test_a_scan_of_several_entries_shows_them(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER, item(2, "HUBER^Max"), another_order()])
    page = bench.client.post("/scanned", data={"text": "4711-0001"}).text
    assert links(page) == ["/confirm?item=item-1", "/confirm?item=item-7"]


@pytest.mark.parametrize(
    ("scanned", "says"),
    [
        ("4711", "Nobody on the list has the ID"),  # half an ID is nobody's
        ("", "That was no barcode"),
        ("x" * 10_000, "That was no barcode"),
        ("\x00\x1b[2J", "That was no barcode"),
        ("\u202e1000-1174", "That was no barcode"),
        ("<script>alert(1)</script>", "&lt;script&gt;"),
        ("' OR ''='", "Nobody on the list has the ID"),
    ],
)
def test_a_scan_of_nobody_chooses_nobody(bench: Bench, scanned: str, says: str) -> None:
    bench.spool.worklist.replace("ris", [MEIER])
    page = bench.client.post("/scanned", data={"text": scanned}).text
    assert says in page
    assert links(page) == []
    assert "<script>alert" not in page


def test_an_entry_without_numbers_is_found_by_no_scan(bench: Bench) -> None:
    nobody = replace(MEIER, patient=replace(MEIER.patient, id=""))
    bench.spool.worklist.replace("ris", [replace(nobody, procedure=replace(nobody.procedure, accession_number=""))])
    assert links(bench.client.post("/scanned", data={"text": "   "}).text) == []


def test_a_form_of_more_fields_than_any_page_has_is_refused(quiet: Bench) -> None:
    answer = quiet.client.post("/scanned", content="&".join(f"a{n}=1" for n in range(50)))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


@pytest.fixture
def patient() -> Iterator[Bench]:
    """A panel that waits for servers as long as it takes."""
    with folder_in_memory() as folder, running(folder, refresh=60.0) as bench:
        yield bench


def test_who_was_examined_here_and_is_not_on_the_worklist_is_found_from_the_search(bench: Bench) -> None:
    exam = bench.open_exam("OKONKWO^Chidi")
    bench.still(exam)
    page = bench.client.post("/search", data={"text": "okonk"}).text
    assert "Not on the worklist." in page
    assert "exams that fit: 1" in page
    assert "exams that fit" not in bench.client.post("/search", data={"text": "nobody"}).text


# --- search --------------------------------------------------------------------------------------------------


def test_a_search_shows_entries_and_never_the_whole_list(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER, item(2, "HUBER^Max")])
    assert links(bench.client.post("/search", data={"text": "hub"}).text) == ["/confirm?item=item-2"]
    assert links(bench.client.post("/search", data={"text": " "}).text) == []
    assert links(bench.client.get("/search").text) == []


def test_a_search_at_the_servers_finds_who_is_not_on_the_list_and_leaves_no_name_behind(patient: Bench) -> None:
    asked, done = [], threading.Event()

    def forward() -> None:
        while not done.is_set():
            if request := patient.spool.requests.begin("worklist-search"):
                asked.append(request)
                patient.spool.worklist.add("ris", [MEIER])
                patient.spool.requests.done(request, {"servers": [{"server": "ris", "ok": True, "items": 1}]})
            done.wait(0.01)

    thread = threading.Thread(target=forward)
    thread.start()
    answer = patient.post("/worklist/search", {"text": "meier", "server": True})
    done.set()
    thread.join()
    assert (answer["search"], [i["id"] for i in answer["items"]]) == (
        {"done": True, "code": "", "what": ""},
        ["item-1"],
    )
    assert asked[0].arguments == {"text": "meier"}
    with patient.spool.database.read() as connection:
        assert connection.execute("SELECT count(*) FROM request").fetchone()[0] == 0
    assert patient.get("/worklist")["items"] == []  # the list is as the server last gave it
    assert "Is this your patient?" in patient.client.get("/confirm?item=item-1").text


def test_a_server_that_did_not_answer_a_search_is_named(patient: Bench) -> None:
    done = threading.Event()
    failed = {"server": "ris", "ok": False, "code": "worklist-unreachable", "what": "The server does not answer."}

    def forward() -> None:
        while not done.is_set():
            if request := patient.spool.requests.begin("worklist-search"):
                patient.spool.requests.done(request, {"servers": [failed]})
            done.wait(0.01)

    thread = threading.Thread(target=forward)
    thread.start()
    answer = patient.post("/worklist/search", {"text": "meier", "server": True})
    done.set()
    thread.join()
    assert answer["search"] == {"done": True, "code": failed["code"], "what": failed["what"]}


def test_a_search_that_nobody_answers_ends_and_leaves_no_name_behind(bench: Bench) -> None:
    answer = bench.post("/worklist/search", {"text": "meier", "server": True})
    assert (answer["search"]["done"], answer["search"]["code"]) == (False, "too-late")
    with bench.spool.database.read() as connection:
        states = [row[0] for row in connection.execute("SELECT state FROM request")]
    assert RequestState.WAITING not in states
    assert states == []


@pytest.mark.parametrize("text", ["", "m", " * ", "?-"])
def test_servers_are_not_asked_for_everybody(quiet: Bench, text: str) -> None:
    problem = quiet.refused("/worklist/search", {"text": text, "server": True}, 422, "bad-value")
    assert "two letters" in problem["action"]


def test_an_open_exam_waits_for_somebody_after_its_end_only_when_it_has_pictures(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [item(1, "Meier^Anna")])
    exam = bench.open_exam("HUBER^Eva")
    page = bench.client.get("/confirm?item=item-1").text
    assert "is still open, without pictures. It ends now." in page
    assert "waits on this box" not in page
    bench.still(exam)
    assert "It ends now and waits on this box" in bench.client.get("/confirm?item=item-1").text


def test_who_is_to_be_left_is_not_offered_and_exams_of_this_box_say_that_a_name_is_similar(bench: Bench) -> None:
    bench.spool.worklist.replace("ris", [MEIER, item(2, "MEYER^Anna"), item(3, "OKONKWO^Chidi")])
    wrong = str(bench.post("/exams", {"worklist_item": "item-1"}, status=201)["id"])
    bench.still(wrong)
    other = str(
        bench.post("/exams", {"patient": {"name": "OKONKVO^Ada", "id": "9"}, "close_open": True}, status=201)["id"]
    )
    bench.post(f"/exams/{other}/finish")
    page = bench.client.get(f"/?assign={wrong}").text
    assert {row[:6] for row in rows(page)} == {"item-2", "item-3"}
    recent, _, listed = page.partition("item=item-2")
    assert "OKONKVO" in recent
    assert recent.count("similar name") == 1
    assert listed.count("similar name") == 1  # OKONKWO's, and not that of who is alone
    assert set(rows(bench.client.get("/").text)) == {"item-1", "item-2", "item-3"}
