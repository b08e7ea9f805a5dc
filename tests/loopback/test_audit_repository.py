"""The audit trail in an audit repository: rsyslog over TLS, messages as PS3.15 A.5 wants them, none lost."""

import json
import socket
import ssl
import subprocess
import threading
import xml.etree.ElementTree as ET
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.clock import FakeClock
from gateway.config.settings import AuditRepository, Destination, Settings, Station, Tls, Worklist
from gateway.forward.auditing.messages import Messages
from gateway.forward.auditing.teller import AuditTeller
from gateway.net import syslog
from gateway.net.peers import Timeouts
from gateway.spool.audit_sent import AuditSent
from gateway.spool.erasure import erasable, erasing
from gateway.spool.spool import Spool
from tests.box import Box, until
from tests.certificates import Authority, Identity
from tests.forward.bench import CANARY, CANARY_WORDS, delivery, open_exam, sealed_exam
from tests.loopback.forward_archive import Scripted, run, sender
from tests.loopback.peers import Rsyslog, StoreScp, free_port
from tests.loopback.peers.rsyslog import Received
from tests.loopback.whole_box import as_destination

SCHEMA = Path(__file__).parent / "audit_message.rng"
QUICK = Timeouts(connect=5.0, negotiate=5.0, answer=2.0, stall=2.0)
LINES: dict[str, dict[str, str | int]] = {  # as the product writes them
    "signed-in": {"person": "Huber^Maria", "role": "user", "door": "lan", "address": "10.0.0.7"},
    "sign-in-refused": {"person": "", "door": "lan", "address": "fe80::1%eth0"},
    "settings-changed": {"person": "Huber^Maria", "keys": "panel.theme", "revision": "0123456789ab"},
    "person-role-changed": {"person": "Huber^Maria", "about": "Rossi^Aldo", "role": "service"},
    "audit-verified": {"lines": 12, "fault": 0},
    "worklist-searched": {"server": "ris", "items": 2},
    "forward-started": {},
    "queue-moved": {"source": "old", "target": "pacs", "moved": 4, "merged": 0},
    "a-kind-of-later": {"with": "\x00 what XML cannot have <&> ]]>"},
}
OF_EXAMS: dict[str, dict[str, str | int]] = {
    "exam-opened": {"identity": "typed", "operator": "Huber^Maria"},
    "exam-assigned": {"identity": "worklist"},
    "exam-finished": {"reason": ""},
    "capture-purged": {"capture": "2.25.1", "why": "proven", "held_by": "pacs (commitment)"},
    "exported": {"objects": 2, "to": "/media/usb"},
    "exam-looked-at": {"person": "Rossi^Aldo", "door": "lan", "address": "10.0.0.7"},
    "capture-downloaded": {"capture": "2.25.1", "form": "dicom", "door": "front", "address": ""},
    "objects-sent": {"to": "pacs", "count": 2},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder / "authority")


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Identity:
    return authority.issue("box")


@pytest.fixture
def tls(authority: Authority, ours: Identity) -> Tls:
    """What is right."""
    return authority.tls(ours)


@pytest.fixture
def server(tmp_path: Path, authority: Authority) -> Iterator[Rsyslog]:
    with Rsyslog(tmp_path / "rsyslog", authority=authority, shown=authority.issue("127.0.0.1")) as peer:
        yield peer


def settings(port: int, tls: Tls) -> Settings:
    return Settings(
        station=Station(name="US ROOM 2", institution="Clinic"),
        worklists=(Worklist(name="ris", ae_title="RIS", host="10.0.0.5", port=104),),
        destinations=(Destination(name="pacs", ae_title="PACS", host="pacs.example", port=104),),
        audit=AuditRepository(host="127.0.0.1", port=port, tls=tls),
    )


