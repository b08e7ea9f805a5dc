"""Signing in and out, PINs and their waits, and what the audit says of it."""

import json

import pytest

from gateway.clock import FakeClock
from gateway.panel.people.roles import Door
from gateway.panel.people.sessions import COOKIE
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running
from tests.unit.panel.who_may import PIN, A, R, T, people, sign_in, signed_in


def test_signing_in_gives_a_cookie_that_no_script_no_other_site_and_no_other_name_gets(bench: Bench) -> None:
    people(bench)
    with bench.elsewhere() as lan:
        said = sign_in(lan).headers["set-cookie"]
    name, _, rest = said.partition("=")
    assert name == "__Host-scopegate"
    flags = {part.strip().lower() for part in rest.split(";")[1:]}
    assert flags == {"path=/", "secure", "httponly", "samesite=strict"}
    at_the_box = sign_in(bench.client).headers["set-cookie"].lower()
    assert "httponly" in at_the_box
    assert "samesite=strict" in at_the_box


def test_whoever_stands_before_the_box_chooses_among_those_whom_the_page_is_for(bench: Bench) -> None:
    people(bench)
    with bench.elsewhere() as lan:
        assert "Huber" not in lan.get("/sign-in?next=/service/self-test").text
    usual, service = (
        bench.client.get(f"/sign-in?next={page}").text for page in ("/settings", "/service/self-test")
    )
    assert "Huber" in usual
    assert "Huber" in service
    assert "Service" not in usual.partition("<main")[2]
    assert "Service" in service.partition("<main")[2]
    assert "Reviewer" not in service
    assert sign_in(bench.client, name="Service").status_code == 200
    assert bench.client.get("/service/self-test").status_code == 200
    assert bench.client.get("/people", follow_redirects=False).status_code == 403


def test_a_session_that_somebody_planted_in_a_browser_is_never_taken_over(bench: Bench) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        planted = signed_in(bench, ids[T], Door.LAN)
        made_up = {"cookie": f"{COOKIE[Door.LAN]}={'ab' * 32}"}
        for cookie in (planted, made_up):
            answer = sign_in(lan, **cookie)
            token = answer.headers["set-cookie"].split("=")[1].split(";")[0]
            assert token not in cookie["cookie"]
            lan.cookies.clear()
            seen = lan.get("/api/v1/session", headers=cookie).json()
            assert seen["person"] == ""  # the one before counts no more


def test_a_signed_out_browser_is_out_and_so_is_a_removed_person(bench: Bench) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        sign_in(lan)
        cookie = {"cookie": f"{COOKIE[Door.LAN]}={lan.cookies[COOKIE[Door.LAN]]}"}
        assert lan.get("/api/v1/people").status_code == 200
        lan.post("/api/v1/session/end", json={})
        assert lan.get("/api/v1/people", headers=cookie).status_code == 401
        reviewer = signed_in(bench, ids[R], Door.LAN)
        assert lan.get("/api/v1/exams", headers=reviewer).status_code == 200
        admin = signed_in(bench, ids[A], Door.LAN)
        for path, body in (("role", {"role": "service"}), ("pin", {"pin": "999111"}), ("remove", {})):
            reviewer = signed_in(bench, ids[R], Door.LAN)
            assert lan.post(f"/api/v1/people/{ids[R]}/{path}", json=body, headers=admin).status_code == 200
            assert lan.get("/api/v1/exams", headers=reviewer).status_code == 401


def test_a_person_takes_another_pin_by_the_one_before_and_stays_signed_in_here_alone(bench: Bench) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        other = signed_in(bench, ids[R], Door.LAN)
        sign_in(lan, name="Reviewer")
        assert (
            lan.post("/api/v1/session/pin", json={"old": "999999", "pin": "731840"}).json()["code"] == "wrong-pin"
        )
        assert lan.post("/api/v1/session/pin", json={"old": PIN, "pin": "731840"}).status_code == 429
    with bench.elsewhere("10.0.0.8") as lan:
        sign_in(lan, name="Reviewer")
        assert lan.get("/pin").status_code == 200
        assert lan.post("/api/v1/session/pin", json={"old": PIN, "pin": "000000"}).status_code == 422
        assert lan.post("/api/v1/session/pin", json={"old": PIN, "pin": "731840"}).status_code == 200
        assert lan.get("/api/v1/exams").status_code == 200
        assert lan.get("/api/v1/exams", headers=other).status_code == 401
    with bench.elsewhere("10.0.0.9") as lan:
        assert sign_in(lan, name="Reviewer", pin="731840").status_code == 200
    bench.refused("/session/pin", {"old": PIN, "pin": "731840"}, 401, "not-signed-in")


def test_settings_at_the_box_ask_for_the_pin_and_keep_it_while_somebody_works_there() -> None:
    clock = FakeClock()
    with folder_in_memory() as folder, running(folder, clock=clock) as bench:
        people(bench)
        assert bench.client.get("/people", follow_redirects=False).headers["location"] == "/sign-in?next=/people"
        sign_in(bench.client)
        for _ in range(5):
            clock.move(590)
            assert "data-in-use" in bench.client.get("/people").text  # its touches are told
            clock.move(590)
            assert bench.client.post("/api/v1/session/touch", json={}).status_code == 200
        clock.move(600)
        assert bench.client.get("/people").url.path == "/sign-in"
        assert bench.client.get("/api/v1/exams").status_code == 200  # exams need no PIN there


