"""A patient who may appear in the spool and in the archive and nowhere else, and listeners on loopback alone."""

import base64
import http.client
import json
import socket
import struct
import subprocess
import sys
import urllib.parse
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from tests.box import Box, Refusal, until
from tests.loopback.peers import FaultArchive, FaultWeb, StepServer, StoreScp, VouchingArchive, WlmScpfs
from tests.loopback.peers.items import worklist_item
from tests.loopback.peers.web import Asked
from tests.loopback.whole_box import as_destination, as_worklist, today
from tests.small_disk import small_disk

NAME = "Kanarienvogel^Zitronella=黄^金丝=こう^きんし"
PATIENT_ID, ACCESSION, BIRTH = "CANARY77031", "ACANARY55019", "19380229"


def disguises() -> set[bytes]:
    """Return every coding in which the canary could hide."""
    found = set()
    for word in [*(part for group in NAME.split("=") for part in group.split("^")), PATIENT_ID, ACCESSION, BIRTH]:
        for charset in ("utf-8", "gb18030", "iso2022_jp", "utf-16-le"):
            raw = word.encode(charset, "ignore")
            if len(raw) < 4:
                continue
            found |= {raw, raw.hex().encode(), raw.hex().upper().encode(), base64.b64encode(raw).rstrip(b"=")[:-1]}
            found.add(urllib.parse.quote(raw).encode())
        found.add(json.dumps(word).strip('"').encode())
    return {disguise for disguise in found if len(disguise) >= 4}


def test_the_canary_is_nowhere_but_in_the_spool(
    tmp_path: Path, worklist_server: WlmScpfs, fault_archive: FaultArchive
) -> None:
    item = worklist_item(name=NAME, character_set="ISO_IR 192", number=77, day=today())
    item.PatientID, item.AccessionNumber, item.PatientBirthDate = PATIENT_ID, ACCESSION, BIRTH
    worklist_server.clear()
    worklist_server.add("canary", item)
    with StoreScp(tmp_path / "archive", "+xi") as archive:
        refusing = {
            "name": "refusing",
            "ae_title": "STATUS_A900",
            "host": "127.0.0.1",
            "port": fault_archive.port,
            "commitment": False,
        }
        box = Box(
            tmp_path / "box",
            worklists=[as_worklist(worklist_server)],
            destinations=[as_destination("pacs", archive), refusing],
        )
        with box:
            exam = str(box.create("/exams", {"worklist_item": box.worklist_item(PATIENT_ID)})["id"])
            box.still(exam)
            box.clip(exam, 0.5)
            for body in ({"patient": {"name": NAME * 3, "id": PATIENT_ID}}, {"patient": {"name": NAME, "id": 5}}):
                try:
                    box.create("/exams", body)
                except Refusal as refusal:
                    text = json.dumps(refusal.body, ensure_ascii=False).encode()
                    assert not [d for d in disguises() if d in text]
            box.request("GET", f"/captures/{urllib.parse.quote(PATIENT_ID)}/image")
            box.kill("capture")
            until("capture to be back", box.is_ready)
            box.finish(exam)
            until("an answer to each", lambda: all(d["attempts"] for d in box.deliveries(exam)))
            leaving = what_leaves_the_box(box)
            assert b"manifest.json" in command(box, "support", str(tmp_path / "support.zip"))
    with zipfile.ZipFile(tmp_path / "support.zip") as archive:
        leaving |= {f"support/{name}": archive.read(name) for name in archive.namelist()}
    assert {"scopegate.toml", "forward.log", "support/forward.log", "support/doctor.json"} <= leaving.keys()
    for name, content in leaving.items():
        assert not [word for word in disguises() if word in content or word in name.encode()], name
    searched = [box.log, *(path for path in box.runtime.rglob("*") if path.is_file())]
    names = [str(path.relative_to(box.data)).encode() for path in box.data.rglob("*")]
    audit = [path for path in box.data.glob("audit*") if path.is_file()]
    for content in [*(path.read_bytes() for path in [*searched, *audit]), *names]:
        assert not [disguise for disguise in disguises() if disguise in content]
    assert PATIENT_ID.encode() in next(box.data.glob("exams/*/exam.json")).read_bytes()  # the search can find it


