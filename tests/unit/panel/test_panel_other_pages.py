"""Other names that lead here and pages from elsewhere: nothing is done in the name of who is signed in."""

import httpx2
import pytest

from gateway.panel.people.roles import Door
from tests.unit.panel.conftest import LAN_ADDRESS, Bench
from tests.unit.panel.who_may import A, T, people, signed_in


@pytest.mark.parametrize(
    "host", ["evil.example", "box.clinic.example.evil.example", "127.0.0.1", "10.0.0.99", "[::1", ""]
)
def test_a_name_that_leads_here_by_dns_alone_is_not_served(bench: Bench, host: str) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        headers = {**signed_in(bench, ids[A], Door.LAN), "host": host}
        answer = lan.get("/api/v1/people", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (421, "wrong-host")


def test_the_box_answers_on_the_network_to_the_names_of_its_certificate(bench: Bench) -> None:
    with bench.elsewhere() as lan:
        for host in ("box.clinic.example:8443", "us1.kis.example", "10.0.0.5:8443"):
            assert lan.get("/api/v1/session", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://box.clinic.example:8443"},
        {"origin": "https://box.clinic.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
def test_a_page_from_elsewhere_changes_nothing_in_the_name_of_who_is_signed_in(bench: Bench, headers: dict) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        cookie = signed_in(bench, ids[A], Door.LAN)
        answer = lan.post("/api/v1/exams", json={"emergency": True}, headers={**cookie, **headers})
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong-origin")
    assert bench.spool.exams.list() == []


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]
)
def test_a_form_of_another_page_is_no_call(bench: Bench, kind: str) -> None:
    ids = people(bench)
    with bench.elsewhere() as lan:
        headers = {**signed_in(bench, ids[A], Door.LAN), "content-type": kind}
        for path in ("exams", "people", f"people/{ids[T]}/remove", "session"):
            answer = lan.post(f"/api/v1/{path}", content=b'{"emergency": true, "x": "="}', headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (415, "not-json")


def test_a_link_from_elsewhere_may_lead_here_and_an_embedded_picture_may_not(bench: Bench) -> None:
    for mode, status in (("navigate", 200), ("no-cors", 403), ("cors", 403)):
        headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode}
        assert bench.client.get("/more", headers=headers).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2fapp.py",
        "/static//etc/passwd",
        "/static/..\\app.py",
        "/static/%00",
        "/static/fonts/../../app.py",
    ],
)
def test_no_path_leads_out_of_the_folder_of_files(bench: Bench, path: str) -> None:
    with bench.elsewhere() as lan:
        answer = lan.request("GET", httpx2.URL(f"{LAN_ADDRESS}{path}"))
        assert answer.status_code in {404, 405}
        assert "create_app" not in answer.text
