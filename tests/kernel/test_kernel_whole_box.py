"""The whole product on Debian's kernel, with a data folder on ext4 and a pedal on a USB port."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box import Box, until
from tests.kernel.boxes import captures, running
from tests.kernel.films import film
from tests.kernel.gadgets import SerialPedal


@pytest.fixture
def box(tmp_path: Path, serial_pedal: SerialPedal) -> Iterator[Box]:
    trigger = {
        "kind": "serial",
        "device": serial_pedal.device,
        "source": "us",
        "still": "byte:0x53",
        "clip": "byte:0x43",
    }
    film(tmp_path / "film.avi")
    source = {"name": "us", "device": f"file:{tmp_path / 'film.avi'}", "modality": "US"}
    with running(tmp_path, sources=[source], triggers=[trigger]) as box:
        yield box


def test_a_pedal_takes_stills_before_and_after_it_was_pulled_out(box: Box, serial_pedal: SerialPedal) -> None:
    kind = subprocess.run(["stat", "-f", "-c", "%T", box.data], capture_output=True, text=True, check=True)
    assert kind.stdout.strip() == "ext2/ext3"  # stat's name for ext4
    exam = box.open_typed()
    serial_pedal.press()
    until("the still", lambda: len(captures(box, exam)) == 1)
    serial_pedal.unplug()
    until("the box to miss the pedal", lambda: "pedal_gone" in box.log.read_text(encoding="utf-8"))
    serial_pedal.plug()
    until("the box to have it again", lambda: box.log.read_text(encoding="utf-8").count("pedal_connected") == 2)
    serial_pedal.press()
    until("the second still", lambda: len(captures(box, exam)) == 2)
    box.finish(exam)
    until("both to be sealed", lambda: len(list(box.data.glob("exams/*/*.dcm"))) == 2)
    assert [capture["instance_number"] for capture in captures(box, exam)] == [1, 2]
    doctor = subprocess.run(
        [sys.executable, "-m", "gateway", "doctor", "--json", "--config", str(box.config)],
        capture_output=True,
        text=True,
        check=False,
    )
    findings = {finding["what"]: finding for finding in json.loads(doctor.stdout)}
    assert [finding["ok"] for what, finding in findings.items() if what.startswith("pedal ")] == [True]
    assert findings["source us"]["ok"] is True
    assert any(what.startswith("serial adapter /dev/ttyACM") for what in findings)
    assert [what for what, finding in findings.items() if finding["ok"] is False] in ([], ["clock"])