def test_lines_of_the_log_for_programs_are_objects_and_name_no_patient(
    tmp_path: Path, worklist_server: WlmScpfs, fault_archive: FaultArchive
) -> None:
    item = worklist_item(name=NAME, character_set="ISO_IR 192", number=79, day=today())
    item.PatientID, item.AccessionNumber, item.PatientBirthDate = PATIENT_ID, ACCESSION, BIRTH
    worklist_server.clear()
    worklist_server.add("canary", item)
    refusing = {"name": "refusing", "ae_title": "STATUS_A900", "host": "127.0.0.1", "port": fault_archive.port}
    worklists = [as_worklist(worklist_server)]
    with Box(tmp_path / "box", worklists=worklists, destinations=[refusing], log={"format": "json"}) as box:
        exam = str(box.create("/exams", {"worklist_item": box.worklist_item(PATIENT_ID)})["id"])
        box.still(exam)
        box.request("GET", f"/captures/{urllib.parse.quote(PATIENT_ID)}/image")
        box.finish(exam)
        until("an answer", lambda: all(d["attempts"] for d in box.deliveries(exam)))
    for process in ("capture", "forward", "panel"):
        kept = (box.runtime / f"{process}.log").read_bytes()
        lines = [json.loads(line) for line in kept.splitlines()]
        ours = [line for line in lines if "message" not in line]  # a library's line may be the first of all
        assert ours
        assert all({"time", "level", "event", "fields"} <= line.keys() for line in ours)
        assert {line["process"] for line in lines} == {process}
        assert kept.splitlines()[-1] in box.log.read_bytes()
        assert not [word for word in disguises() if word in kept]
    assert not [word for word in disguises() if word in box.log.read_bytes()]


def test_an_erased_patient_is_nowhere_in_the_data_of_a_box_that_runs(
    tmp_path: Path, worklist_server: WlmScpfs
) -> None:
    item = worklist_item(name=NAME, character_set="ISO_IR 192", number=78, day=today())
    item.PatientID, item.AccessionNumber, item.PatientBirthDate = PATIENT_ID, ACCESSION, BIRTH
    worklist_server.clear()
    worklist_server.add("canary", item)
    with StoreScp(tmp_path / "archive", "+xi") as archive:
        box = Box(
            tmp_path / "box",
            worklists=[as_worklist(worklist_server)],
            destinations=[as_destination("pacs", archive)],
        )
        with box:
            exam = str(box.create("/exams", {"worklist_item": box.worklist_item(PATIENT_ID)})["id"])
            uid = str(box.still(exam)["sop_instance_uid"])
            box.clip(exam, 0.5)
            box.finish(exam)
            until("all to be settled", lambda: {d["state"] for d in box.deliveries(exam)} == {"sent", "held"})
            assert box.request("GET", f"/captures/{uid}/thumbnail")[0] == 200
            worklist_server.clear()
            assert in_the_data(box)  # the search can find it
            roles = {role: box.running(role) for role in ("capture", "forward", "panel")}
            assert b"elsewhere: pacs: 1 object" in command(box, "exam", "erase", exam)
            assert b"Erased from this box" in command(box, "exam", "erase", exam, "--yes", "2")
            assert in_the_data(box) == []
            for path in (f"/exams/{exam}", f"/captures/{uid}/thumbnail", f"/captures/{uid}/dicom"):
                assert box.request("GET", path)[0] == 404
            other = box.open_typed()
            box.still(other)
            box.finish(other)
            box.until_delivered(other, 1)
            assert {role: box.pid(role) for role in roles} == roles  # nobody died of it
        assert in_the_data(box) == []
    assert not [word for word in disguises() if word in box.log.read_bytes()]
    assert b"exam-erased" in (box.data / "audit.jsonl").read_bytes()


def what_leaves_the_box(box: Box) -> dict[str, bytes]:
    """Return the files of the exported settings and of the support bundle, by their names, and both as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=40)
    found: dict[str, bytes] = {}
    try:
        who = json.dumps({"name": "Huber", "pin": "402918"})
        connection.request("POST", "/api/v1/people/first", who, {"content-type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 201, answer.read()
        answer.read()
        signed_in = {"cookie": str(answer.headers["set-cookie"]).partition(";")[0]}
        for path in ("/settings/export", "/service/bundle"):
            connection.request("GET", f"/api/v1{path}", headers=signed_in)
            answer = connection.getresponse()
            found[path] = answer.read()
            assert answer.status == 200, found[path]
            with zipfile.ZipFile(BytesIO(found[path])) as archive:
                found |= {name: archive.read(name) for name in archive.namelist()}
    finally:
        connection.close()
    return found


def in_the_data(box: Box) -> list[str]:
    """Return the files of a box's folders in which the canary stands in any coding."""
    paths = [*box.data.rglob("*"), *box.runtime.rglob("*")]
    files = [path for path in paths if path.is_file() and path.name != "reserve"]
    return [path.name for path in files if any(word in path.read_bytes() for word in disguises())]


