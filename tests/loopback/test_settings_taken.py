"""Settings changed on a running box: no exam notices, nothing invalid is written, every process takes them."""

import json
import os
import signal
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.box import Box, until

PIN = "135791"
PROCESSES = ("capture", "forward", "panel")


class Administrator:
    """Somebody with the PIN, before the box."""

    def __init__(self, box: Box, client: httpx2.Client) -> None:
        self.box = box
        self.client = client
        self.client.post("/people/first", json={"name": "Huber", "pin": PIN}).raise_for_status()

    def get(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.get(path).raise_for_status().json()
        return answer

    def change(self, place: list[str | int], value: object) -> httpx2.Response:
        revision = self.get("/settings/state")["revision"]
        body = {"changes": [{"place": place, "value": value}], "revision": revision}
        return self.client.post("/settings/change", json=body)

    def until_taken(self) -> None:
        def taken() -> bool:
            try:
                return self.get("/settings/state")["waits"] is None and self.box.is_ready()
            except httpx2.TransportError:
                return False

        until("every process to have the change", taken, 240)


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Administrator]:
    with Box(tmp_path) as box, httpx2.Client(base_url=f"http://127.0.0.1:{box.port}/api/v1", timeout=40) as client:
        yield Administrator(box, client)


def settings_of(box: Box, process: str) -> str:
    try:
        return str(json.loads((box.runtime / f"{process}.json").read_bytes())["settings"])
    except (OSError, ValueError):
        return ""


def changes_without_end(person: Administrator, name: str, stop: threading.Event) -> None:
    """Change the clinic's name again and again, until told to stop or until the panel is gone."""
    address, cookies = person.client.base_url, dict(person.client.cookies)
    with httpx2.Client(base_url=address, cookies=cookies, timeout=10) as client:
        count = 0
        while not stop.is_set():
            count += 1
            try:
                revision = client.get("/settings/state").json()["revision"]
                changes = [{"place": ["station", "institution"], "value": f"Clinic {name}.{count}"}]
                client.post("/settings/change", json={"changes": changes, "revision": revision})
            except (httpx2.TransportError, ValueError, KeyError):
                return


def test_a_change_during_an_exam_waits_for_its_end_and_no_picture_is_lost(person: Administrator) -> None:
    box = person.box
    exam = box.open_typed()
    first = box.still(exam)["sop_instance_uid"]
    before = {name: box.running(name) for name in PROCESSES}
    assert person.change(["source", 0, "manufacturer"], "ACME").status_code == 200
    assert person.get("/settings/state")["waits"]["for"] == "exam"
    for _ in range(8):
        box.still(exam)
    assert {name: box.pid(name) for name in before} == before
    assert person.get("/settings/state")["waits"]["for"] == "exam"
    box.finish(exam)
    person.until_taken()
    assert all(box.running(name) != pid for name, pid in before.items())
    assert len(box.get(f"/exams/{exam}")["captures"]) == 9
    later = box.open_typed(patient_id="P2")
    second = box.still(later)["sop_instance_uid"]
    assert "ACME" not in (box.data / "exams" / exam / f"{first}.json").read_text()
    assert "ACME" in (box.data / "exams" / later / f"{second}.json").read_text()


def test_a_change_of_the_screen_alone_leaves_the_recorder_and_the_delivery_running(person: Administrator) -> None:
    box = person.box
    before = {name: box.running(name) for name in PROCESSES}
    exam = box.open_typed()
    person.change(["panel", "theme"], "light").raise_for_status()
    assert person.get("/settings/state")["waits"]["for"] == "exam"  # nor is the screen away during an exam
    box.finish(exam)
    person.until_taken()
    assert 'data-theme="light"' in person.client.get(f"http://127.0.0.1:{box.port}/more").text
    assert {name: box.running(name) != pid for name, pid in before.items()} == {
        "capture": False,
        "forward": False,
        "panel": True,
    }
    person.change(["station", "institution"], "Other clinic").raise_for_status()  # they obey the next one
    person.until_taken()
    assert all(box.running(name) != pid for name, pid in before.items())


def test_an_exam_opened_behind_a_change_of_the_screen_alone_keeps_its_screen(person: Administrator) -> None:
    box = person.box
    panel, forward = box.running("panel"), box.running("forward")
    os.kill(forward, signal.SIGSTOP)  # it takes the change last but one: the exam is opened meanwhile
    try:
        person.change(["panel", "theme"], "light").raise_for_status()
        wanted = person.get("/settings/state")["revision"]
        until("capture to have the change", lambda: settings_of(box, "capture") == wanted)
        exam = box.open_typed()
    finally:
        os.kill(forward, signal.SIGCONT)
    until("forward to have the change", lambda: settings_of(box, "forward") == wanted)
    for _ in range(20):
        box.still(exam)
        assert person.get("/settings/state")["waits"]["for"] == "exam"
    assert box.pid("panel") == panel
    box.finish(exam)
    person.until_taken()
    assert box.running("panel") != panel


def test_an_invalid_change_is_never_written_and_nobody_starts_anew(person: Administrator) -> None:
    box = person.box
    before, pids = box.config.read_bytes(), [box.running(name) for name in PROCESSES]
    for place, value in (
        (["source", 0, "modality"], "lower case"),
        (["retention", "reserve_mb"], 1),
        (["source", 0, "device"], "file:/etc/passwd"),
    ):
        answer = person.change(place, value)
        assert answer.status_code == 422
        assert answer.json()["problems"][0]["place"] == place
    assert box.config.read_bytes() == before
    assert [box.pid(name) for name in PROCESSES] == pids
    assert person.get("/settings/state")["waits"] is None


def test_a_change_signs_nobody_out_and_is_taken_back_as_a_change_of_its_own(person: Administrator) -> None:
    box, before = person.box, person.box.config.read_bytes()
    person.change(["station", "institution"], "Other clinic").raise_for_status()
    person.until_taken()
    found = person.get("/settings/before")["differences"]
    assert [each["steps"] for each in found] == [["station", "institution"]]
    revision = person.get("/settings/state")["revision"]
    person.client.post("/settings/take-back", json={"revision": revision}).raise_for_status()
    person.until_taken()
    assert box.config.read_bytes() == before
    assert {settings_of(box, name) for name in PROCESSES} == {person.get("/settings/state")["revision"]}
    box.kill("panel")
    until("the panel to be back", box.is_ready)
    assert person.client.get("/settings").status_code == 401  # no change: whoever is there now signs in
    assert not list(box.runtime.glob("sessions*"))


def test_a_panel_killed_in_the_midst_of_changes_leaves_a_whole_file(person: Administrator) -> None:
    box = person.box
    exam = box.open_typed()
    box.still(exam)
    for number in range(3):
        before, pid, stop = box.config.read_bytes(), box.running("panel"), threading.Event()
        changing = threading.Thread(target=changes_without_end, args=(person, str(number), stop))
        changing.start()
        until("a change to be written", lambda before=before: box.config.read_bytes() != before)
        os.kill(pid, signal.SIGKILL)
        stop.set()
        changing.join(60)
        found = tomllib.loads(box.config.read_text())
        assert found["station"]["institution"].startswith(f"Clinic {number}.")
        assert found["source"][0]["name"] == "us"
        until("the panel to be back", lambda pid=pid: box.pid("panel") not in {0, pid} and box.is_ready())
        person.client.post("/session", json={"name": "Huber", "pin": PIN}).raise_for_status()
    assert len(box.get(f"/exams/{exam}")["captures"]) == 1
