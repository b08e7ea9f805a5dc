"""The numbers for monitoring: as Prometheus reads them, without patients, made rarely, for private networks."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from gateway.clock import FakeClock
from gateway.config.settings import Address, AuditRepository, Lan, Tls
from gateway.panel.doors.monitoring import Monitoring, is_private
from gateway.panel.metrics.snapshot import Snapshot
from gateway.spool.files import Files
from gateway.spool.processes.live import LiveState
from tests.certificates import Authority
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench
from tests.unit.panel.exams_that_leave import said_of_forward


def say(bench: Bench, **of_capture: object) -> dict[str, LiveState]:
    """Let capture say how it is now; return where every process says it."""
    folder = bench.settings.station.runtime_dir
    live = {
        name: LiveState(folder=folder, process=name, files=bench.spool.files, clock=bench.clock)
        for name in ("capture", "forward", "panel")
    }
    live["capture"].write({**bench.capture.state(), **of_capture})
    return live


def numbers(text: bytes) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and the values of its labels, as Prometheus reads them."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_what_waits_for_an_archive_and_for_how_long_is_a_number(bench: Bench) -> None:
    said_of_forward(bench)
    snapshot = Snapshot(spool=bench.spool, settings=bench.settings, live=say(bench, refused=4))
    found = numbers(snapshot.text())
    assert found["scopegate_presses_refused_total",] == 4
    assert found["scopegate_process_up", "capture"] == 1
    assert found["scopegate_process_up", "panel"] == 0
    assert found["scopegate_source_live", "ultrasound"] == 1
    assert found["scopegate_deliveries", "pacs", "queued"] == 0
    assert found["scopegate_oldest_waiting_seconds", "pacs"] == 0
    assert found["scopegate_worklist_up", "ris"] == 0
    assert found["scopegate_disk_free_bytes",] > 0
    assert found["scopegate_index_readable",] == 1


def test_audit_messages_that_wait_are_a_number_where_there_is_a_repository(bench: Bench) -> None:
    def found(**said: object) -> dict[tuple[str, ...], float]:
        said_of_forward(bench, **said)
        return numbers(Snapshot(spool=bench.spool, settings=bench.settings, live=say(bench)).text())

    assert not [name for name in found() if "audit" in name[0]]
    paused = found(audit={"name": "audit", "state": "paused", "waiting": 7})
    assert paused["scopegate_audit_messages_waiting",] == 7
    assert paused["scopegate_audit_repository_up",] == 0
    assert found(audit={"name": "audit", "state": "ok", "waiting": 0})["scopegate_audit_repository_up",] == 1


def test_no_name_number_or_birth_date_is_among_the_numbers(bench: Bench) -> None:
    bench.post(
        "/exams",
        {
            "request_id": "00000000-0000-4000-8000-000000000001",
            "patient": {"name": "Kanarienvogel^Xaver", "id": "QX-4711", "birth_date": "19440203", "sex": "M"},
        },
        status=201,
    )
    text = Snapshot(spool=bench.spool, settings=bench.settings, live=say(bench)).text().decode()
    exam = bench.get("/exams")["exams"][0]["id"]
    assert 'scopegate_exams{state="open"} 1.0' in text
    for secret in ("Kanarienvogel", "Xaver", "QX-4711", "19440203", exam):
        assert secret not in text


def test_whoever_asks_over_and_over_gets_what_was_made_some_seconds_ago(bench: Bench) -> None:
    clock = FakeClock()
    spool = replace(bench.spool, clock=clock)
    snapshot = Snapshot(spool=spool, settings=bench.settings, live=say(bench))
    first = snapshot.text()
    clock.move(4)
    assert snapshot.text() is first
    clock.move(2)
    assert snapshot.text() is not first


def test_until_when_a_certificate_holds_is_a_number_and_one_that_cannot_be_read_has_none(
    bench: Bench, tmp_path: Path
) -> None:
    issued = Authority(tmp_path / "ca").issue(days=(-1, 21))
    lan = Lan(certificate=issued.certificate, key=issued.key)
    broken = replace(bench.settings.station, tls=Tls(ca=None, certificate=tmp_path / "none.pem", key=issued.key))
    later = Authority(tmp_path / "other").issue(days=(-1, 40))
    audit = AuditRepository(host="audit", tls=Tls(ca=None, certificate=later.certificate, key=later.key))
    panel = replace(bench.settings.panel, lan=lan)
    settings = replace(bench.settings, panel=panel, station=broken, audit=audit)
    found = numbers(Snapshot(spool=bench.spool, settings=settings, live=say(bench)).text())
    name = "scopegate_certificate_expiry_timestamp_seconds"
    days = (found[name, "panel"] - bench.clock.utc().timestamp()) / 86_400
    assert 20.9 < days < 21.1
    assert found[name, "audit"] > found[name, "panel"]
    assert (name, "station") not in found


NEAR = "127.0.0.1 10.1.2.3 192.168.7.1 ::1 fd00::1 ::ffff:10.0.0.1 fe80::1%eth0"
FAR = "8.8.8.8 2001:4860::1 ::ffff:8.8.8.8 testclient"


def test_only_addresses_that_the_internet_does_not_route_may_ask() -> None:
    assert [each for each in NEAR.split() if not is_private(each)] == []
    assert [each for each in FAR.split() if is_private(each)] == []


def test_the_listener_has_one_page_and_takes_nothing() -> None:
    async def text() -> bytes:
        await asyncio.sleep(0)
        return b"scopegate_up 1\n"

    app = Starlette(routes=[Mount("/", Monitoring(listen=Address(host="127.0.0.1", port=1), text=text))])
    near = TestClient(app, client=("10.0.0.9", 50_000))
    assert near.get("/metrics").content == b"scopegate_up 1\n"
    assert near.get("/metrics").headers["content-type"].startswith("text/plain")
    assert near.post("/metrics").status_code == 405
    assert near.get("/api/v1/health").status_code == 404
    assert TestClient(app, client=("8.8.8.8", 50_000)).get("/metrics").status_code == 403


def test_starts_of_a_process_are_counted_until_the_machine_starts() -> None:
    with folder_in_memory() as folder:
        clock = FakeClock()
        live = LiveState(folder=folder, process="forward", files=Files(), clock=clock)
        assert live.starts() is None
        live.begin()
        clock.move(7)
        live.begin()
        starts = live.starts()
        assert starts is not None
        assert (starts.count, starts.at_ns) == (2, clock.boottime_ns())
        clock.reboot()
        assert live.starts() is None
        live.begin()
        again = live.starts()
        assert again is not None
        assert again.count == 1


@pytest.mark.parametrize("spoiled", [b"", b"[]", b"{}", b'{"boot_id": 1'])
def test_a_count_of_starts_that_is_damaged_begins_anew(spoiled: bytes) -> None:
    with folder_in_memory() as folder:
        live = LiveState(folder=folder, process="forward", files=Files(), clock=FakeClock())
        (folder / "forward.starts").write_bytes(spoiled)
        assert live.starts() is None
        live.begin()
        again = live.starts()
        assert again is not None
        assert again.count == 1