def command(box: Box, *words: str) -> bytes:
    """Return what a command says."""
    asked = [sys.executable, "-m", "gateway", *words, "--config", str(box.config)]
    done = subprocess.run(asked, capture_output=True, check=False, timeout=60)
    return done.stdout + done.stderr


def reports_nonsense(archive: VouchingArchive, port: int) -> None:
    """Report what nobody asked, with the patient in all of it, also as the caller."""
    said = Dataset()
    said.TransactionUID = "2.25.99"
    said.InstitutionName = said.RetrieveAETitle = PATIENT_ID
    said.ReferencedSOPSequence = [Dataset()]
    said.ReferencedSOPSequence[0].ReferencedSOPClassUID = said.ReferencedSOPSequence[0].RetrieveURI = PATIENT_ID
    said.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "2.25.98"
    archive.box_port = port
    usual, archive.words = archive.words, lambda _: (said, 1)  # type: ignore[method-assign]  # the peer's manners
    assert archive.report("2.25.99") == 0x0115
    archive.report("2.25.99", calling=PATIENT_ID)
    archive.words = usual  # type: ignore[method-assign]


def refuses_by_name(request: Any, asked: Asked) -> None:
    """Answer as an archive that quotes what it got, in every place there is."""
    if asked.method == "POST":
        request.take(asked)
        request.peer.has.clear()
    request.send_response_only(409, f"no {PATIENT_ID}")
    body = json.dumps({"00081198": {"Value": [PATIENT_ID]}, "error": NAME}, ensure_ascii=False).encode()
    for name, value in (("X-Error", PATIENT_ID), ("Location", f"/{PATIENT_ID}"), ("Set-Cookie", f"p={PATIENT_ID}")):
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_what_other_systems_say_of_a_patient_is_repeated_nowhere(tmp_path: Path) -> None:
    with VouchingArchive("partial") as archive, StepServer() as steps, FaultWeb() as web:
        archive.comment = steps.comment = f"{PATIENT_ID} {NAME.partition('=')[0]}"
        steps.faults = [0x0110, 0x0106]
        web.behave = refuses_by_name
        at = {"host": "127.0.0.1", "port": archive.port}
        box = Box(
            tmp_path / "box",
            destinations=[
                {"name": "pacs", "ae_title": "VOUCHES", "commitment": True, "commitment_wait_s": 0, **at},
                {"name": "refusing", "ae_title": "SA900", "commitment": False, **at},
                {"name": "web", "kind": "stow", "url": web.url},
            ],
            procedure_steps=[{"name": "ris", "ae_title": "STEPS", "host": "127.0.0.1", "port": steps.port}],
        )
        archive.box_port = box.dicom_port
        with box:
            exam = box.open_typed(NAME, PATIENT_ID)
            box.still(exam)
            box.clip(exam, 0.5)
            box.finish(exam)
            until("all to be asked", lambda: all(d["attempts"] for d in box.deliveries(exam)))
            until("a report", lambda: 0 in archive.answers)
            box.post(f"/exams/{exam}/reopen")
            box.still(exam)
            box.finish(exam)
            until("the new one too", lambda: all(d["attempts"] for d in box.deliveries(exam)))
            until("a refused step", lambda: len(steps.heard) >= 2)
            reports_nonsense(archive, box.dicom_port)
            box.post(f"/days/{today()[:4]}-{today()[4:6]}-{today()[6:]}/check")
            told = [command(box, "doctor"), command(box, "queue", "list")]
            told += [box.request("GET", path)[1] for path in ("/health", "/deliveries", "/deliveries?state=held")]
            told.append(command(box, "export", "--exam", exam, "--jpeg", "--to", str(tmp_path)))
            assert all(told)
    audit = [path for path in box.data.glob("audit*") if path.is_file()]
    names = [str(path.relative_to(tmp_path)).encode() for path in tmp_path.rglob("*")]
    searched = [box.log, *audit, *(path for path in box.runtime.rglob("*") if path.is_file())]
    database = b"".join(path.read_bytes() for path in box.data.rglob("*.db*") if path.is_file())
    assert b"commitment-report-refused" in audit[0].read_bytes()
    for content in [*told, *names, *(path.read_bytes() for path in searched)]:
        assert not [disguise for disguise in disguises() if disguise in content]
    assert PATIENT_ID.encode() in database  # the search can find it
    assert steps.comment.encode() not in database
    assert b"DICOMDIR" in names


