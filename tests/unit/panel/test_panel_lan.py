"""The second door: what is seen and done from the network."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from gateway.config.settings import Lan, Panel
from gateway.panel.people.roles import DOOR, Door
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import LAN_ADDRESS, Bench, item, running
from tests.unit.panel.who_may import ENDLESS, WHO, R, S, T, people, signed_in


def test_nobody_sees_a_patient_without_signing_in(bench: Bench) -> None:
    exam = bench.open_exam("MEIER^Anna")
    uid = bench.still(exam)
    bench.spool.worklist.replace("ris", [item(1, "OKONKWO^Chidi")])
    with bench.elsewhere() as lan:
        for name in WHO:
            method, path = name.split(" ")
            if method == "WS":
                continue
            address = re.sub(r"{\w+}", uid if "uid" in path else exam, path)
            answer = lan.request(method, address, json={} if method == "POST" else None, follow_redirects=True)
            for secret in ("MEIER", "Anna", "4711", "OKONKWO", exam):
                assert secret not in re.sub(r'next=[^"]*|data-next="[^"]*"', "", answer.text), (name, secret)


def test_service_sees_no_patient(bench: Bench) -> None:
    ids = people(bench)
    exam = bench.open_exam("MEIER^Anna")
    uid = bench.still(exam)
    bench.spool.worklist.replace("ris", [item(1, "OKONKWO^Chidi")])
    with bench.elsewhere() as lan:
        headers = signed_in(bench, ids[S], Door.LAN)
        seen = 0
        for name in WHO.keys() - ENDLESS - {"POST /api/v1/session/end"}:
            method, path = name.split(" ")
            address = re.sub(r"{\w+}", uid if "uid" in path else exam, path)
            answer = lan.request(method, address, headers=headers, json={} if method == "POST" else None)
            seen += answer.status_code == 200
            for secret in ("MEIER", "Anna", "4711-0815", "OKONKWO"):
                assert secret not in answer.text, (name, secret)
        assert seen > 8


def test_pictures_are_taken_at_the_box_unless_the_configuration_says_otherwise(bench: Bench) -> None:
    ids = people(bench)
    exam = bench.open_exam()
    with bench.elsewhere() as lan:
        headers = signed_in(bench, ids[T], Door.LAN)
        for path in (f"exams/{exam}/stills", f"exams/{exam}/clips", "clips/2.25.1/stop"):
            answer = lan.post(f"/api/v1/{path}", json={}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "no-capture-here")
        assert 'data-may="watch look work"' in lan.get(f"/live/{exam}", headers=headers).text
    assert bench.spool.captures.of_exam(exam) == []
    assert 'data-may="watch look work capture"' in bench.client.get(f"/live/{exam}").text


def test_with_capture_allowed_a_technician_takes_pictures_from_elsewhere(tmp_path) -> None:
    missing = tmp_path / "missing.pem"  # the listener stays shut: what is asked here came through it all the same
    panel = Panel(lan=Lan(certificate=missing, key=missing, capture=True))
    with folder_in_memory() as folder, running(folder, panel=panel) as bench:
        ids = people(bench)
        exam = bench.open_exam()
        with bench.elsewhere() as lan:
            for person, status in ((T, 201), (R, 403)):
                headers = signed_in(bench, ids[person], Door.LAN)
                assert lan.post(f"/api/v1/exams/{exam}/stills", json={}, headers=headers).status_code == status
        assert len(bench.spool.captures.of_exam(exam)) == 1


@contextmanager
def socket(bench: Bench, path: str, headers: dict[str, str]) -> Iterator[None]:
    app = bench.watching.app

    async def through_the_second_door(scope, receive, send):
        scope[DOOR] = Door.LAN
        await app(scope, receive, send)

    app.state.names.certified = frozenset({"box.clinic.example"})
    browser = TestClient(through_the_second_door, base_url=LAN_ADDRESS)
    browser.portal = bench.watching.portal
    with browser.websocket_connect(f"wss://box.clinic.example:8443{path}", headers=headers) as opened:
        yield opened


def test_the_live_picture_is_for_who_may_look_and_presses_are_for_the_box(bench: Bench) -> None:
    ids = people(bench)
    sign = {person: signed_in(bench, ids[person], Door.LAN) for person in ids}
    with socket(bench, "/api/v1/preview/ultrasound", sign[R]) as viewer:
        assert viewer.receive_bytes()[16:18] == b"\xff\xd8"
    refused = [
        ("/api/v1/preview/ultrasound", sign[S]),
        ("/api/v1/preview/ultrasound", {}),
        ("/api/v1/presses", sign[T]),
    ]
    for path, headers in refused:
        with pytest.raises(WebSocketDisconnect), socket(bench, path, headers):
            pass


def test_however_many_watch_from_the_network_the_screen_of_the_box_shows_its_live_picture(bench: Bench) -> None:
    headers = signed_in(bench, people(bench)[R], Door.LAN)
    path = "/api/v1/preview/ultrasound"
    with ExitStack() as watching:
        for _ in range(16):
            watching.enter_context(socket(bench, path, headers)).receive_bytes()
        refused = watching.enter_context(socket(bench, path, headers))
        with pytest.raises(WebSocketDisconnect) as ended:
            refused.receive_bytes()
        assert (ended.value.code, ended.value.reason) == (1013, "busy")
        with bench.watching.websocket_connect(f"ws://127.0.0.1:8080{path}") as at_the_box:
            assert at_the_box.receive_bytes()[16:18] == b"\xff\xd8"
    with socket(bench, path, headers) as again:
        assert again.receive_bytes()


def test_however_much_is_pressed_on_the_network_a_press_at_the_box_is_taken(tmp_path) -> None:
    missing = tmp_path / "missing.pem"
    panel = Panel(lan=Lan(certificate=missing, key=missing, capture=True))
    with folder_in_memory() as folder, running(folder, panel=panel) as bench:
        headers = signed_in(bench, people(bench)[T], Door.LAN)
        exam = bench.open_exam()
        bench.capture.script.delay_s = 0.2
        with socket(bench, "/api/v1/presses", headers) as page:
            for number in range(9):
                page.send_text(
                    json.dumps({"request_id": f"5c0f4d1e-92b7-4a0b-8d7e-3f6f5a8b1c2{number}", "exam": exam})
                )
            refused = json.loads(page.receive_text())
            assert (refused["request_id"][-1], refused["status"], refused["body"]["code"]) == ("8", 429, "busy")
            bench.capture.script.delay_s = 0.0
            assert {json.loads(page.receive_text())["status"] for _ in range(8)} == {201}
            with bench.elsewhere() as lan:
                assert lan.post(f"/api/v1/exams/{exam}/stills", json={}, headers=headers).status_code == 201
        bench.still(exam)


def test_a_live_picture_ends_when_its_watcher_is_signed_out(bench: Bench) -> None:
    ids = people(bench)
    with socket(bench, "/api/v1/preview/ultrasound", signed_in(bench, ids[R], Door.LAN)) as viewer:
        viewer.receive_bytes()
        bench.watching.app.state.desk.sessions.end_of(ids[R])
        with pytest.raises(WebSocketDisconnect) as ended:
            watch_on(viewer)
    assert (ended.value.code, ended.value.reason) == (1008, "not-signed-in")


def test_who_was_signed_out_presses_nothing_any_more(tmp_path) -> None:
    missing = tmp_path / "missing.pem"
    panel = Panel(lan=Lan(certificate=missing, key=missing, capture=True))
    with folder_in_memory() as folder, running(folder, panel=panel) as bench:
        ids = people(bench)
        exam = bench.open_exam()
        press = {"request_id": "5c0f4d1e-92b7-4a0b-8d7e-3f6f5a8b1c20", "exam": exam}
        with socket(bench, "/api/v1/presses", signed_in(bench, ids[T], Door.LAN)) as page:
            page.send_text(json.dumps(press))
            assert json.loads(page.receive_text())["status"] == 201
            bench.watching.app.state.desk.sessions.end_of(ids[T])
            page.send_text(json.dumps(press | {"request_id": press["request_id"][:-1] + "1"}))
            with pytest.raises(WebSocketDisconnect) as ended:
                page.receive_text()
        assert (ended.value.code, ended.value.reason) == (1008, "not-signed-in")
        assert len(bench.spool.captures.of_exam(exam)) == 1


def watch_on(viewer) -> None:
    while True:
        viewer.send_text("1")
        viewer.receive_bytes()