def teller(spool: Spool, port: int, tls: Tls) -> AuditTeller:
    said = settings(port, tls)
    assert said.audit
    peer = syslog.repository(said.audit)
    return AuditTeller(
        spool=spool,
        sent=AuditSent(path=spool.layout.audit_sent, audit=spool.audit, files=spool.files),
        messages=Messages(spool=spool, settings=said),
        tell=lambda records: syslog.tell(peer, records, our_host="box", timeouts=QUICK),
    )


def everything(part: AuditTeller) -> None:
    while part.step():
        pass


def in_order(received: list[Received]) -> list[int]:
    return [each.number for each in received]


def valid(text: str, folder: Path) -> ET.Element:
    """Return a message that the schema of the standard's tables accepts."""
    file = folder / "message.xml"
    file.write_text(text, "utf-8")
    done = subprocess.run(
        ["xmllint", "--noout", "--relaxng", str(SCHEMA), str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + text
    return ET.fromstring(text)


def of(received: list[Received], what: str, folder: Path) -> ET.Element:
    """Return the one message about such a line."""
    found = [each.text for each in received if f'csd-code="{what}"' in each.text]
    assert len(found) == 1, what
    return valid(found[0], folder)


def event_of(message: ET.Element) -> tuple[str, str, str]:
    event = message.find("EventIdentification")
    assert event is not None
    code = event.find("EventID")
    assert code is not None
    return code.attrib["csd-code"], event.attrib["EventActionCode"], event.attrib["EventOutcomeIndicator"]


def attributes(message: ET.Element, path: str, name: str) -> list[str]:
    return [each.attrib[name] for each in message.iterfind(path) if name in each.attrib]


def test_every_kind_of_line_arrives_as_a_message_that_the_schema_accepts(
    spool: Spool, server: Rsyslog, tls: Tls, tmp_path: Path
) -> None:
    exam = open_exam(spool)
    for what, details in LINES.items():
        spool.audit.note(what, by="panel", **details)
    for what, details in OF_EXAMS.items():
        spool.audit.note(what, by="forward", exam=exam.id, **details)
    part = teller(spool, server.port, tls)
    everything(part)

    assert part.pause is None
    assert part.left == 0
    received = server.after(len(LINES) + len(OF_EXAMS))
    assert in_order(received) == list(range(1, len(LINES) + len(OF_EXAMS) + 1))
    for each in received:
        assert (each.priority, each.kind, each.host) == (85, "DICOM+RFC3881", "box")
        valid(each.text, tmp_path)
    events = {what: event_of(of(received, what, tmp_path)) for what in [*LINES, *OF_EXAMS]}
    assert events == {
        "signed-in": ("110114", "E", "0"),
        "sign-in-refused": ("110114", "E", "4"),
        "settings-changed": ("110113", "E", "0"),
        "person-role-changed": ("110113", "E", "0"),
        "audit-verified": ("110101", "R", "0"),
        "worklist-searched": ("110112", "E", "0"),
        "forward-started": ("110100", "E", "0"),
        "queue-moved": ("110113", "E", "0"),
        "a-kind-of-later": ("110113", "E", "0"),
        "exam-opened": ("110111", "C", "0"),
        "exam-assigned": ("110110", "U", "0"),
        "exam-finished": ("110111", "U", "0"),
        "capture-purged": ("110103", "D", "0"),
        "exported": ("110106", "R", "0"),
        "exam-looked-at": ("110103", "R", "0"),
        "capture-downloaded": ("110106", "R", "0"),
        "objects-sent": ("110104", "C", "0"),
    }


def test_a_message_names_the_person_the_patient_the_study_and_the_archive(
    spool: Spool, server: Rsyslog, tls: Tls, tmp_path: Path
) -> None:
    exam = open_exam(spool)
    spool.audit.note("exam-opened", by="panel", exam=exam.id, operator="Huber^Maria")
    spool.audit.note("objects-sent", by="forward", exam=exam.id, to="pacs", count=3)
    everything(teller(spool, server.port, tls))

    opened, sent = (of(server.after(2), what, tmp_path) for what in ("exam-opened", "objects-sent"))
    assert attributes(opened, "ActiveParticipant", "UserID") == ["Huber^Maria", "panel"]
    assert attributes(opened, "ActiveParticipant", "UserIsRequestor") == ["true", "false"]
    ids = [exam.study_instance_uid, CANARY.id]
    assert attributes(opened, "ParticipantObjectIdentification", "ParticipantObjectID") == ids
    assert opened.findtext("ParticipantObjectIdentification[2]/ParticipantObjectName") == CANARY.name
    assert attributes(sent, "ActiveParticipant", "UserID") == ["forward", "PACS"]
    assert attributes(sent, "ActiveParticipant", "NetworkAccessPointID") == ["pacs.example"]
    assert attributes(sent, ".//SOPClass", "NumberOfInstances") == ["3"]
    assert attributes(sent, ".//Accession", "Number") == ["ACC-CANARY-77"]
    assert attributes(sent, "AuditSourceIdentification", "AuditSourceID") == ["US ROOM 2"]


def test_who_looks_and_who_downloads_is_named_with_the_machine_and_the_patient(
    spool: Spool, server: Rsyslog, tls: Tls, tmp_path: Path
) -> None:
    exam = open_exam(spool)
    who = {"person": "Rossi^Aldo", "door": "lan", "address": "10.0.0.7"}
    spool.audit.note("exam-looked-at", by="panel", exam=exam.id, **who)
    spool.audit.note("capture-downloaded", by="panel", exam=exam.id, capture="2.25.1", form="dicom", **who)
    everything(teller(spool, server.port, tls))

    looked, taken = (of(server.after(2), what, tmp_path) for what in ("exam-looked-at", "capture-downloaded"))
    ids = [exam.study_instance_uid, CANARY.id]
    for message in (looked, taken):
        assert attributes(message, "ParticipantObjectIdentification", "ParticipantObjectID") == ids
        assert attributes(message, "ActiveParticipant", "NetworkAccessPointID") == ["10.0.0.7"]
    assert attributes(looked, "ActiveParticipant", "UserID") == ["Rossi^Aldo", "panel"]
    assert attributes(looked, "ActiveParticipant", "UserIsRequestor") == ["true", "false"]
    assert attributes(taken, "ActiveParticipant", "UserID") == ["Rossi^Aldo", "panel", "10.0.0.7"]
    assert attributes(taken, "ActiveParticipant", "UserIsRequestor") == ["true", "false", "false"]
    roles = ["110152", "110153", "110154"]  # destination, source, destination media (PS3.15 A.5.3.6)
    assert attributes(taken, "ActiveParticipant/RoleIDCode", "csd-code") == roles
    assert attributes(taken, ".//MediaType", "csd-code") == ["110037"]
    told = {each.attrib["type"]: each.attrib["value"] for each in taken.iterfind(".//ParticipantObjectDetail")}
    assert {key: b64decode(value) for key, value in told.items()} == {
        "capture": b"2.25.1",
        "form": b"dicom",
        "door": b"lan",
    }


def test_of_an_erased_exam_its_number_is_left_and_no_patient(
    spool: Spool, server: Rsyslog, tls: Tls, tmp_path: Path
) -> None:
    exam = open_exam(spool)
    spool.exams.finish(exam.id)
    spool.audit.note("exam-opened", by="panel", exam=exam.id)
    assert erasing.erase(spool, erasable.loss(spool, exam.id, ["pacs"]), by="command-line", servers=())
    everything(teller(spool, server.port, tls))

    erased = of(server.after(2), "exam-erased", tmp_path)
    assert event_of(erased) == ("110105", "D", "0")
    assert attributes(erased, "ParticipantObjectIdentification", "ParticipantObjectID") == [exam.id]
    assert not any(word in each.text for each in server.received for word in CANARY_WORDS)


def test_while_the_repository_is_away_everything_waits_and_then_arrives_in_order(
    spool: Spool, clock: FakeClock, server: Rsyslog, tls: Tls
) -> None:
    part = teller(spool, server.port, tls)
    for number in range(120):
        spool.audit.note("exam-finished", by="panel", exam=f"e{number}")
    everything(part)
    assert len(server.after(120)) == 120
    server.stop()
    for number in range(120, 330):
        spool.audit.note("exam-finished", by="panel", exam=f"e{number}")

    everything(part)
    assert part.pause
    assert part.pause.error.code == "unreachable"
    assert part.left == 210
    with server:
        everything(part)
        assert part.left == 210  # not before its time
        clock.move(20)
        everything(part)
        assert in_order(server.after(330)) == list(range(1, 331))
    assert part.pause is None
    assert part.left == 0


def test_another_start_of_the_box_sends_nothing_twice(spool: Spool, server: Rsyslog, tls: Tls) -> None:
    for _ in range(2):
        spool.audit.note("forward-started", by="forward")
        everything(teller(spool, server.port, tls))

    assert in_order(server.after(2)) == [1, 2]


@pytest.mark.parametrize("shown", ["of another authority", "none"])
def test_a_certificate_that_the_repository_does_not_know_is_refused_and_said_and_pictures_still_go(
    spool: Spool, server: Rsyslog, folder: Path, archive: Scripted, shown: str
) -> None:
    wrong = Authority(folder / "foreign").issue("box") if shown != "none" else None
    part = teller(spool, server.port, server.authority.tls(wrong))
    sealed_exam(spool)
    run(sender(spool, archive))
    everything(part)

    assert part.pause
    assert (part.pause.error.code, part.left) == ("dropped", 1)
    assert "certificate of this box" in part.pause.error.action
    assert server.received == []
    assert delivery(spool).state == "sent"
    assert len(archive.uids) == 1


def test_a_repository_that_is_not_ours_gets_nothing(
    spool: Spool, server: Rsyslog, ours: Identity, folder: Path
) -> None:
    spool.audit.note("forward-started", by="forward")
    tls = Tls(ca=Authority(folder / "stranger").ca, certificate=ours.certificate, key=ours.key)
    part = teller(spool, server.port, tls)
    everything(part)

    assert part.pause
    assert part.pause.error.code == "tls-unknown-ca"
    assert server.received == []


def test_what_was_sent_is_a_line_of_the_audit_file_for_each_association(spool: Spool, archive: Scripted) -> None:
    exam = sealed_exam(spool, stills=3)
    run(sender(spool, archive))

    (line,) = spool.audit.lately("objects-sent")
    assert {key: line[key] for key in ("by", "exam", "to", "count")} == {
        "by": "forward",
        "exam": exam.id,
        "to": "pacs",
        "count": 3,
    }


def test_no_log_and_no_error_names_the_patient(
    spool: Spool,
    server: Rsyslog,
    tls: Tls,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    exam = open_exam(spool)
    spool.audit.note("exam-opened", by="panel", exam=exam.id)
    part = teller(spool, server.port, tls)
    server.stop()
    everything(part)
    assert part.pause
    with server:
        clock.move(20)
        everything(part)
        assert CANARY.id in server.after(1)[0].text
    assert "audit_sent" in caplog.text
    assert not any(word in caplog.text for word in CANARY_WORDS)


# --- a whole box ---------------------------------------------------------------------------------------------


def test_a_whole_box_tells_the_repository_of_a_day_and_names_its_patient_nowhere_else(
    server: Rsyslog, ours: Identity, tmp_path: Path, archive_of_everything: StoreScp
) -> None:
    box = Box(tmp_path / "box", destinations=[as_destination("pacs", archive_of_everything)])
    with box.config.open("a", encoding="utf-8") as file:
        file.write(
            f'\n[audit]\nhost = "127.0.0.1"\nport = {server.port}\ntls = {{ ca = "{server.authority.ca}", '
            f'certificate = "{ours.certificate}", key = "{ours.key}" }}\n'
        )
    with box:
        exam = box.open_typed(name=CANARY.name, patient_id=CANARY.id)
        box.still(exam)
        box.finish(exam)
        box.until_delivered(exam, 1)
        until("all lines to be sent", lambda: "objects-sent" in str(server.received))
        (line,) = box.get("/health")["audit"]
        assert (line["state"], line["name"]) == ("ok", "127.0.0.1")
        done = CliRunner().invoke(app, ["doctor", "--config", str(box.config), "--json"])
        (told,) = [each for each in json.loads(done.output) if each["what"] == "audit repository 127.0.0.1"]
        assert told["ok"] is True
    received = server.received
    assert in_order(received) == list(range(1, len(received) + 1))
    for what in ("forward-started", "exam-opened", "exam-finished", "objects-sent"):
        message = of(received, what, tmp_path)
        assert what == "forward-started" or CANARY.id in ET.tostring(message, "unicode")
    searched = [box.log, *(path for path in box.runtime.rglob("*") if path.is_file()), *box.data.glob("audit*")]
    for path in searched:
        content = path.read_text("utf-8", "replace")
        assert not [word for word in CANARY_WORDS if word in content], path.name
    assert CliRunner().invoke(app, ["audit", "verify", "--config", str(box.config)]).exit_code == 0


# --- servers with one thing wrong ----------------------------------------------------------------------------


@contextmanager
def misbehaving(context: ssl.SSLContext, does: Callable[[ssl.SSLSocket], None]) -> Iterator[int]:
    """Yield the port of a server that takes one connection and `does` something with it."""
    listener = socket.create_server(("127.0.0.1", free_port()))

    def serve() -> None:
        plain, _ = listener.accept()
        plain.settimeout(10)
        try:
            with context.wrap_socket(plain, server_side=True) as wire:
                does(wire)
        except OSError:  # what the caller makes of it is the test
            plain.close()

    thread = threading.Thread(target=serve, name="misbehaving")
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(15)
        listener.close()
        assert not thread.is_alive()


def resets_in_the_middle(wire: ssl.SSLSocket) -> None:
    wire.recv(10)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def never_ends_it(wire: ssl.SSLSocket) -> None:
    while wire.recv(65536):
        pass
    threading.Event().wait(3)


@pytest.mark.parametrize(("does", "code"), [(resets_in_the_middle, "dropped"), (never_ends_it, "silent")])
def test_what_a_server_does_not_end_in_order_is_sent_again(
    spool: Spool, authority: Authority, tls: Tls, does: Any, code: str
) -> None:
    spool.audit.note("forward-started", by="forward")
    with misbehaving(authority.server(authority.issue("127.0.0.1")), does) as port:
        part = teller(spool, port, tls)
        everything(part)

    assert part.pause
    assert (part.pause.error.code, part.left) == (code, 1)


def test_a_server_that_says_why_it_refuses_our_certificate_is_understood(
    spool: Spool, authority: Authority, folder: Path
) -> None:
    spool.audit.note("forward-started", by="forward")
    foreign = Authority(folder / "foreigner").issue("box")
    with misbehaving(authority.server(authority.issue("127.0.0.1")), resets_in_the_middle) as port:
        part = teller(spool, port, authority.tls(foreign))
        everything(part)

    assert part.pause
    assert (part.pause.error.code, part.left) == ("tls-client-certificate-refused", 1)


def test_asking_whether_it_would_take_messages_sends_none(
    server: Rsyslog, authority: Authority, ours: Identity
) -> None:
    def asked(tls: Tls) -> tuple[bool, str]:
        said = syslog.repository(AuditRepository(host="127.0.0.1", port=server.port, tls=tls))
        answer = syslog.knock(said, deadline_s=5)
        return answer.ok, answer.code

    assert asked(authority.tls(ours)) == (True, "")
    assert asked(authority.tls()) == (False, "dropped")
    server.stop()
    assert asked(authority.tls(ours)) == (False, "unreachable")
    assert server.received == []
