"""Connections and certificates on the screen: asked of forward, shown as it finds them, problems first."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Lan
from gateway.model import RequestState
from gateway.panel.connections import Connections
from gateway.panel.people.roles import Door, Role
from gateway.spool.opening import open_spool
from gateway.spool.processes.connections import REQUEST
from gateway.spool.processes.live import LiveState
from gateway.spool.processes.requests import Request
from gateway.spool.spool import Spool
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, with_index
from tests.unit.panel.exams_that_leave import said_of_forward
from tests.unit.panel.who_may import people, signed_in

PATH = "/service/connections"
FINE = {"what": "destination pacs", "ok": True, "says": "answers", "action": "", "code": ""}
KEY = {"what": "key /a.key", "ok": None, "says": "everybody on this box may read it", "action": "chmod", "code": ""}
SILENT = {
    "what": "worklist ris",
    "ok": False,
    "says": "holds until 2026-12-01, 4 days more",
    "action": "Have it renewed; no restart is needed then.",
    "code": "tls-x",
}


@pytest.fixture
def box(bench: Bench) -> Bench:
    """A box before which a service engineer stands, and whose forward process runs."""
    said_of_forward(bench)
    bench.client.headers.update(signed_in(bench, people(bench)[Role.SERVICE], Door.FRONT))
    return bench


@pytest.fixture
def spool() -> Iterator[Spool]:
    with folder_in_memory() as folder:
        spool = open_spool(with_index(folder / "data"), clock=FakeClock())
        yield spool
        spool.close()


def begin(box: Bench) -> dict[str, Any]:
    return dict(box.client.post(f"/api/v1{PATH}", json={"do": "begin"}).raise_for_status().json()["connections"])


def forward_of(bench: Bench, spool: Spool) -> LiveState:
    folder = bench.settings.station.runtime_dir
    return LiveState(folder=folder, process="forward", files=spool.files, clock=spool.clock)


def taken(spool: Spool) -> Request:
    """Take what the panel asked for, as forward does."""
    request = spool.requests.begin(REQUEST)
    assert request
    return request


def page(box: Bench, **headers: str) -> str:
    return box.client.get(PATH, headers=headers).raise_for_status().text


def test_a_service_engineer_has_everything_looked_at_and_reads_what_was_found(box: Bench) -> None:
    assert "The box asks every server and archive whether it answers" in page(box)
    assert begin(box)["state"] == "waiting"
    assert "It begins as soon as the box has time." in page(box)
    request = taken(box.spool)
    box.spool.requests.progress(request, {"at": "2026-11-27T10:00:00+00:00", "lines": [FINE]})
    assert "Looked at so far: 1" in page(box)
    found = {"at": "2026-11-27T10:00:00+00:00", "lines": [FINE, KEY, SILENT], "early": False}
    box.spool.requests.done(request, found)
    text = page(box)
    assert text.index("Worklist ris") < text.index("Key /a.key") < text.index("Destination pacs")
    assert "Something is wrong. What to do stands beside it." in text
    assert "Have it renewed; no restart is needed then." in text
    assert "<bdi>tls-x</bdi>" in text
    assert [noted["person"] for noted in box.spool.audit.lately("connections-check")] == ["Service"]


def test_it_is_read_in_the_language_of_the_page_and_of_the_call(box: Bench) -> None:
    begin(box)
    box.spool.requests.done(taken(box.spool), {"at": "", "lines": [SILENT, FINE], "early": False})
    text = page(box, cookie=f"{box.client.headers['cookie']}; language=de")
    assert "Gilt bis 2026-12-01, noch 4 Tage" in text
    assert "Ziel pacs" in text
    answer = box.client.get(f"/api/v1{PATH}", headers={"accept-language": "it"}).json()["connections"]
    assert [line["says"] for line in answer["lines"]] == ["vale fino al 2026-12-01, ancora 4 giorni", "risponde"]


def test_nothing_wrong_is_said_only_when_everything_was_looked_at(box: Bench) -> None:
    for answer, said in (({}, "Nothing failed."), ({"early": True}, "A changed setting was taken meanwhile.")):
        begin(box)
        box.spool.requests.done(taken(box.spool), {"at": "", "lines": [FINE, KEY], **answer})
        assert said in page(box)
    assert "Nothing failed." not in page(box)
    begin(box)
    taken(box.spool)
    box.spool.requests.forget_running()
    text = page(box)
    assert "The process that worked on this ended." in text
    assert "Begin again to look at all." in text


def test_one_that_waits_or_runs_is_not_begun_a_second_time(box: Bench) -> None:
    begin(box)
    begin(box)
    taken(box.spool)
    assert begin(box)["state"] == "running"
    assert box.spool.requests.begin(REQUEST) is None


def test_a_wish_that_is_none_asks_nobody(box: Bench) -> None:
    assert box.client.post(f"/api/v1{PATH}", json={"do": "stop"}).json()["code"] == "bad-value"
    assert box.client.get(f"/api/v1{PATH}").json() == {"connections": None}


def test_forward_that_does_not_run_is_said_and_a_later_wish_is_a_new_one(bench: Bench, spool: Spool) -> None:
    found = Connections(spool, bench.settings, forward_of(bench, spool))
    found.begin("")
    assert isinstance(spool.clock, FakeClock)
    spool.clock.move(31)
    seen = found.seen()
    assert seen
    assert (seen.state, seen.what) == (RequestState.FAILED, "Nobody began this in time.")
    found.begin("")
    assert spool.requests.begin(REQUEST)


def test_a_look_that_runs_when_forward_goes_away_has_a_way_out(box: Bench) -> None:
    begin(box)
    box.spool.requests.progress(taken(box.spool), {"at": "", "lines": [FINE]})
    assert "Begin again" not in page(box)
    (box.settings.station.runtime_dir / "forward.json").unlink()
    text = page(box)
    assert "The delivery process does not run." in text
    assert "forward-gone" in text
    assert "Destination pacs" in text
    assert 'data-body=\'{"do": "begin"}\'' in text
    assert 'data-poll="1"' in text  # it may be back at once
    assert begin(box)["what"] == "The delivery process does not run."
    begin(box)
    said_of_forward(box)
    assert "It begins as soon as the box has time." in page(box)
    taken(box.spool)
    assert box.spool.requests.begin(REQUEST) is None  # touched twice, asked once


def test_forward_is_told_of_the_door_that_only_the_panel_knows(bench: Bench, spool: Spool) -> None:
    lan = Lan(certificate=bench.settings.station.data_dir / "c.pem", key=bench.settings.station.data_dir / "k.pem")
    wanted = replace(bench.settings, panel=replace(bench.settings.panel, lan=lan))
    Connections(spool, wanted, forward_of(bench, spool)).begin("")
    assert taken(spool).arguments == {"lan": {"certificate": str(lan.certificate), "key": str(lan.key)}}
