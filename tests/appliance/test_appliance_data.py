"""A box whose data partition is full, damaged or gone: it starts, says so on its screen, and touches nothing."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.appliance.appliance import Appliance
from tests.appliance.cuts import Place, looked
from tests.kernel.machine import one_at_a_time

_LOOK = """
import http.client, json
from tests.box import until

def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    return [answer.status, answer.read().decode()]

def served():
    try:
        return ask("GET", "/")
    except OSError:
        return None

page = until("a page", served, 400, pause_s=1)
asked = '{"emergency": true, "request_id": "0b7f6a2e-3a53-4d2c-9d2b-0d4f3c1a5e10"}'
exam = ask("POST", "/api/v1/exams", asked)
print(json.dumps({"page": page, "health": ask("GET", "/api/v1/health"), "exam": exam}))
"""
_PRESS = """
import json
from tests.box import Panel, Refusal
panel = Panel(8080)
opened = [exam["id"] for exam in panel.get("/exams")["exams"] if exam["state"] == "open"]
try:
    panel.still(opened[0] if opened else panel.open_typed())
    print(json.dumps(0))
except Refusal as refusal:
    print(json.dumps(refusal.status))
"""
_FULL = "doctor: disk"  # what a box with a full disk has to say, and all that it may
_SIZE = 512 << 20  # of the data partition's beginning that is compared
_HEADER = 1 << 20  # of LUKS2: both copies of its header are in there


@pytest.fixture(scope="module")
def used(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a box that took pictures; nobody starts it again."""
    place = Place(tmp_path_factory.mktemp("used"), image)
    with place.archive(), one_at_a_time(), place.stopped():
        place.first_start()
        place.box.switch_on()
        asked = json.dumps({"seed": 1, "day": 1, "way": "exams"})
        for report in place.box.until_cut(20, "at_work", asked):
            place.story.hear(report)
    assert place.story.captures
    place.keep()
    return place.folder


def another(used: Path, folder: Path, image: Path) -> Place:
    """Return a box with the same disk."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("disk.img", "variables.fd", "story.json"):
        subprocess.run(["cp", "--sparse=always", used / name, folder], check=True)
    shutil.copytree(used / "archive", folder / "archive")
    return Place(folder, image)


def zero(box: Appliance, partition: str, size: int) -> None:
    """Write zeros over the beginning of a partition."""
    start, _ = box.partition(partition)
    with box.disk.open("r+b") as disk:
        disk.seek(start)
        disk.write(bytes(size))


def beginning(box: Appliance, start: int) -> str:
    with box.disk.open("rb") as disk:
        disk.seek(start)
        return hashlib.sha256(disk.read(_SIZE)).hexdigest()


def without_header(box: Appliance) -> None:
    zero(box, "data", _HEADER)


def without_key(box: Appliance) -> None:
    zero(box, "key", 1 << 20)


def without_partition(box: Appliance) -> None:
    _, number = box.partition("data")
    subprocess.run(["sfdisk", "--delete", box.disk, str(number)], check=True, capture_output=True)


def without_superblock(box: Appliance) -> None:
    """Only the box itself can get below its encryption."""
    box.switch_on()
    box.shell("dd if=/dev/zero of=/dev/mapper/data bs=4096 count=1 conv=fsync,notrunc 2>/dev/null")
    box.stop()


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (without_header, "data-damaged"),
        (without_key, "key-gone"),
        (without_partition, "data-missing"),
        (without_superblock, "data-damaged"),
    ],
)
def test_a_box_that_cannot_open_its_data_starts_says_so_and_leaves_them_as_they_are(
    used: Path, tmp_path: Path, image: Path, damage: Callable[[Appliance], None], code: str
) -> None:
    place = another(used, tmp_path / "box", image)
    start, _ = place.box.partition("data")
    with one_at_a_time(), place.stopped():
        damage(place.box)
        before = beginning(place.box, start)
        place.box.switch_on()
        said = place.box.python(_LOOK)
        units = place.box.shell("systemctl is-active scopegate-closed scopegate-capture scopegate-panel || true")
    print(said["health"])
    assert [status for status, _ in said.values()] == [503, 503, 503]
    assert json.loads(said["health"][1])["code"] == code
    assert f"<code>{code}</code>" in said["page"][1]
    assert ("<form" in said["page"][1]) == (code == "key-gone")
    assert json.loads(said["exam"][1])["code"] == code
    assert units.split() == ["active", "inactive", "inactive"]
    assert beginning(place.box, start) == before


def test_a_box_whose_disk_is_full_starts_says_so_and_has_what_it_had(
    used: Path, tmp_path: Path, image: Path
) -> None:
    place = another(used, tmp_path / "box", image)
    with place.archive(), one_at_a_time(), place.stopped():
        place.box.switch_on()
        place.box.shell("dd if=/dev/zero of=/data/filled bs=1M 2>/dev/null || true; sync", silence_s=400)
        place.box.stop()
        place.box.switch_on()
        full = looked(place, everything=True, full=True)
        pressed = place.box.python(_PRESS)
        place.box.shell("rm /data/filled")
        again = looked(place, everything=True)
        pressed_again = place.box.python(_PRESS)
    assert full.lost == again.lost == []
    assert full.wrong
    assert [each for each in full.wrong if not each.startswith(_FULL)] == []
    assert again.wrong == []
    assert full.machine["active"] == ["active"] * 3
    assert (pressed, pressed_again) == (507, 0)
