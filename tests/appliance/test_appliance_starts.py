"""A new box: it starts from what was built alone, takes an exam, and has it after the plug was pulled."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.appliance.appliance import HOST, Appliance
from tests.appliance.cut_box import CutBox
from tests.box import configuration
from tests.kernel.machine import MachineFailed, one_at_a_time
from tests.loopback.peers.dcmtk import StoreScp

CARELESS = "/data/careless"
READY = """
import http.client, json
from tests.box import Panel, Refusal, until

def ready():
    try:
        return all(source["state"] == "live" for source in panel.get("/health")["sources"])
    except (OSError, http.client.HTTPException, Refusal):
        return False

panel = Panel(8080)
until("the box to be ready", ready, 400, pause_s=1)
"""
EXAM = """
exam = panel.open_typed()
stills = [panel.still(exam)["sop_instance_uid"] for _ in range(2)]
panel.finish(exam)
panel.until_delivered(exam, 2, deadline_s=200)
print(json.dumps({"stills": stills}))
"""
# What nobody flushed is written after what has to stay, and the plug is pulled at once.
KEPT = f"""
from pathlib import Path
other = panel.open_typed("Roe^Max", "P2")
kept = panel.still(other)["sop_instance_uid"]
Path("{CARELESS}").write_bytes(bytes(4096))
print(json.dumps({{"other": other, "kept": kept}}))
"""
PICTURES = """
print(json.dumps([capture["sop_instance_uid"] for capture in panel.get("/exams/{exam}")["captures"]]))
"""


class Lives(NamedTuple):
    """What was seen of one box: before the plug was pulled, after, and after it was pulled once more.

    The grabber is plugged in after the processes were started.
    """

    archive: StoreScp
    exam: dict[str, Any]
    first: dict[str, str]
    second: dict[str, str]
    third: dict[str, str]
    kept: list[str]
    careless: str  # how many bytes are there of what nobody flushed


PATTERN = {"name": "us", "device": "pattern:ultrasound", "modality": "US"}
GRABBER = {  # the kernel's own (vivid), small enough for an emulated processor
    "name": "us",
    "device": "v4l2:/dev/v4l/by-path/platform-vivid.0-video-index0",
    "input": "0",
    "size": [320, 180],
    "rate": 10,
    "modality": "US",
}
PLUG_IN = "modprobe vivid n_devs=1 node_types=1"


def configuration_for(archive: StoreScp, source: dict[str, Any] = PATTERN) -> str:
    pacs = {"name": "pacs", "host": HOST, "port": archive.port, "ae_title": archive.ae_title}
    return configuration(
        [("[panel]", {"listen": "127.0.0.1:8080"}), ("[[source]]", source), ("[[destination]]", pacs)]
    )


def look(box: Appliance) -> dict[str, str]:
    """Return what the machine says of itself."""
    asked = {
        "root": "findmnt -no SOURCE,FSTYPE,OPTIONS /",
        "verity": "veritysetup status root",
        "slot": "cat /run/scopegate-slot",
        "data": "cryptsetup status data",
        "mounts": "findmnt -rno TARGET,SOURCE,FSTYPE",
        "failed": "systemctl --failed --no-legend --plain",
        "time": "systemd-analyze | head -1",
        "chain": "systemd-analyze critical-chain --no-pager scopegate.target",
        "blame": "systemd-analyze blame --no-pager | head -20",
        "number": "cat /etc/machine-id",
        "active": "systemctl is-active scopegate-capture scopegate-forward scopegate-panel | sort | uniq -c",
    }
    return {name: box.shell(f"{command} 2>&1 || true").strip() for name, command in asked.items()}


@pytest.fixture(scope="module")
def lives(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    folder = tmp_path_factory.mktemp("box")
    with one_at_a_time(), StoreScp(tmp_path_factory.mktemp("archive")) as archive:
        box = CutBox(folder, image=image)
        try:
            box.switch_on()
            box.configure(configuration_for(archive, GRABBER))
            box.shell(PLUG_IN)
            exam = box.python(READY + EXAM)
            first = look(box)
            exam |= box.python(READY + KEPT)
            box.pull_the_plug()
            box.switch_on()
            careless = box.shell(f"stat -c %s {CARELESS} 2>/dev/null || true").strip()
            second = look(box)
            box.pull_the_plug()
            box.switch_on()
            box.shell(PLUG_IN)
            kept = box.python(READY + PICTURES.format(exam=exam["other"]))
            third = look(box)
        finally:
            print(box.last_words())
            box.stop()
        for said in (first, second, third):
            print("\n".join(f"{name}: {text}" for name, text in said.items()))
        yield Lives(archive, exam, first, second, third, kept, careless)


def test_the_root_is_read_through_its_hashes(lives: Lives) -> None:
    assert "/dev/mapper/root erofs ro" in lives.first["root"]
    assert "verified" in lives.first["verity"]
    assert lives.first["slot"] == "a"


def test_every_unit_of_a_new_box_came_up(lives: Lives) -> None:
    assert lives.first["failed"] == ""
    assert lives.first["active"] == "3 active"
    assert lives.second["failed"] == ""


def test_an_exam_with_pictures_of_a_grabber_reaches_the_archive(lives: Lives) -> None:
    first, second = lives.exam["stills"]
    assert lives.archive.has(first)
    assert lives.archive.has(second)


def test_what_patients_gave_lies_on_the_encrypted_partition(lives: Lives) -> None:
    assert "LUKS2" in lives.first["data"]
    for folder in ("/var/lib/scopegate", "/etc/scopegate", "/var/log/journal"):
        assert f"{folder} /dev/mapper/data[" in lives.first["mounts"]
    assert "/var tmpfs" in lives.first["mounts"]


def test_a_picture_is_there_after_the_plug_was_pulled(lives: Lives) -> None:
    assert lives.kept == [lives.exam["kept"]]
    assert lives.careless in {"", "0"}  # the disk's cache was lost with the power


def test_a_box_has_one_number_from_its_second_start_on(lives: Lives) -> None:
    assert len(lives.second["number"]) == 32
    assert lives.second["number"] == lives.third["number"] != lives.first["number"]


def test_a_root_of_which_one_byte_was_changed_does_not_start(image: Path, tmp_path: Path) -> None:
    box = Appliance(tmp_path, image=image)
    box.change_a_byte_of("root-a")
    try:
        with one_at_a_time(), pytest.raises(MachineFailed, match="the machine ended"):
            box.start(stays=False)
    finally:
        box.stop()
    assert "data block 0 is corrupted" in box.console.read_text(errors="replace")
