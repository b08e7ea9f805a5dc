import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

import httpx2
import pytest
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from gateway.clock import Clock
from gateway.config.settings import Address, AuditRepository, Panel, Tls
from gateway.errors import ListenerFailed, SpoolLocked, WorklistError
from gateway.model import MessageKind
from gateway.panel import service
from gateway.panel.live.hub import Hub
from gateway.panel.shown.health import Lines
from gateway.panel.shown.peer_health import PeerHealth
from gateway.panel.words import Languages
from gateway.spool.processes.live import LiveState
from gateway.threads import Supervisor
from tests.unit.panel.conftest import Bench, item, seal, settings_for
from tests.unit.panel.fake_capture import START

# --- what every request must pass --------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "10.0.0.5:8080", "[::"])
def test_another_name_than_this_machines_is_not_served(quiet: Bench, host: str) -> None:
    answer = quiet.client.get("/api/v1/worklist", headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "wrong-host")


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:8080", "[::1]:8080", "localhost"])
def test_every_name_of_this_machine_is_served(quiet: Bench, host: str) -> None:
    assert quiet.client.get("/api/v1/worklist", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://["])
def test_a_request_from_another_page_changes_nothing(quiet: Bench, origin: str) -> None:
    answer = quiet.client.post("/api/v1/exams", json={"emergency": True}, headers={"origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong-origin")
    assert len(quiet.spool.exams.list()) == 1


def test_the_live_picture_is_not_shown_to_another_page(quiet: Bench) -> None:
    headers = {"origin": "http://evil.example"}
    with (
        pytest.raises(WebSocketDisconnect),
        quiet.watching.websocket_connect("ws://127.0.0.1:8080/api/v1/preview/ultrasound", headers=headers),
    ):
        pass


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {"content-type": "application/json"}, 400, "bad-request"),
        (b"[1]", {"content-type": "application/json"}, 400, "bad-request"),
        (b"\xff\xfe", {"content-type": "application/json"}, 400, "bad-request"),
        (b"[" * 60_000, {"content-type": "application/json"}, 400, "bad-request"),
        (b'{"worklist_item": "\\ud800"}', {"content-type": "application/json"}, 400, "bad-request"),
        (b"{}", {"content-type": "text/plain"}, 415, "not-json"),
        (b" " * 70_000, {"content-type": "application/json"}, 413, "too-large"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    quiet: Bench, content: bytes, headers: dict, status: int, code: str
) -> None:
    answer = quiet.client.post("/api/v1/exams", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_body_that_nests_too_deep_is_refused_at_every_depth(quiet: Bench) -> None:
    for depth in range(700, 1000, 3):  # reading and writing again do not give up at the same one
        content = b'{"request_id": "00000000-0000-0000-0000-000000000000", "frame": ' + b"[" * depth + b"]" * depth
        answer = quiet.client.post(
            "/api/v1/exams/x/stills", content=content + b"}", headers={"content-type": "application/json"}
        )
        assert answer.status_code in {400, 422}, depth


def test_a_body_that_does_not_say_its_length_is_cut_off_all_the_same(quiet: Bench) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 10_000

    answer = quiet.client.post("/api/v1/exams", content=endless(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/exams?limit=" + "0" * 12 + "9" * 30, 422),
        ("/exams?limit=" + "9" * 5000, 422),
        ("/deliveries?limit=" + "0" * 12 + "9" * 30, 422),
        ("/captures/1.2/frames/" + "9" * 5000, 404),
        ("/captures/1.2/frames/x", 404),
    ],
)
def test_a_number_that_nobody_means_is_refused(quiet: Bench, path: str, status: int) -> None:
    assert quiet.client.get(f"/api/v1{path}").status_code == status


def test_an_exam_that_cannot_be_is_not_found(quiet: Bench) -> None:
    for call in ("finish", "confirm", "discontinue", "assign"):
        body = {"discontinue": {"reason": "unspecified"}, "assign": {"patient": {"name": "A", "id": "B"}}}.get(call)
        answer = quiet.client.post(f"/api/v1/exams/{'9' * 5000}/{call}", json=body or {})
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), call


def test_unknown_addresses_and_methods_are_problems_too(quiet: Bench) -> None:
    assert quiet.get("/nothing", status=404)["code"] == "not-found"
    answer = quiet.client.delete("/api/v1/exams")
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")


def test_every_answer_protects_the_patient_and_the_page(quiet: Bench) -> None:
    for path in ("/api/v1/exams", "/api/v1/nothing", "/"):
        headers = quiet.client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


# --- worklist ------------------------------------------------------------------------------------------------


def test_the_worklist_says_how_old_it_is(bench: Bench) -> None:
    assert bench.get("/worklist") | {"servers": []} == {"items": [], "as_of": None, "stale": True, "servers": []}
    bench.spool.worklist.replace("ris", [item(2, "MEYER^Anna"), item(1, "MEIER^Anna")])
    answer = bench.get("/worklist")
    assert [i["id"] for i in answer["items"]] == ["item-1", "item-2"]
    assert answer["items"][0]["patient"]["name"] == "MEIER^Anna"
    assert (answer["items"][0]["procedure"], answer["stale"]) == ("Abdomen ultrasound", False)
    bench.spool.worklist.failed("ris", WorklistError("The server does not answer."))
    failed = bench.get("/worklist")
    assert (failed["stale"], failed["as_of"], len(failed["items"])) == (True, answer["as_of"], 2)
    assert failed["servers"][0]["problem"] == "The server does not answer."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("meier", ["item-1"]),
        ("Ann", ["item-1"]),
        ("meier, anna", ["item-1"]),
        ("muller", ["item-2"]),
        ("A-00002", ["item-2"]),
        ("4711-0003", ["item-3"]),
        ("小东", ["item-3"]),
        ("", ["item-1", "item-2", "item-3"]),
        ("nobody", []),
    ],
)
def test_a_search_finds_names_ids_and_accession_numbers(quiet: Bench, text: str, found: list[str]) -> None:
    quiet.spool.worklist.replace("ris", [item(1, "MEIER^Anna"), item(2, "Müller^Jörg"), item(3, "Wang^X=王^小东")])
    assert [i["id"] for i in quiet.post("/worklist/search", {"text": text})["items"]] == found


