"""The exams on this box: found by a person's words, never through an address; sent again; clips played."""

from datetime import date, timedelta

import pytest

from gateway.panel.pages.archive import day_in
from gateway.panel.shown import names
from gateway.panel.words import Languages
from tests.unit.panel.conftest import Bench
from tests.unit.panel.exams_that_leave import move, sealed_exam

GERMAN = tuple(Languages()["de"].gettext(day) for day in names.DAYS)


def exam_of(bench: Bench, name: str, identifier: str) -> str:
    patient = {"name": name, "id": identifier, "birth_date": "19680314", "sex": "F"}
    return str(bench.post("/exams", {"patient": patient, "close_open": True}, status=201)["id"])


def found(bench: Bench, **asked: object) -> list[object]:
    return [exam["id"] for exam in bench.post("/exams/search", asked)["exams"]]


def test_an_exam_is_found_by_the_beginnings_of_name_or_id_however_they_are_written(bench: Bench) -> None:
    anna, chidi = exam_of(bench, "MÜLLER^Anna", "4711-0815"), exam_of(bench, "Okonkwo^Chidi", "4712-0031")
    assert found(bench, text="muller") == [anna]
    assert found(bench, text="An Mü") == [anna]
    assert found(bench, text="4712") == [chidi]
    assert found(bench, text="ller") == []
    assert found(bench) == [chidi, anna]
    some = bench.post("/exams/search", {"limit": 1})
    assert ([each["id"] for each in some["exams"]], some["more"]) == ([chidi], True)


def test_an_exam_is_found_by_its_day(bench: Bench) -> None:
    exam = exam_of(bench, "Meier^Anna", "4711-0815")
    today = bench.clock.now().local.date()
    day, next_day = today.isoformat(), (today + timedelta(days=1)).isoformat()
    assert found(bench, first=day, last=day) == [exam]
    assert found(bench, first=next_day) == []
    assert found(bench, last=(today - timedelta(days=1)).isoformat()) == []
    assert found(bench, first="0001-01-01", last="9999-12-31") == [exam]
    assert found(bench, first="9999-12-31") == found(bench, last="0001-01-01") == []
    bench.refused("/exams/search", {"first": "yesterday"}, 422, "bad-value")


@pytest.mark.parametrize(
    ("text", "day", "rest"),
    [
        ("meier 2026-11-21", date(2026, 11, 21), "meier"),
        ("21.11.2026", date(2026, 11, 21), ""),
        ("21-Nov-2026 meier", date(2026, 11, 21), "meier"),
        ("21. märz 2026", date(2026, 3, 21), ""),
        ("Rossi 5 März 2026", date(2026, 3, 5), "Rossi"),
        ("31-Feb-2026", None, "31-Feb-2026"),
        ("2026-02-31", None, "2026-02-31"),
        ("4711-0815", None, "4711-0815"),
    ],
)
def test_a_day_in_what_is_searched_for_is_understood_as_people_write_it(
    text: str, day: date | None, rest: str
) -> None:
    assert day_in(text, GERMAN) == (day, rest)


def test_a_day_is_searched_for_as_the_page_shows_it(bench: Bench) -> None:
    exam_of(bench, "Meier^Anna", "4711-0815")
    today = bench.clock.now().local
    days = ("01. Januar 1999", GERMAN[today.month - 1].format(day=today.day, year=today.year))
    for day, there in zip(days, (False, True), strict=True):
        page = bench.client.post("/archive", data={"text": day}, headers={"cookie": "language=de"})
        assert ("MEIER" in page.text) is there


