"""What is said while the spool or the recorder cannot begin: the reason, never just that something is gone."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import Clock
from gateway.config.settings import Address
from gateway.errors import CaptureGone, DiskFailed, DiskFull
from gateway.panel.doors.waiting import Waiting
from gateway.panel.live.recorder import Recorder
from gateway.panel.service import listen
from gateway.panel.words import Languages

TROUBLE = {"trouble": {"code": "disk-full", "what": "The box is full.", "action": "Make room."}}


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    with listen(Address(host="127.0.0.1", port=0)) as listener:
        server, stop = Waiting(listener, Clock(), Languages(), "en"), threading.Event()
        thread = threading.Thread(target=server.serve_for, args=(30.0, stop))
        thread.start()
        yield server
        stop.set()
        thread.join(10)


def ask(server: Waiting, method: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*server.socket.getsockname()[:2], timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_panel_whose_spool_cannot_be_opened_says_why_on_every_page(waiting: Waiting) -> None:
    status, page = ask(waiting, "GET", "/exams/1")
    assert (status, "The box is full." in page, "disk-full" in page) == (503, True, True)
    status, health = ask(waiting, "GET", "/api/v1/health")
    assert (status, json.loads(health)["can_capture"], json.loads(health)["disk"]["state"]) == (503, False, "full")
    waiting.say(DiskFailed("The box's disk cannot be written (EROFS)."))
    status, problem = ask(waiting, "POST", "/api/v1/exams/1/stills")
    assert (status, json.loads(problem)["code"]) == (503, "disk-failed")


def test_a_press_on_a_recorder_that_waits_for_room_says_that_the_box_is_full(tmp_path: Path) -> None:
    def press(recorder: Recorder) -> None:
        asyncio.run(recorder.press(source="us", exam="1", frame=0, anyway=False, request=None))

    with pytest.raises(DiskFull, match="Nothing was stored"):
        press(Recorder(tmp_path / "nobody", lambda: TROUBLE))
    with pytest.raises(CaptureGone):
        press(Recorder(tmp_path / "nobody", lambda: None))
    waiting = Recorder(tmp_path / "nobody", lambda: TROUBLE)
    asyncio.run(waiting.drain("1", 0.1))  # nothing is on its way there: an exam can end