def test_a_refresh_answers_when_the_servers_did(bench: Bench) -> None:
    done = threading.Event()

    def forward() -> None:
        while not done.is_set():
            if request := bench.spool.requests.begin("worklist-refresh"):
                bench.spool.worklist.replace("ris", [item(1, "MEIER^Anna")])
                bench.spool.requests.done(request, {"servers": []})
            done.wait(0.01)

    thread = threading.Thread(target=forward)
    thread.start()
    answer = bench.post("/worklist/refresh")
    done.set()
    thread.join()
    assert answer["refresh"]["done"] is True
    assert [i["id"] for i in answer["items"]] == ["item-1"]


def test_a_refresh_that_nobody_answers_ends_with_the_list_as_it_is(bench: Bench) -> None:
    answer = bench.post("/worklist/refresh")
    assert (answer["refresh"]["done"], answer["refresh"]["code"]) == (False, "too-late")


def test_a_refresh_that_failed_says_why(bench: Bench) -> None:
    done = threading.Event()

    def forward() -> None:
        while not done.is_set():
            if request := bench.spool.requests.begin("worklist-refresh"):
                bench.spool.requests.failed(request, WorklistError("The server does not answer."))
            done.wait(0.01)

    thread = threading.Thread(target=forward)
    thread.start()
    answer = bench.post("/worklist/refresh")
    done.set()
    thread.join()
    assert answer["refresh"] == {"done": False, "code": "worklist", "what": "The server does not answer."}


# --- health --------------------------------------------------------------------------------------------------


def test_health_is_good_while_pictures_can_be_captured(bench: Bench) -> None:
    answer = bench.get("/health")
    assert answer["can_capture"] is True
    assert [(s["name"], s["state"]) for s in answer["sources"]] == [("ultrasound", "live")]
    assert {d["name"]: d["required"] for d in answer["destinations"]} == {"pacs": True, "backup": False}
    assert (answer["worklists"][0]["state"], answer["clock"]["state"]) == ("never-asked", "ok")
    assert answer["disk"]["free_mb"] > 0
    assert answer["disk"]["stills_left"] > 0