def page(box: Box, method: str, path: str, **fields: str) -> bytes:
    """Return what a browser at the box is shown."""
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=40)
    try:
        body = urllib.parse.urlencode(fields) if fields else None
        headers = {"content-type": "application/x-www-form-urlencoded"} if fields else {}
        connection.request(method, path, body, headers)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_what_is_typed_at_the_panel_is_kept_nowhere_but_with_the_exam(tmp_path: Path) -> None:
    family, _, given = NAME.partition("=")[0].partition("^")
    stick = tmp_path / "stick"
    with StoreScp(tmp_path / "archive", "+xi") as archive, small_disk(stick, 100):
        destinations = [
            as_destination("pacs", archive),
            {"name": "stick", "kind": "media", "folder": str(stick), "required": False},
        ]
        box = Box(tmp_path / "box", destinations=destinations)
        with box:
            born = {"day": "28", "month": BIRTH[4:6], "year": BIRTH[:4]}  # the canary's birthday is no day
            typed = {"family": family, "given": given, "id": PATIENT_ID, "sex": "F", "description": family, **born}
            assert family.upper().encode() in page(box, "POST", "/typed", **typed)
            page(box, "POST", "/typed", **{**typed, "day": PATIENT_ID})  # a mistake that quotes what was typed
            page(box, "POST", "/search", text=family)
            page(box, "POST", "/scanned", text=PATIENT_ID)
            exam = box.open_typed(NAME.partition("=")[0], PATIENT_ID)
            box.still(exam)
            box.finish(exam)
            assert family.upper().encode() in page(box, "POST", "/archive", text=family)
            page(box, "GET", f"/exam/{urllib.parse.quote(NAME)}")
            for tried in (
                {"name": NAME, "pin": PATIENT_ID},  # somebody types the patient where a person belongs
                {"name": PATIENT_ID, "pin": NAME, "new_pin": BIRTH},
            ):
                for path in ("/session", "/session/pin", "/people/first", "/people/recover", "/people"):
                    status, said = box.request("POST", path, tried)
                    assert status >= 400, path
                    assert not [word for word in disguises() if word in said], path
            box.request("POST", "/operator", {"name": NAME})
            until("the exam to arrive", lambda: archive.count() == 1)
            asked = box.post("/exports", {"exams": [exam], "destination": "stick"})
            until("the copy", lambda: box.get(f"/exports/{asked['id']}")["state"] == "done")
            told = [command(box, "doctor"), command(box, "queue", "list"), box.request("GET", "/health")[1]]
        copied = [path for path in stick.rglob("*") if path.is_file()]
        names = [str(path.relative_to(tmp_path)).encode() for path in (*tmp_path.rglob("*"), *copied)]
        assert [path for path in copied if PATIENT_ID.encode() in path.read_bytes()]
    assert not [word for word in disguises() if word in b"".join(told)]
    audit = [path for path in box.data.glob("audit*") if path.is_file()]
    searched = [box.log, box.config, *audit, *(path for path in box.runtime.rglob("*") if path.is_file())]
    for content in [*names, *(path.read_bytes() for path in searched)]:
        assert not [word for word in disguises() if word in content]


def test_every_listener_is_on_loopback_alone(tmp_path: Path) -> None:
    with Box(tmp_path) as box:
        pids = [box.running(role) for role in ("capture", "forward", "panel")]
        until("both ports to answer", lambda: {port for _, port in listeners(pids)} >= {box.port, box.dicom_port})
        assert listeners(pids) == sorted([("127.0.0.1", box.port), ("127.0.0.1", box.dicom_port)])
        inodes = {link for pid in pids for link in sockets_of(pid)}
        assert not [w for w in Path("/proc/net/tcp6").read_text(encoding="ascii").split() if w in inodes]


def listeners(pids: list[int]) -> list[tuple[str, int]]:
    """Return address and port of each listening socket of these processes."""
    inodes = {link for pid in pids for link in sockets_of(pid)}
    found = []
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and words[9] in inodes:
            address, port = words[1].split(":")
            found.append((socket.inet_ntoa(struct.pack("<L", int(address, 16))), int(port, 16)))
    return sorted(found)


def sockets_of(pid: int) -> list[str]:
    links = [link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    return [name.removeprefix("socket:[").removesuffix("]") for name in links if name.startswith("socket:[")]
