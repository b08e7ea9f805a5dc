"""A hot box, a weak supply, no source, no way back for reports: said where it helps, the gravest alone."""

import io
import json
import zipfile

from gateway.errors import TooHot
from gateway.spool.processes.live import LiveState
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, running
from tests.unit.panel.exams_that_leave import said_of_forward


def say(bench: Bench) -> None:
    """Let capture say how it is now."""
    folder = bench.settings.station.runtime_dir
    LiveState(folder=folder, process="capture", files=bench.spool.files, clock=bench.clock).write(
        bench.capture.state()
    )


def room(bench: Bench) -> str:
    """Return the line about the box that a page shows."""
    return bench.client.get("/more").text.split('id="room"')[1].split("</div>")[0]


def test_a_hot_box_says_on_every_screen_what_is_off_and_what_to_do(bench: Bench) -> None:
    assert "<p" not in room(bench)
    bench.capture.script.machine = {"heat": "hot", "celsius": 82, "power": "weak"}
    say(bench)
    said = room(bench)
    for words in ("The box is hot (82 °C): clips are off until it cools.", "vents", "SYS-03", "too-hot"):
        assert words in said
    assert "SYS-04" not in said  # the gravest alone: a second line would take the room of the picture
    health = bench.get("/health")  # 200: stills are taken
    assert (health["heat"]["state"], health["heat"]["code"], health["heat"]["celsius"]) == ("hot", "too-hot", 82)


def test_a_weak_supply_says_so_and_leaves_by_itself(bench: Bench) -> None:
    bench.capture.script.machine = {"heat": "ok", "celsius": 61, "power": "weak"}
    say(bench)
    assert all(words in room(bench) for words in ("too little power", "SYS-04", "undervoltage"))
    assert bench.get("/health")["power"]["state"] == "weak"
    bench.capture.script.machine = {"heat": "unknown", "celsius": None, "power": "unknown"}
    say(bench)
    assert "<p" not in room(bench)
    health = bench.get("/health")
    assert (health["heat"]["state"], health["power"]["state"]) == ("unknown", "unknown")


def test_a_clip_that_a_hot_box_refuses_is_a_problem_with_its_code(bench: Bench) -> None:
    exam = bench.open_exam()
    bench.capture.script.refuse = TooHot()
    refused = bench.refused(f"/exams/{exam}/clips", {}, 503, "too-hot")
    assert "cooled" in refused["action"]


def test_health_says_in_words_why_nothing_can_be_captured_without_a_source() -> None:
    with folder_in_memory() as folder, running(folder, untouched=True) as bench:
        why = bench.get("/health", status=503)["why"]
    assert why["code"] == "no-source"
    assert "No picture source" in why["what"]
    assert "Settings" in why["action"]


def test_health_says_why_nothing_can_be_captured_in_the_words_of_what_keeps_it(bench: Bench) -> None:
    assert bench.get("/health")["why"] is None
    script = bench.capture.script
    script.signal, script.code, script.what, script.action = (
        "no-signal",
        "VID-01",
        "No picture.",
        "Check the cable.",
    )
    say(bench)
    why = bench.get("/health", status=503)["why"]
    assert why == {"code": "VID-01", "what": "No picture.", "action": "Check the cable."}
    bench.capture.stop()
    (bench.settings.station.runtime_dir / "capture.json").unlink()
    assert bench.get("/health", status=503)["why"]["code"] == "capture-gone"


def test_a_box_to_which_no_archive_can_report_says_so_to_whoever_looks_after_it(bench: Bench) -> None:
    assert bench.get("/health")["listener"]["state"] == "unknown"
    said = {"code": "port-taken", "what": "This box cannot listen at 0.0.0.0:11112.", "action": "Call IT."}
    said_of_forward(bench, destinations=[], listener=said)
    line = bench.get("/health")["listener"]  # 200: pictures are captured and sent
    assert (line["state"], line["code"], line["what"]) == ("shut", "port-taken", said["what"])
    said_of_forward(bench, destinations=[], listener=None)
    assert bench.get("/health")["listener"]["state"] == "ok"


def test_the_service_page_and_the_bundle_have_the_temperatures_that_the_recorder_read(bench: Bench) -> None:
    zones = [
        {"name": "cpu-thermal", "celsius": 81.6, "limit": 80.0},
        {"name": "gpu", "celsius": 55.0, "limit": 85.0},
    ]
    bench.capture.script.machine = {"heat": "hot", "celsius": 82, "power": "ok", "zones": zones}
    say(bench)
    bench.post("/people/first", {"name": "Huber", "pin": "402918"}, status=201)  # signed in by it
    page = bench.client.get("/service").raise_for_status().text
    for name, shown in (("cpu-thermal", "82 °C"), ("gpu", "55 °C")):
        assert f"<dt><bdi>{name}</bdi></dt><dd><bdi>{shown}</bdi></dd>" in page
    raw = bench.client.get("/api/v1/service/bundle").raise_for_status().content
    with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
        assert json.loads(bundle.read("temperatures.json")) == [
            {"name": "cpu-thermal", "celsius": 81.6},
            {"name": "gpu", "celsius": 55.0},
        ]
