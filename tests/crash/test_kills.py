"""kill -9 of random processes at random moments: no acknowledged capture is lost, doubled or given away.

`pytest tests/crash/test_kills.py -s --kills=100` is the long run. A kill keeps the page cache, so this proves
nothing about fsync: test_power_cut*.py does.
"""

import http.client
import random
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import pydicom
import pytest

from tests.box import Box, Refusal, until
from tests.loopback.peers import StoreScp

ROLES = ("capture", "forward", "panel")
PATIENCE_S = 60.0


class Technician:
    """Works through exams; repeats every call that got no answer, with the same request id, as the panel does."""

    def __init__(self, box: Box, chance: random.Random) -> None:
        self.box = box
        self.chance = chance
        self.step = "between exams"
        self.stop = threading.Event()
        self.owners: dict[str, str] = {}  # acknowledged SOP Instance UID: PatientID
        self.exams: list[str] = []
        self.error: BaseException | None = None

    def work(self) -> None:
        try:
            number = 0
            while not self.stop.is_set():
                number += 1
                self.exam(f"P{number}")
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.error = error

    def exam(self, patient_id: str) -> None:
        self.step = "opening"
        patient = {"name": f"Test^{patient_id}", "id": patient_id, "birth_date": "19700102", "sex": "F"}
        exam = str(self.insist("/exams", {"patient": patient})["id"])
        self.exams.append(exam)
        for _ in range(self.chance.randint(1, 4)):
            self.step = "still"
            self.note(self.insist(f"/exams/{exam}/stills", {})["sop_instance_uid"], patient_id)
        if self.chance.random() < 0.6:
            self.clip(exam, patient_id)
        self.step = "finishing"
        self.until_finished(exam)

    def clip(self, exam: str, patient_id: str) -> None:
        self.step = "clip"
        clip = str(self.insist(f"/exams/{exam}/clips", {})["clip"])
        self.note(clip, patient_id)
        time.sleep(self.chance.uniform(0.1, 1.0))  # the clip's length
        self.step = "stopping the clip"
        parts = self.insist(f"/clips/{clip}/stop")["sop_instance_uids"]
        assert parts == [clip]

    def until_finished(self, exam: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.box.finish(exam)
            except (OSError, http.client.HTTPException, Refusal):
                assert time.monotonic() < end, "an exam cannot be finished"
            try:
                if self.box.get(f"/exams/{exam}")["state"] != "open":
                    return
            except (OSError, http.client.HTTPException, Refusal):
                pass
            time.sleep(0.05)

    def insist(self, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        """Ask until there is an answer; 5xx and a broken connection mean: nobody knows, so ask the same again."""
        asked = {} if body is None else {"request_id": str(uuid.uuid4()), **body}
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.box.post(path, asked)
            except (OSError, http.client.HTTPException) as error:
                last: object = error
            except Refusal as refusal:
                if refusal.status < 500 and refusal.status != 429:
                    raise
                last = refusal
            assert time.monotonic() < end, f"no answer to {path.rsplit('/', 1)[-1]}: {last!r}"
            time.sleep(0.05)

    def note(self, uid: object, patient_id: str) -> None:
        self.owners[str(uid)] = patient_id


def test_no_acknowledged_capture_is_lost_to_kills(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    kills, seed = request.config.getoption("--kills"), request.config.getoption("--seed")
    chance = random.Random(seed)
    hits: Counter[tuple[str, str]] = Counter()
    with StoreScp(tmp_path / "archive", "+xa") as archive:
        destination = {
            "name": "pacs",
            "ae_title": archive.ae_title,
            "host": "127.0.0.1",
            "port": archive.port,
            "commitment": False,
        }
        with Box(tmp_path / "box", destinations=[destination]) as box:
            technician = Technician(box, random.Random(seed + 1))
            at_work = threading.Thread(target=technician.work, name="technician")
            at_work.start()
            for _ in range(kills):
                time.sleep(chance.uniform(0.05, 1.5))  # the random moment
                role = chance.choice(ROLES)
                step = technician.step
                old = box.kill(role)
                hits[role, step] += 1
                until(f"{role} to be back", lambda r=role, o=old: box.pid(r) not in {0, o})
                if technician.error:
                    break
            technician.stop.set()
            at_work.join(PATIENCE_S * 2)
            for (role, step), count in sorted(hits.items()):
                print(f"killed {role:8} while {step:18} {count}")
            assert technician.error is None, repr(technician.error)
            assert sum(hits.values()) == kills
            for exam in technician.exams:
                if box.get(f"/exams/{exam}")["please_check"]:
                    box.post(f"/exams/{exam}/confirm")
            until("everything to arrive", lambda: archive.count() >= len(technician.owners), 120)
            kept = {c["sop_instance_uid"] for e in technician.exams for c in box.get(f"/exams/{e}")["captures"]}
        arrived = {file.name.split(".", 1)[1]: file for file in archive.received.iterdir()}
        print(f"{kills} kills, seed {seed}: {len(technician.owners)} acknowledged, {len(arrived)} arrived")
        assert kept == set(technician.owners), "the box holds what nobody asked for, or lost what it acknowledged"
        assert set(arrived) == set(technician.owners)
        for uid, file in arrived.items():
            data = pydicom.dcmread(file)
            assert (data.SOPInstanceUID, data.PatientID) == (uid, technician.owners[uid])
            (sealed,) = box.data.glob(f"exams/*/{uid}.dcm")
            assert data.PixelData == pydicom.dcmread(sealed).PixelData