def test_health_is_bad_without_picture_and_says_what_to_do(bench: Bench) -> None:
    script = bench.capture.script
    script.signal, script.code, script.what = "no-signal", "no-signal", "No picture from the ultrasound"
    script.action = "Check its cable."
    bench.capture._live.write(bench.capture.state())
    answer = bench.get("/health", status=503)
    assert answer["sources"][0]["what"] == "No picture from the ultrasound"
    assert answer["sources"][0]["action"] == "Check its cable."


def test_health_names_pedals_and_lamps_that_are_missing_and_pictures_are_taken_all_the_same(bench: Bench) -> None:
    script = bench.capture.script
    assert {line["state"] for line in bench.get("/health")["pedals"]} == {"unknown"}
    script.pedals = [
        {"name": "input-1", "connected": False, "what": "There is no pedal usb:1-1.4."},
        {"name": "gpio-2", "connected": True, "what": ""},
    ]
    script.signs = [{"name": "tone-1", "connected": False, "what": "The sound card does not play."}]
    bench.capture._live.write(bench.capture.state())
    answer = bench.get("/health")
    missing, there = answer["pedals"]
    assert (missing["state"], missing["code"], missing["device"]) == ("missing", "IN-01", "usb:1-1.4")
    assert missing["what"] == "There is no pedal usb:1-1.4."
    assert (there["state"], there["code"], there["what"]) == ("ok", "", "")
    assert [(line["name"], line["code"]) for line in answer["signs"]] == [("tone-1", "IN-02")]


def test_health_names_a_queue_whose_destination_is_not_configured_any_more(bench: Bench) -> None:
    exam = bench.open_exam()
    seal(bench, exam, bench.still(exam))
    assert bench.spool.rerouting.move("pacs", "old").moved == 1
    *_, orphan = bench.get("/health")["destinations"]
    assert (orphan["name"], orphan["state"], orphan["queued"]) == ("old", "not-configured", 1)
    assert (orphan["code"], orphan["required"]) == ("destination-not-configured", False)
    assert "move its queue" in orphan["action"]


def test_health_is_bad_without_the_capture_process(bench: Bench) -> None:
    (bench.settings.station.runtime_dir / "capture.json").unlink()
    answer = bench.get("/health", status=503)
    assert answer["processes"][0]["state"] == "gone"
    assert answer["sources"][0]["state"] == "unknown"


def test_health_names_a_procedure_step_server_that_does_not_answer(bench: Bench) -> None:
    assert [line["state"] for line in bench.get("/health")["procedure_steps"]] == ["unknown"]
    trouble = {
        "name": "ris",
        "state": "paused",
        "code": "unreachable",
        "what": "The procedure step server is away.",
    }
    live = LiveState(
        folder=bench.settings.station.runtime_dir, process="forward", files=bench.spool.files, clock=bench.clock
    )
    live.write({"destinations": [], "procedure_steps": [trouble]})
    (line,) = bench.get("/health")["procedure_steps"]
    assert (line["name"], line["state"], line["code"], line["held"]) == ("ris", "paused", "unreachable", 0)
    assert "Pictures are not affected" in line["action"]


def test_health_says_how_the_audit_repository_is_where_there_is_one(bench: Bench) -> None:
    assert bench.get("/health")["audit"] == []
    repository = AuditRepository(host="audit.example", tls=Tls(ca=None))
    settings = replace(bench.settings, audit=repository)
    peers = PeerHealth(spool=bench.spool, settings=settings, lines=Lines(bench.clock))
    (unknown,) = peers.audit(None)
    (good,) = peers.audit({"audit": {"name": "audit", "state": "ok", "waiting": 0}})
    away = {"name": "audit", "state": "paused", "code": "unreachable", "what": "It is away.", "waiting": 7}
    (bad,) = peers.audit({"audit": away})

    assert [each["state"] for each in (unknown, good, bad)] == ["unknown", "ok", "paused"]
    assert (bad["name"], bad["code"], bad["waiting"]) == ("audit.example", "unreachable", 7)
    assert "Pictures are not affected" in bad["action"]
    assert good["action"] == ""


