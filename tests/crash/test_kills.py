"""kill -9 of random processes at random moments: no acknowledged capture is lost, doubled or given away.

The box is started as on a PC (`scopegate run`), and makes H.264 of its clips. test_kill_steps.py kills far more
often, at named steps.
"""

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pydicom
import pytest

from tests.box import Box, until
from tests.crash.killing import Part, note, noted
from tests.crash.technician import PATIENCE_S, Technician
from tests.loopback.peers import StoreScp

ROLES = ("capture", "forward", "panel")
WHOLE_STARTS = 20  # kills of this test; the others of --kills are test_kill_steps.py's


def test_no_acknowledged_capture_is_lost_to_kills(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    kills = min(WHOLE_STARTS, request.config.getoption("--kills"))
    seed, results = request.config.getoption("--seed"), request.config.getoption("--results")
    if results and any(known.seed == seed for known in noted(Path(results))):
        pytest.skip("this part was done before and stands in the file of results")
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
        source = {"name": "us", "device": "pattern:ultrasound", "modality": "US", "clip": "h264"}
        with Box(tmp_path / "box", sources=[source], destinations=[destination]) as box:
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
        if results:
            named = {f"{role} while {step}": count for (role, step), count in hits.items()}
            done = Part(
                seed=seed, kills=kills, hits=named, acknowledged=len(technician.owners), arrived=len(arrived)
            )
            note(Path(results), done)
