"""Orthanc is asked what it has, by C-FIND and by QIDO-RS: as proof, and in the check of a day."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.spool.opening import open_spool
from tests.box import Box, until
from tests.loopback.peers import Orthanc
from tests.loopback.peers.orthanc import DICOM_WEB
from tests.loopback.whole_box import as_destination

ARRIVED = ("Sent", "Safe in PACS")


def check_of_today(box: Box) -> tuple[int, dict[str, Any]]:
    """Have the archives asked; return how the command ends and what it says."""
    words = ["day", "--ask", "--json", "--config", str(box.config)]
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *words], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, json.loads(done.stdout)


def answers(said: dict[str, Any]) -> list[tuple[str, bool, int, int, list[str]]]:
    """Return what each archive says: whether it was asked, what it was given, has, and has not."""
    (exam,) = said["exams"]
    keys = ("destination", "asked", "given", "found", "lost")
    return [tuple(each[key] for key in keys) for each in exam["archives"]]  # type: ignore[misc]


def let_a_minute_pass(box: Box) -> None:
    """Archives get a minute to file what they stored before it is looked for: let it be over."""
    with closing(open_spool(box.data, clock=Clock())) as spool, spool.database.write() as connection:
        connection.execute("UPDATE delivery SET changed_ns = changed_ns - 60000000000 WHERE state = 'sent'")


def proofs(box: Box, exam: str) -> list[tuple[str, str, str, str]]:
    return sorted((d["destination"], d["fate"], d["proof"], d["code"]) for d in box.deliveries(exam))


def test_what_an_archive_vouched_for_or_was_found_to_have_is_missed_in_the_check_of_the_day(tmp_path: Path) -> None:
    modalities: dict[str, object] = {}
    plugin = {"Plugins": [DICOM_WEB], "DicomWeb": {"Enable": True}}
    archive = Orthanc(tmp_path / "orthanc", DicomModalities=modalities, **plugin)
    url = f"http://127.0.0.1:{archive.http_port}/dicom-web"
    web = {"name": "web", "kind": "stow", "url": url, "query": True, "trust_query": True, "required": False}
    pacs = {**as_destination("pacs", archive), "commitment": True, "query": True}
    box = Box(tmp_path / "box", destinations=[pacs, web])
    modalities["box"] = ["SCOPEGATE", "127.0.0.1", box.dicom_port]
    safe, found = ("pacs", "Safe in PACS", "commitment", ""), ("web", "Found in PACS", "query", "")
    with archive, box:
        exam = box.open_typed()
        lost, _ = (box.still(exam)["sop_instance_uid"] for _ in range(2))
        box.finish(exam)
        until("both to reach it twice", lambda: [each[1] in ARRIVED for each in proofs(box, exam)] == [True] * 4)
        let_a_minute_pass(box)
        until("it to vouch, and to be found to have them", lambda: proofs(box, exam) == [safe] * 2 + [found] * 2)
        ended, said = check_of_today(box)
        assert (ended, answers(said)) == (0, [("pacs", True, 2, 2, []), ("web", True, 2, 2, [])])
        assert said["verdict"] == "Safe in PACS: all 2 pictures of 1 exam."
        archive.delete(lost)
        ended, said = check_of_today(box)
        assert (ended, answers(said)) == (1, [("pacs", True, 2, 1, [lost]), ("web", True, 2, 1, [lost])])
        (line,) = said["exams"]
        assert (line["lost"], line["safe"], line["held"]) == (1, 1, 1)
        assert "pacs DOES NOT HAVE 1 that it was given." in said["verdict"]
        held = {d["sop_instance_uid"] for d in box.deliveries(exam) if d["code"] == "lost-by-archive"}
        assert (held, proofs(box, exam).count(safe), proofs(box, exam).count(found)) == ({lost}, 1, 1)
