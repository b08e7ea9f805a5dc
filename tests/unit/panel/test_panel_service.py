"""The service page and its bundle: every part of the box with its code, and not one word of a patient."""

import io
import json
import logging
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from gateway.config.settings import Destination, Lan, Panel, Tls
from gateway.log import event, keep_in
from gateway.model import DeliveryState, Patient, Procedure
from gateway.panel.people.roles import Door, Role
from gateway.panel.people.sessions import COOKIE
from gateway.panel.shown import certificates, service
from gateway.panel.support.bundle import MANIFEST, MOST, Part, bundle
from gateway.panel.support.parts import of_the_box
from gateway.panel.support.without import REMOVED, without
from gateway.spool.erasure import patient_words
from gateway.spool.processes import trials
from gateway.wire import ANSWERS
from hardware.indicators import Answer
from tests.certificates import Authority
from tests.memory import folder_in_memory
from tests.unit.panel.conftest import Bench, item, running
from tests.unit.panel.exams_that_leave import move, said_of_forward, sealed_exam

CANARY = Patient(name="ZZCANARY^Zoë=金丝雀^歌", id="ZZCANARY-4711", birth_date="19380229", sex="F")
UUID = "00000000-0000-4000-8000-000000000001"
WORDS = ("ZZCANARY", "Zoë", "金丝雀", "19380229", "ACC-CANARY")


def engineer(bench: Bench) -> dict[str, str]:
    """Return the header of a browser in which a service engineer has signed in."""
    desk = bench.watching.app.state.desk
    person = desk.people.add(name="Engineer", role=Role.SERVICE, pin="402918")
    return {"cookie": f"{COOKIE[Door.LAN]}={desk.sessions.begin(person.id, Door.LAN)}"}


@pytest.fixture
def lan(bench: Bench) -> Iterator[httpx2.Client]:
    headers = engineer(bench)
    with bench.elsewhere() as client:
        client.headers.update(headers)
        yield client


