"""What `scopegate doctor` says of certificates, its own and other people's."""

import json
import threading

import httpx2
import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.clock import Clock
from gateway.config import reader
from gateway.forward.connections.looking import Looking
from gateway.spool.opening import open_spool
from gateway.spool.processes.connections import REQUEST
from tests.box import Box, until
from tests.certificates import Authority
from tests.loopback.peers import FaultArchive, free_port
from tests.loopback.whole_box import as_destination


@pytest.fixture
def clinic(tmp_path):
    return Authority(tmp_path / "clinic")


@pytest.fixture
def lines(tmp_path):
    def of(text):
        config = tmp_path / "scopegate.toml"
        config.write_text(f'[station]\ndata_dir = "{tmp_path}"\nruntime_dir = "{tmp_path}/run"\n{text}')
        done = CliRunner().invoke(app, ["doctor", "--config", str(config), "--json"])
        return {line["what"]: line for line in json.loads(done.output)}

    return of


def _archive(port, clinic, box):
    return (
        f'[[destination]]\nname = "pacs"\nae_title = "TAKES"\nhost = "127.0.0.1"\nport = {port}\n'
        f'tls = {{ ca = "{clinic.ca}", certificate = "{box.certificate}", key = "{box.key}" }}\n'
    )


def test_certificates_that_end_soon_are_said_before_they_do(lines, clinic):
    box = clinic.issue("box", days=(-1, 30))
    box.key.chmod(0o644)
    with FaultArchive(secured=clinic.server(clinic.issue(days=(-1, 20)))) as peer:
        said = lines(_archive(peer.port, clinic, box))
    assert said["destination pacs"]["ok"] is True
    assert said[f"certificate {clinic.ca}"]["ok"] is True
    ours, theirs = said[f"certificate {box.certificate}"], said["certificate of pacs"]
    for line, days in ((ours, (29, 30)), (theirs, (19, 20))):
        assert line["ok"] is None
        assert any(f"{left} days more" in line["says"] for left in days)
        assert line["action"]
    assert said[f"key {box.key}"]["ok"] is None


def test_an_expired_certificate_is_a_problem_and_a_long_one_is_none(lines, clinic):
    old, good = clinic.issue("box", days=(-9, -2)), clinic.issue("box", days=(-1, 90))
    good.key.chmod(0o640)
    with FaultArchive(secured=clinic.server(clinic.issue(days=(-1, 90)))) as peer:
        said = lines(_archive(peer.port, clinic, old))
        assert said[f"certificate {old.certificate}"]["ok"] is False
        assert "[tls-client-certificate-refused]" in said["destination pacs"]["says"]
        said = lines(_archive(peer.port, clinic, good))
    assert said[f"certificate {good.certificate}"]["ok"] is True
    assert said["certificate of pacs"]["ok"] is True
    assert f"key {good.key}" not in said


def test_the_screen_has_forward_ask_the_same_and_gets_the_same_words(tmp_path, lines, clinic):
    box = clinic.issue("box", days=(-1, 30))
    box.key.chmod(0o644)
    with FaultArchive(secured=clinic.server(clinic.issue(days=(-1, 20)))) as peer:
        said = lines(_archive(peer.port, clinic, box))
        spool = open_spool(tmp_path, clock=Clock())
        asked = spool.requests.ask(REQUEST, {"lan": None}, deadline_s=30)
        settings = reader.read(tmp_path / "scopegate.toml", {})
        Looking(spool=spool, settings=settings, rest=threading.Event(), give_way=lambda: None).step()
        found = spool.requests.get(asked).answer["lines"]
        spool.close()
    shown = {line["what"]: line for line in found}
    others = (
        "destination pacs",
        "certificate of pacs",
        f"certificate {clinic.ca}",
        f"certificate {box.certificate}",
    )
    for what in (*others, f"key {box.key}", "configuration"):
        assert shown[what]["says"] == said[what]["says"]
    assert shown["certificate of pacs"]["action"] == "Ask who runs it to have it renewed."


def _found(engineer):
    """Return what was found, once everything was looked at."""
    seen = engineer.get("/service/connections").raise_for_status().json()["connections"]
    return seen if seen["state"] in ("done", "failed") else None


def _looked(engineer):
    """Have everything looked at: a box that just began does not know its doors, and archives may answer late."""
    engineer.post("/service/connections", json={"do": "begin"}).raise_for_status()
    found = until("its end", lambda: _found(engineer))
    answers = {line["what"] for line in found["lines"] if line["ok"]}
    return found if {"destination pacs", "metrics", "listener"} <= answers else None


def test_a_whole_box_has_its_connections_looked_at_while_an_exam_is_open(tmp_path, archive_of_everything):
    ris = {"name": "ris", "ae_title": "RIS", "host": "127.0.0.1", "port": free_port()}  # nobody is there
    pacs = as_destination("pacs", archive_of_everything)
    metrics = {"listen": f"127.0.0.1:{free_port()}"}
    with (
        Box(tmp_path / "box", worklists=[ris], destinations=[pacs], metrics=metrics) as box,
        httpx2.Client(base_url=f"http://127.0.0.1:{box.port}/api/v1", timeout=40) as engineer,
    ):
        engineer.post("/people/first", json={"name": "Huber", "pin": "402918"}).raise_for_status()
        box.open_typed()
        found = until("all but one to be well", lambda: _looked(engineer))
    lines = {line["what"]: line for line in found["lines"]}
    assert (lines["worklist ris"]["ok"], lines["worklist ris"]["code"]) == (False, "unreachable")
    assert found["early"] is False
    assert found["lines"][0]["ok"] is False