def test_a_search_on_the_screen_leaves_no_name_in_an_address(bench: Bench) -> None:
    exam = exam_of(bench, "Meier^Anna", "4711-0815")
    bench.still(exam)
    exam_of(bench, "Okonkwo^Chidi", "4712-0031")
    page = bench.client.post("/archive", data={"text": "mei", "period": "today"})
    assert page.status_code == 200
    assert "?" not in str(page.url)
    assert f"/exam/{exam}" in page.text
    assert "OKONKWO" not in page.text
    assert 'method="post"' in page.text
    assert "No exam on this box fits." in bench.client.post("/archive", data={"text": "nobody"}).text
    assert "OKONKWO" in bench.client.get("/archive").text


def test_an_exam_that_ended_with_nothing_in_it_stands_in_no_list_of_exams(bench: Bench) -> None:
    empty = bench.open_exam("EMPTY^Eva")
    assert all(empty in bench.client.get(path).text for path in ("/archive", "/delivery"))  # it is open
    wrong = bench.open_exam("MEIER^Anna", close_open=True)  # "Wrong patient": the one before was closed
    uid = bench.still(wrong)
    moved = bench.open_exam("HUBER^Eva", close_open=True)
    bench.post(f"/exams/{wrong}/move", {"captures": [uid], "to": moved})
    removed = bench.open_exam("OTHER^Ida", close_open=True)
    bench.post(f"/captures/{bench.still(removed)}/reject", {"reason": "blurred"})
    bench.post(f"/exams/{removed}/finish")
    for path in ("/archive", "/delivery", "/copy/which"):
        page = bench.client.get(path).text
        assert [exam in page for exam in (empty, wrong, moved, removed)] == [False, False, True, True], path
    found = bench.client.post("/archive", data={"text": "EMPTY"}).text
    assert "No exam on this box fits." in found
    assert bench.client.get(f"/exam/{empty}").status_code == 200
    listed = {exam["id"] for exam in bench.get("/exams")["exams"]}  # programs are told of all
    assert {empty, wrong, moved, removed} <= listed


def test_an_exam_that_arrived_can_be_sent_again_as_the_same_objects(bench: Bench) -> None:
    exam = sealed_exam(bench)
    bench.refused(f"/exams/{exam}/send-again", None, 409, "wrong-state")
    assert "send-again" not in bench.client.get(f"/delivery/{exam}").text
    move(bench, state="committed", proof="commitment")
    assert "send-again" in bench.client.get(f"/delivery/{exam}").text
    before = {d["sop_instance_uid"] for d in bench.get("/deliveries?state=committed")["deliveries"]}
    assert bench.post(f"/exams/{exam}/send-again", {"destination": "pacs"})["queued"] == 2
    waiting = bench.get("/deliveries?state=queued")["deliveries"]
    assert {d["sop_instance_uid"] for d in waiting if d["destination"] == "pacs"} == before
    assert '"exam-sent-again"' in bench.spool.layout.audit.read_text()
    bench.refused(f"/exams/{exam}/send-again", {"destination": "nowhere"}, 404, "not-found")
    bench.refused("/exams/0000000000/send-again", None, 404, "not-found")


def test_only_the_exam_that_was_meant_is_sent_again(bench: Bench) -> None:
    first, second = sealed_exam(bench, 1), sealed_exam(bench, 1)
    move(bench, state="sent")
    assert bench.post(f"/exams/{first}/send-again")["queued"] == 1
    assert [d["exam"] for d in bench.get("/deliveries?state=sent")["deliveries"]] == [second]


def test_a_clip_has_a_page_on_which_its_pictures_play_at_their_real_times(bench: Bench) -> None:
    exam = bench.open_exam()
    clip = bench.post(f"/exams/{exam}/clips", status=201)["clip"]
    bench.post(f"/clips/{clip}/stop")
    assert f"/play/{clip}" in bench.client.get(f"/picture/{clip}").text
    page = bench.client.get(f"/play/{clip}").text
    assert '"film": false' in page
    assert page.split('"times": [')[1].split("]")[0].count(",") == 4
    still = bench.still(exam)
    assert bench.client.get(f"/play/{still}").status_code == 404
    assert "/play/" not in bench.client.get(f"/picture/{still}").text
