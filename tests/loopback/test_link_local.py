"""Other systems at a link-local address, which is one of a port of this box: over a real cable, both ways."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.dicom.audit_message import AuditMessage, Code, Participant, as_xml
from gateway.net.peers import address_of, addresses, named, target
from tests.certificates import Authority
from tests.loopback.peers.cable import PORT, Cable, end
from tests.loopback.peers.javascript_peer import JavaScriptPeer
from tests.loopback.peers.rsyslog import Rsyslog

BOX, CLINIC = "fe80::b", "fe80::c"
LISTENER = 11112
LISTENS = """
import signal, threading
from gateway.config.settings import Address
from gateway.net.listener import Listener
listener = Listener(Address(host="::", port={port}), ae_title="SCOPEGATE", callers=[("CLINIC", "{host}")])
listener.open()
threading.Thread(target=listener.serve, args=(threading.Event(),), daemon=True).start()
print("up", flush=True)
signal.pause()
"""
CALLS = """
from gateway.net.echo import echo
answer = echo("{host}", {port}, "SCOPEGATE", "CLINIC", name="box", deadline_s=20)
print(answer.ok, answer.code)
"""
WAITS = """
import socket, time
for _ in range(600):
    try:
        socket.create_connection(("{host}", {port}), 5)
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    with Cable() as made:
        for machine, address in ((made.box, BOX), (made.clinic, CLINIC)):
            made.run(machine, "ip", "address", "add", f"{address}/64", "dev", PORT, "nodad")
        yield made


@contextmanager
def running(cable: Cable, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program in the clinic."""
    process = subprocess.Popen([*cable.clinic, *words], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        end(process)


def configuration(folder: Path, archive: JavaScriptPeer, rsyslog: Rsyslog) -> Path:
    box = rsyslog.authority.issue("box.clinic.example")
    path = folder / "scopegate.toml"
    path.write_text(f"""
[station]
data_dir = "{folder}"
runtime_dir = "{folder}/run"
[[destination]]
name = "pacs"
ae_title = "{archive.ae_title}"
host = "{CLINIC}%{PORT}"
port = {archive.port}
[[destination]]
name = "elsewhere"
ae_title = "{archive.ae_title}"
host = "{CLINIC}%port1"
port = {archive.port}
[audit]
host = "{CLINIC}%{PORT}"
port = {rsyslog.port}
tls = {{ ca = "{rsyslog.authority.ca}", certificate = "{box.certificate}", key = "{box.key}" }}
""")
    return path


def test_an_archive_and_an_audit_repository_at_a_link_local_address_are_reached(
    cable: Cable, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "clinic")
    archive = JavaScriptPeer(tmp_path, address="::")
    rsyslog = Rsyslog(tmp_path, authority=authority, shown=authority.issue(CLINIC), address="::")
    with ExitStack() as stack:
        for peer in (archive, rsyslog):
            stack.enter_context(running(cable, *peer.command()))
            cable.run(cable.box, "python3", "-c", WAITS.format(host=f"{CLINIC}%{PORT}", port=peer.port))
        config = str(configuration(tmp_path, archive, rsyslog))
        done = subprocess.run(
            [*cable.box, sys.executable, "-m", "gateway", "doctor", "--config", config, "--json"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    found = {line["what"]: line for line in json.loads(done.stdout)}
    assert found["destination pacs"]["says"] == "answers"
    assert (
        found[f"audit repository {CLINIC}%{PORT}"]["says"] == "answers"
    )  # whose certificate names no port of ours
    assert "[unreachable]" in found["destination elsewhere"]["says"]


@pytest.mark.parametrize(("host", "answer"), [(f"{CLINIC}%{PORT}", "True"), (f"{CLINIC}%lo", "False")])
def test_a_caller_is_who_it_is_at_the_port_that_the_configuration_names_alone(
    cable: Cable, host: str, answer: str
) -> None:
    words = [*cable.box, sys.executable, "-c", LISTENS.format(port=LISTENER, host=host)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        calls = CALLS.format(host=f"{BOX}%{PORT}", port=LISTENER)
        assert cable.run(cable.clinic, sys.executable, "-c", calls).split()[0] == answer
    finally:
        end(process)


def test_an_address_keeps_the_port_that_leads_to_it() -> None:
    assert addresses("fe80::c%lo") == {"fe80::c%lo"}
    assert address_of(("fe80::c", 104, 0, 1)) == "fe80::c%lo"
    assert address_of(("fd00::c", 104, 0, 0)) == "fd00::c"
    assert address_of(("10.0.0.1", 104)) == "10.0.0.1"
    assert target("fe80::c%lo") == ("fe80::c", 0, 1)
    assert [target("pacs.example"), named("pacs.example")] == ["pacs.example"] * 2
    assert named("fe80::c%lo") == "fe80::c"


def test_the_audit_says_that_it_is_an_address_whatever_the_port_is_called() -> None:
    code = Code(value="110104", meaning="DICOM Instances Transferred")
    there = Participant(id="PACS", requestor=False, at='fe80::c%en_p-1"<')
    message = AuditMessage(
        event=code,
        kinds=(),
        action="C",
        utc=datetime(2026, 11, 27, tzinfo=UTC),
        outcome="0",
        participants=(there,),
        source="US",
        site="",
        subjects=(),
    )
    found = ET.fromstring(as_xml(message)).find("ActiveParticipant")  # our own words
    assert found is not None
    assert (found.get("NetworkAccessPointID"), found.get("NetworkAccessPointTypeCode")) == (there.at, "2")