def test_how_far_the_encoding_of_a_clip_is_stands_in_health_and_on_the_screen(bench: Bench) -> None:
    assert bench.get("/health")["making"] is None
    exam = bench.open_exam()
    bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    at = {"exam": exam, "sop_instance_uid": "2.25.4711", "into": "h264", "percent": 40}
    said = LiveState(
        folder=bench.settings.station.runtime_dir, process="forward", files=bench.spool.files, clock=bench.clock
    )
    said.write({"film": at})
    assert bench.get("/health")["making"] == at
    assert "A clip is being encoded: 40 % done." in bench.client.get("/delivery").text


def test_health_names_messages_whose_procedure_step_server_is_not_configured_any_more(bench: Bench) -> None:
    exam = bench.spool.exams.get(bench.open_exam())
    bench.spool.steps.queue(exam, exam.steps[0].sop_instance_uid, MessageKind.CREATE, ["old"])
    ris, old = bench.get("/health")["procedure_steps"]
    assert ris["name"] == "ris"
    assert (old["name"], old["state"], old["queued"]) == ("old", "not-configured", 1)
    assert old["code"] == "step-server-not-configured"
    assert "Pictures are not affected" in old["action"]


# --- events and live picture -----------------------------------------------------------------------------------


def test_the_live_picture_comes_with_its_sequence_one_a_credit(bench: Bench) -> None:
    with bench.watching.websocket_connect("ws://127.0.0.1:8080/api/v1/preview/ultrasound?width=640") as viewer:
        first = viewer.receive_bytes()
        sequence, time_ns = struct.unpack(">QQ", first[:16])
        assert sequence > START
        assert time_ns > 0
        assert first[16:18] == b"\xff\xd8"
        viewer.send_text("1")
        assert struct.unpack(">Q", viewer.receive_bytes()[:8])[0] > sequence


def test_a_viewer_is_told_when_the_recorder_dies_or_there_is_no_such_source(bench: Bench) -> None:
    with bench.watching.websocket_connect("ws://127.0.0.1:8080/api/v1/preview/ultrasound") as viewer:
        viewer.receive_bytes()
        bench.capture.stop()
        with pytest.raises(WebSocketDisconnect) as ended:
            viewer.receive_bytes()
    assert (ended.value.code, ended.value.reason) == (1013, "recorder-gone")
    for source in ("ultrasound", "x-ray"):
        with (
            bench.watching.websocket_connect(f"ws://127.0.0.1:8080/api/v1/preview/{source}") as viewer,
            pytest.raises(WebSocketDisconnect),
        ):
            viewer.receive_bytes()
    bench.capture.start()


def test_a_watcher_that_does_not_read_is_dropped_and_one_that_leaves_is_forgotten() -> None:
    import asyncio  # noqa: PLC0415

    async def play() -> None:
        hub = Hub()
        slow = hub.subscribe([("first", {})], heartbeat_s=5, words=Languages()["en"])
        assert await anext(slow) == b"retry: 500\n\n"
        assert await anext(slow) == b"event: first\ndata: {}\n\n"
        for number in range(70):
            hub.publish("exam", {"n": number})
        assert hub.watchers == 0
        assert await anext(slow) == b'event: exam\ndata: {"n": 0}\n\n'
        assert len([message async for message in slow]) == 63
        leaving = hub.subscribe([], heartbeat_s=0.01, words=Languages()["en"])
        await anext(leaving)
        assert await anext(leaving) == b"event: beat\ndata: {}\n\n"
        assert hub.watchers == 1
        await leaving.aclose()
        assert hub.watchers == 0

    asyncio.run(play())


# --- openapi ---------------------------------------------------------------------------------------------------


def routes_of(bench: Bench) -> set[tuple[str, str]]:
    (mount,) = [r for r in bench.watching.app.routes if isinstance(r, Mount) and r.path == "/api/v1"]
    found = set()
    for route in mount.routes:
        path = re.sub(r":\w+}", "}", route.path)
        if isinstance(route, WebSocketRoute):
            found.add((path, "get"))
        if isinstance(route, Route):
            found |= {(path, method.lower()) for method in route.methods or () if method != "HEAD"}
    return found


