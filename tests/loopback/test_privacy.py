"""A patient who may appear in the spool and in the archive and nowhere else, and listeners on loopback alone."""

import base64
import json
import socket
import struct
import urllib.parse
from pathlib import Path

from tests.box import Box, Refusal, until
from tests.loopback.peers import FaultArchive, StoreScp, WlmScpfs
from tests.loopback.peers.items import worklist_item
from tests.loopback.whole_box import as_destination, as_worklist, today

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
    searched = [box.log, *(path for path in box.runtime.rglob("*") if path.is_file())]
    names = [str(path.relative_to(box.data)).encode() for path in box.data.rglob("*")]
    audit = [path for path in box.data.glob("audit*") if path.is_file()]
    for content in [*(path.read_bytes() for path in [*searched, *audit]), *names]:
        assert not [disguise for disguise in disguises() if disguise in content]
    assert PATIENT_ID.encode() in next(box.data.glob("exams/*/exam.json")).read_bytes()  # the search can find it


def test_every_listener_is_on_loopback_alone(tmp_path: Path) -> None:
    with Box(tmp_path) as box:
        pids = [box.pid(role) for role in ("capture", "forward", "panel")]
        inodes = {link for pid in pids for link in sockets_of(pid)}
        listening = []
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                address, port = words[1].split(":")
                listening.append((socket.inet_ntoa(struct.pack("<L", int(address, 16))), int(port, 16)))
        assert sorted(listening) == sorted([("127.0.0.1", box.port), ("127.0.0.1", box.dicom_port)])
        assert not [w for w in Path("/proc/net/tcp6").read_text(encoding="ascii").split() if w in inodes]


def sockets_of(pid: int) -> list[str]:
    links = [link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    return [name.removeprefix("socket:[").removesuffix("]") for name in links if name.startswith("socket:[")]
