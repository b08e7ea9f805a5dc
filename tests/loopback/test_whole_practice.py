"""The whole practice, as the unit starts it: beside the box, for TEST patients, and nothing of it is left."""

import json
import signal
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.box import until

CONFIG = """\
config_version = 1
[station]
name = "REAL-BOX"
data_dir = "{root}/data"
runtime_dir = "{root}/run"
[panel]
listen = "127.0.0.1:18090"
practice = true
language = "de"
[[source]]
name = "ultrasound"
device = "pattern:ultrasound"
modality = "US"
[[destination]]
name = "pacs"
ae_title = "PACS"
host = "10.11.12.13"
port = 104
"""


def ask(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(address, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("end", ["screen", "signal"])
def test_practice_takes_pictures_of_test_patients_and_leaves_nothing(tmp_path: Path, end: str) -> None:
    root = tmp_path / "b"
    (root / "run").mkdir(parents=True)
    (root / "run" / "practice").mkdir()
    (root / "run" / "practice" / "left-by-an-earlier-one").touch()
    (root / "run" / "practice-wanted").touch()
    config = root / "c.toml"
    config.write_text(CONFIG.format(root=root))
    log = (root / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "practice", "--config", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    try:
        place = root / "run" / "practice-address"
        until("practice to say where it is", place.exists, 60)
        assert not (root / "run" / "practice-wanted").exists()
        assert not (root / "run" / "practice" / "left-by-an-earlier-one").exists()
        address = place.read_text().strip() + "/api/v1"
        items = until("the worklist", lambda: ask(f"{address}/worklist")["items"], 60)
        assert {item["patient"]["name"][:5] for item in items} == {"TEST-"}
        assert {item["patient"]["id"][:5] for item in items} == {"TEST-"}
        number = ask(f"{address}/exams", {"worklist_item": items[0]["id"], "request_id": str(uuid.uuid4())})["id"]
        ask(f"{address}/exams/{number}/stills", {})
        ask(f"{address}/exams/{number}/finish", {})
        until("its picture to be stored", lambda: ask(f"{address}/exams/{number}")["stills"] == 1)
        assert ask(f"{address}/deliveries")["deliveries"] == []
        if end == "screen":
            assert ask(f"{address}/practice/end", {})["address"] == "http://127.0.0.1:18090"
        else:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        log.close()
    assert sorted(path.name for path in (root / "run").iterdir()) == []
    assert not (root / "data").exists(), "the real box's pictures are none of its business"