def test_the_description_of_the_api_names_exactly_its_routes(quiet: Bench) -> None:
    described = quiet.get("/openapi.json")
    named = {(path, method) for path, calls in described["paths"].items() for method in calls}
    assert named == routes_of(quiet)
    assert described["openapi"].startswith("3.1")


def test_the_description_of_the_api_holds_together() -> None:
    text = resources.files("gateway.panel.calls").joinpath("openapi.json").read_text("utf-8")
    document = json.loads(text)
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', text):
        place = document
        for step in reference.split("/"):
            place = place[step]
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            assert call["summary"], path
            assert call["responses"], path
            named = set(re.findall(r"{(\w+)}", path))
            assert {p["name"] for p in call.get("parameters", []) if p["in"] == "path"} == named, (path, method)


# --- the process -------------------------------------------------------------------------------------------------


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    settings = replace(settings_for(tmp_path), panel=Panel(listen=Address(host="127.0.0.1", port=0)))
    supervisor, outcome = Supervisor(), []
    thread = threading.Thread(
        target=lambda: outcome.append(service.run(settings, clock=Clock(), supervisor=supervisor))
    )
    thread.start()
    live = settings.station.runtime_dir / "panel.json"
    deadline = time.monotonic() + 10
    while not live.exists():
        assert time.monotonic() < deadline
        thread.join(0.01)
    yield "http://" + json.loads(live.read_bytes())["listen"]
    supervisor.stop.set()
    thread.join(10)
    assert outcome == [True]


def test_the_process_serves_its_pages_and_tells_watchers_what_happens(address: str) -> None:
    with httpx2.Client(base_url=address, timeout=10) as client:
        with client.stream("GET", "/api/v1/events") as events:
            lines = events.iter_lines()
            assert next(line for line in lines if line.startswith("event: source"))
            assert '"recorder": "gone"' in next(lines)
            exam = client.post("/api/v1/exams", json={"emergency": True}).json()["id"]
            assert next(line for line in lines if f'"open": "{exam}"' in line)
        assert client.get("/").status_code == 200


def test_the_process_stops_while_a_page_watches(address: str) -> None:
    client = httpx2.Client(base_url=address, timeout=10)
    stream = client.stream("GET", "/api/v1/events")
    events = stream.__enter__()
    next(events.iter_lines())
    # The fixture stops the process now, with the stream open; it must end within its patience.


@pytest.mark.usefixtures("address")
def test_a_second_panel_on_the_same_folder_names_the_first(tmp_path: Path) -> None:
    with pytest.raises(SpoolLocked, match="running already"):
        service.run(settings_for(tmp_path), clock=Clock(), supervisor=Supervisor())


def test_a_taken_port_is_said_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenerFailed, match="another program listens there") as refusal:
            service.listen(Address(host="127.0.0.1", port=port))
    assert "[panel] listen" in refusal.value.action


@pytest.mark.parametrize(
    ("troubles", "state", "status"),
    [
        ({"send-pacs": "disk-failed"}, "failed", 503),
        ({"disk": "disk-full"}, "full", 503),
        ({"wrap": "disk-failed"}, "failed", 503),
        ({"wrap": "disk-full"}, "ok", 200),
        ({"worklist": "spool-busy"}, "ok", 200),
    ],
)
def test_a_disk_that_refuses_one_process_is_one_alarm_on_every_screen(
    bench: Bench, troubles: dict[str, str], state: str, status: int
) -> None:
    live = LiveState(
        folder=bench.settings.station.runtime_dir, process="forward", files=bench.spool.files, clock=bench.clock
    )
    live.write(
        {"troubles": {name: {"code": code, "what": "It refuses.", "action": ""} for name, code in troubles.items()}}
    )
    report = bench.get("/health", status=status)
    assert (report["disk"]["state"], report["can_capture"]) == (state, status == 200)
    page = bench.client.get("/delivery").text
    assert ("It refuses." in page) == (status != 200)
    assert page.count("<code>STO-0") == (status != 200)