def test_exams_and_waiting_pages_at_the_box_keep_no_administrator_signed_in() -> None:
    clock = FakeClock()
    with folder_in_memory() as folder, running(folder, clock=clock) as bench:
        people(bench)
        sign_in(bench.client)
        for _ in range(9):
            clock.move(60)
            assert "data-in-use" not in bench.client.get("/").text
            assert bench.client.post("/api/v1/kiosk/beat", json={}).status_code in {204, 404}
            assert bench.client.post("/api/v1/devices/pedal", json={}).status_code == 200
            assert bench.client.get("/people", headers={"sec-fetch-mode": "cors"}).url.path == "/people"
        bench.open_exam()
        clock.move(60)
        assert bench.client.get("/people").url.path == "/sign-in"


def test_what_a_page_fetches_by_itself_keeps_nobody_signed_in() -> None:
    clock = FakeClock()
    with folder_in_memory() as folder, running(folder, clock=clock) as bench:
        people(bench)
        with bench.elsewhere() as lan:
            sign_in(lan)
            for _ in range(9):
                clock.move(60)
                assert lan.get("/exam/x", headers={"sec-fetch-mode": "cors"}).status_code == 404
            assert lan.post("/api/v1/session/touch", json={}).status_code == 200
            clock.move(590)
            assert lan.get("/api/v1/exams", headers={"sec-fetch-mode": "cors"}).status_code == 200
            clock.move(10)
            assert lan.get("/api/v1/exams", headers={"sec-fetch-mode": "cors"}).status_code == 401


def test_guessing_a_pin_waits_longer_and_longer_and_pictures_never_do() -> None:
    clock = FakeClock()
    with folder_in_memory() as folder, running(folder, clock=clock) as bench:
        people(bench)
        exam = bench.open_exam()
        with bench.elsewhere() as lan:
            tries = 0
            begun = clock.boottime_ns()
            while clock.boottime_ns() - begun < 3600e9:
                answer = sign_in(lan, pin=f"{500000 + tries}")
                if answer.status_code == 429:
                    assert answer.json()["code"] == "wait-after-wrong-pin"
                    assert sign_in(lan).status_code == 429  # the right one waits as well: nothing is learned
                    clock.move(int(answer.headers["retry-after"]))
                else:
                    assert (answer.status_code, answer.json()["code"]) == (403, "wrong-pin")
                    tries += 1
            assert tries < 70
        bench.still(exam)
        with bench.elsewhere("10.0.0.8") as other:
            assert sign_in(other).status_code == 200  # nobody is locked out
        clock.move(60)
        with bench.elsewhere() as lan:
            assert sign_in(lan).status_code == 200


def test_a_wrong_name_and_a_wrong_pin_look_the_same(bench: Bench) -> None:
    people(bench)
    with bench.elsewhere() as lan:
        answers = [sign_in(lan, name="Nobody"), sign_in(lan, pin="999999")]
    assert answers[0].json() == answers[1].json()
    assert answers[0].status_code == answers[1].status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "Huber"},
        {"name": 7, "pin": PIN},
        {"name": "Huber", "pin": None},
        {"name": "Huber", "pin": ["x"]},
    ],
)
def test_half_a_sign_in_is_none(bench: Bench, body: dict) -> None:
    people(bench)
    answer = bench.client.post("/api/v1/session", json=body)
    assert answer.status_code in {403, 422}
    assert "set-cookie" not in answer.headers


def test_the_audit_says_who_came_who_was_refused_and_who_did_it_and_never_a_pin(bench: Bench) -> None:
    people(bench)
    with bench.elsewhere() as lan:
        sign_in(lan, pin="777123")
        sign_in(lan, name="888456", pin="x")  # a PIN in the wrong field
        with bench.elsewhere("10.0.0.9") as other:
            sign_in(other)
            other.post("/api/v1/people", json={"name": "Rossi", "role": "reviewer", "pin": "555987"})
            exam = other.post("/api/v1/exams", json={"emergency": True}).json()["id"]
        with bench.elsewhere("10.0.0.10") as third:
            sign_in(third, name="Rossi", pin="555987")
            third.get("/people")
            third.post("/api/v1/session/end", json={})
    bench.post("/exams", {"emergency": True, "close_open": True}, status=201)
    text = bench.spool.layout.audit.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    for secret in ("777123", "888456", "555987", PIN):
        assert secret not in text
    whats = [(line["what"], line.get("person")) for line in lines]
    for wanted in (
        ("sign-in-refused", "Huber"),
        ("sign-in-refused", ""),
        ("signed-in", "Huber"),
        ("person-added", "Huber"),
        ("exam-opened", "Huber"),
        ("signed-in", "Rossi"),
        ("not-permitted", "Rossi"),
        ("signed-out", "Rossi"),
        ("exam-opened", None),
    ):
        assert wanted in whats, (wanted, whats)
    assert next(line for line in lines if line["what"] == "person-added")["about"] == "Rossi"
    assert exam


def test_every_page_on_people_can_be_seen_by_whom_it_is_for(bench: Bench) -> None:
    assert 'action="/first"' in bench.client.get("/first").text  # first the name
    assert "/api/v1/people/first" in bench.client.get("/first?name=Chris").text
    ids = people(bench)
    for path in ("/sign-in", "/recover"):
        assert bench.client.get(path).status_code == 200
    with bench.elsewhere() as lan:
        assert "Huber" not in lan.get("/sign-in").text  # names are for who stands before the box
        headers = signed_in(bench, ids[A], Door.LAN)
        for path in ("/people", "/people/name", "/people/add", "/people/code", f"/people/{ids[R]}", "/more"):
            answer = lan.get(path, headers=headers)
            assert (answer.status_code, "Huber" in answer.text) == (200, path in {"/people", "/more"}), path
        assert lan.get("/people/nobody", headers=headers).status_code == 404
        refused = lan.get("/people", headers=signed_in(bench, ids[R], Door.LAN))
        assert refused.status_code == 403
        assert "not-permitted" in refused.text