def unpacked(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def made_of(bench: Bench, *parts: Part) -> dict[str, str]:
    return unpacked(bundle(parts=parts, spool=bench.spool, clock=bench.spool.clock, missing={}))


def test_the_page_names_every_part_with_its_state_and_code(lan: httpx2.Client) -> None:
    page = lan.get("/service").text
    plain = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    for part in (
        "Process capture",
        "Process forward",
        "Picture source ultrasound",
        "Destination pacs",
        "Worklist ris",
    ):
        assert part in plain
    for part in ("Disk", "Clock", "Browsers of the network"):
        assert part in plain
    assert "pydicom" in page


def test_an_archive_is_called_good_once_it_answered_and_not_before(bench: Bench, lan: httpx2.Client) -> None:
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok"}, {"name": "backup", "state": "ok"}])
    assert archive_of(lan) == ("none", "never-sent")
    spool = bench.spool
    for ok, found in ((False, ("bad", "failed")), (True, ("ok", "tried"))):
        spool.requests.ask(trials.REQUEST, {"table": "destination", "values": {}}, deadline_s=10)
        line = trials.Line(part="answers", ok=ok, what="It says something.", code="" if ok else "rejected")
        spool.requests.done(spool.requests.begin(trials.REQUEST), {"lines": [line.to_json()]})
        assert archive_of(lan) == found
    sealed_exam(bench, 1)
    move(bench, state=DeliveryState.SENT)
    assert archive_of(lan) == ("ok", "ok")


def archive_of(browser: httpx2.Client) -> tuple[str, str]:
    """Return the mark and the state of the archive "pacs" on the page."""
    pattern = r'mark (\w+)"(?:(?!service-part).)*?<bdi>pacs</bdi>.*?<code><bdi>([\w-]+)<'
    found = re.search(pattern, browser.get("/service").text, re.DOTALL)
    assert found
    return found[1], found[2]


def test_a_patient_is_nowhere_on_the_page_and_in_the_bundle_whoever_wrote_it_down(
    bench: Bench, lan: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exam = bench.open_exam(CANARY.name)
    bench.still(exam)
    bench.post(f"/exams/{exam}/finish")
    bench.spool.worklist.replace(
        "ris", [item(1, CANARY.name, patient=CANARY, procedure=Procedure(accession_number="ACC-CANARY"))]
    )
    sealed_exam(bench, 1)
    move(bench, state=DeliveryState.HELD, code="refused", reason="The archive says: ZZCANARY^Zoë is unknown")
    runtime = bench.spool.layout.root.parent / "run"
    (runtime / "forward.log").write_text("forward WARNING x archive_said comment='zzcanary 19380229 金丝雀'\n")
    says = tmp_path / "journalctl"
    says.write_text('#!/bin/sh\necho "update taken back; a stick called ZZCANARY $*"\n')
    says.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    answer = lan.get("/api/v1/service/bundle")
    assert answer.headers["content-type"] == "application/zip"
    parts = unpacked(answer.content)
    manifest = json.loads(parts[MANIFEST])
    assert manifest["in_it"].keys() | {MANIFEST} == parts.keys()
    assert parts.keys() > {"health.json", "faults.json", "counts.json", "live.json", "metrics.txt", "forward.log"}
    assert manifest["not_in_it"].keys() == {"doctor.json", "units.txt"}
    assert "zzcanary" not in parts["journal.log"].casefold()
    assert "taken back" in parts["journal.log"]
    assert json.loads(parts["counts.json"])["exams"] == {"finished": 1, "released": 1}
    assert "archive_said" in parts["forward.log"]
    assert {"code": "refused", "what": "deliveries", "count": 1} in json.loads(parts["faults.json"])
    everything = "\n".join([*parts.values(), lan.get("/service").text]).casefold()
    for word in WORDS:
        assert word.casefold() not in everything, word
    assert "support-bundle" in bench.spool.layout.audit.read_text()


def test_short_names_and_names_in_other_letters_leave_the_bundle_too(bench: Bench) -> None:
    patient = Patient(name="Wu^Li=王^小明=", id="7", birth_date="19380229", sex="F")
    bench.spool.worklist.replace("ris", [item(1, patient.name, patient=patient)])
    said = {"reason": 'no patient "Wu, Li" / 王小明; wu and li; Zoë. Wurst, Lied and delivery stay'}
    reason = json.loads(made_of(bench, Part(name="said.json", about="", made=lambda: said))["said.json"])["reason"]
    gone = REMOVED
    assert (
        reason
        == f'no patient "{gone}, {gone}" / {gone}{gone}; {gone} and {gone}; Zoë. Wurst, Lied and delivery stay'
    )


def test_the_bundle_has_places_of_secrets_and_numbers_of_names_only() -> None:
    with folder_in_memory() as folder, running(folder, panel=Panel(operators=("Huber^Maria",))) as other:
        web = Destination(name="web", kind="stow", url="https://pacs.example/dicom-web", user="US-ROOM-2-ACCOUNT")
        settings = replace(other.settings, destinations=(*other.settings.destinations, web))
        made = made_of(other, *of_the_box(settings))
    configuration = json.loads(made["configuration.json"])
    assert configuration["panel"]["operators"] == 1
    assert "Huber" not in str(configuration)
    assert "US-ROOM-2-ACCOUNT" not in str(configuration)
    assert configuration["destinations"][0]["name"] == "pacs"


def test_of_a_long_text_the_end_is_in_the_bundle_and_the_manifest_says_so(bench: Bench) -> None:
    patient = Patient(name="Kanarienvogel^Xaver", id="QX-4711")
    bench.spool.worklist.replace("ris", [item(1, patient.name, patient=patient)])
    lines = "\na line of a log" * (MOST // 16)
    text = "Kanarienvogel" + lines[: MOST - 5]  # its last signs begin in the middle of the name
    made = made_of(bench, Part(name="forward.log", about="Lines.", made=lambda: text))
    assert len(made["forward.log"]) <= MOST
    assert "vogel" not in made["forward.log"]
    assert made["forward.log"].startswith("a line of a log")
    assert "last" in json.loads(made[MANIFEST])["in_it"]["forward.log"]


def test_without_an_index_nothing_is_in_the_bundle_that_could_name_somebody(bench: Bench) -> None:
    parts = [
        Part(name="forward.log", about="Lines.", made=lambda: "refused Kanarienvogel"),
        Part(name="versions.json", about="Versions.", made=service.versions, names_nobody=True),
    ]
    made = unpacked(bundle(parts=parts, spool=None, clock=bench.spool.clock, missing={}))
    assert made.keys() == {MANIFEST, "versions.json"}
    assert "index cannot be read" in json.loads(made[MANIFEST])["not_in_it"]["forward.log"]


def test_words_that_overlap_go_whole_whichever_was_read_first() -> None:
    batches: list[set[str]] = [{"MEIERHO"}, {"hofer", "A-77"}]
    assert without(["Meierhofer; 1A-778"], batches) == [f"{REMOVED}; 1{REMOVED}8"]
    assert without(["Meierhofer"], reversed(batches)) == [REMOVED]
    assert without(["İ ΣΟΦΟΣ Müller"], [{"σοφος", "MÜLLER"}]) == [f"İ {REMOVED} {REMOVED}"]


def test_every_accession_number_of_a_grouped_exam_is_known(bench: Bench) -> None:
    of_one = {"patient": CANARY, "study_instance_uid": "1.2.3"}
    numbers = [Procedure(accession_number=f"ACC-{number}") for number in (1, 2)]
    orders = [item(at, CANARY.name, procedure=number, **of_one) for at, number in enumerate(numbers)]
    bench.spool.worklist.replace("ris", orders)
    bench.post("/exams", {"request_id": UUID, "worklist_item": [each.id for each in orders]}, status=201)
    bench.spool.worklist.replace("ris", [])
    words = set[str]().union(*patient_words.batches(bench.spool))
    assert words >= {"ACC-1", "ACC-2"}


def test_a_process_keeps_its_last_lines_and_never_without_end(tmp_path: Path) -> None:
    log = logging.getLogger("kept")
    log.setLevel(logging.INFO)
    before = list(logging.getLogger().handlers)
    keep_in(tmp_path / "run", "forward")
    try:
        for number in range(12_000):
            event(log, "something_happened", number=number)
    finally:
        for handler in set(logging.getLogger().handlers) - set(before):
            logging.getLogger().removeHandler(handler)
            handler.close()
    kept = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert kept == ["forward.log", "forward.log.1"]
    assert "number=11999" in (tmp_path / "run" / "forward.log").read_text()
    assert sum(path.stat().st_size for path in (tmp_path / "run").iterdir()) < 500_000


def test_lamps_and_tones_are_tested_while_no_exam_is_open(bench: Bench, lan: httpx2.Client) -> None:
    assert set(ANSWERS) == set(Answer)
    for answer in ANSWERS:
        assert lan.post("/api/v1/service/sign", json={"answer": answer}).status_code == 200
    assert bench.capture.signs == list(ANSWERS)
    assert lan.post("/api/v1/service/sign", json={"answer": "music"}).status_code == 422
    bench.open_exam()
    assert lan.post("/api/v1/service/sign", json={"answer": "stored"}).json()["code"] == "exam-open"


def test_temperatures_are_those_that_the_recorder_judges() -> None:
    zone = {"name": "cpu-thermal", "celsius": 61.2, "limit": 80.0}
    said = {"machine": {"heat": "ok", "zones": [zone]}}
    assert service.temperatures(said) == [service.Temperature(name="cpu-thermal", celsius=61.2)]
    assert service.temperatures({"trouble": {}}) == service.temperatures(None) == []


def test_health_says_whether_browsers_of_the_network_can_come_in(bench: Bench, tmp_path: Path) -> None:
    assert (
        bench.get("/health", status=bench.client.get("/api/v1/health").status_code)["second_door"]["state"] == "off"
    )
    panel = Panel(lan=Lan(certificate=tmp_path / "c", key=tmp_path / "k"))
    with folder_in_memory() as folder, running(folder, panel=panel) as other:
        live = other.spool.layout.root.parent / "run" / "panel.json"
        for lan, state in (("10.0.0.5:8443", "open"), ("", "shut")):
            now = other.spool.clock
            live.write_text(json.dumps({"boot_id": now.boot_id, "boottime_ns": now.boottime_ns(), "lan": lan}))
            said = other.client.get("/api/v1/health").json()["second_door"]
            assert (said["state"], said["listens_at"]) == (state, lan)


def test_until_when_a_certificate_holds_stands_on_the_page_and_what_to_do_before_it_ends(tmp_path: Path) -> None:
    clinic = Authority(tmp_path / "pki")
    ends = {"ok": 61, "ends-soon": 30, "ends-now": 10, "ended": -1}
    issued = {state: clinic.issue(days=(-9, days), label=state) for state, days in ends.items()}
    soon = Panel(lan=Lan(certificate=issued["ends-soon"].certificate, key=issued["ends-soon"].key))
    with folder_in_memory() as folder, running(folder, panel=soon) as other:
        with other.elsewhere() as browser:
            page = browser.get("/service", headers=engineer(other)).text
        settings = replace(other.settings, panel=Panel())
        none = tmp_path / "none.pem"
        named = {**{state: each.certificate for state, each in issued.items()}, "unreadable": none}
        archives = tuple(
            Destination(
                name=state, ae_title="A", host="127.0.0.1", port=104, tls=Tls(ca=None, certificate=path, key=none)
            )
            for state, path in named.items()
        )
        found = certificates.lines(replace(settings, destinations=archives), other.clock)
    assert {each["name"]: each["state"] for each in found} == {f"destination {name}": name for name in named}
    assert [bool(each["action"]) for each in found] == [False, True, True, True, True]
    plain = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    assert "Certificate panel The certificate ends soon. Have it renewed; no restart is needed then." in plain


def test_an_archive_whose_name_another_one_bore_leads_to_the_question_which_it_is(
    bench: Bench, lan: httpx2.Client
) -> None:
    sealed_exam(bench, 1)
    move(bench, state=DeliveryState.SENT)
    said_of_forward(bench, destinations=[{"name": "pacs", "state": "ok", "sent_to_the_one_before": 7}])
    assert archive_of(lan) == ("warn", "replaced")
    assert "Objects that only the archive of before under this name got: 7." in lan.get("/service").text
