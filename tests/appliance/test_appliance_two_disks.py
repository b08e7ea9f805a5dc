"""A second disk in a box, with partitions called as the box's own: it opens its own, and leaves the other alone."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.appliance.appliance import Appliance
from tests.kernel.machine import one_at_a_time

MB = 1 << 20
PARTS = {"esp-a": 1, "esp-b": 1, "root-a": 1, "verity-a": 1, "root-b": 1, "verity-b": 1, "key": 1, "data": 32}
# A device on the command line is made before the box's own disk: it is found first.
BUSES = {
    "virtio": ["-device", "virtio-blk-pci,drive=other"],
    "usb": ["-device", "qemu-xhci", "-device", "usb-storage,drive=other"],
}
MARK = "/data/spool/this-is-mine"
LOOK = f"""
import json, os, subprocess
from pathlib import Path

def said(*words):
    return subprocess.run(words, capture_output=True, text=True).stdout.split()

root = os.stat("/").st_dev
below = Path(f"/sys/dev/block/{{os.major(root)}}:{{os.minor(root)}}/slaves").iterdir()
labels = said("lsblk", "--noheadings", "--list", "--output", "PARTLABEL")
print(json.dumps({{
    "data": json.loads(Path("/run/scopegate-machine/data.json").read_text()),
    "marked": Path({MARK!r}).exists(),
    "number": Path("/etc/machine-id").read_text().strip(),
    "called": sorted(each for each in labels if each in ("key", "data")),
    "root": sorted({{each.resolve().parent.name for each in below}}),
    "names": sorted({{each.resolve().name.rstrip("0123456789") for each in Path("/run/scopegate-disk").iterdir()}}),
    "units": said("systemctl", "is-active", "scopegate-capture", "scopegate-panel"),
}}))
"""


def other_disk(file: Path) -> Path:
    """Make a disk with a box's names: `data` is an empty LUKS of somebody else's, all else is garbage."""
    with file.open("wb") as out:
        out.truncate((sum(PARTS.values()) + 8) * MB)
    table = "label: gpt\n" + "".join(f'name="{name}", size={size}MiB\n' for name, size in PARTS.items())
    subprocess.run(["sfdisk", "--quiet", file], input=table.encode(), check=True)
    luks = file.with_suffix(".luks")
    with luks.open("wb") as out:
        out.truncate(PARTS["data"] * MB)
    words = ["cryptsetup", "luksFormat", "--batch-mode", "--type", "luks2", "--pbkdf", "pbkdf2", "--key-file", "-"]
    subprocess.run([*words, luks], input=b"of somebody else", check=True)
    told = subprocess.run(["sfdisk", "--json", file], capture_output=True, check=True)
    with file.open("r+b") as out:
        for part in json.loads(told.stdout)["partitiontable"]["partitions"]:
            out.seek(part["start"] * 512)
            out.write(luks.read_bytes() if part["name"] == "data" else os.urandom(part["size"] * 512))
    luks.unlink()
    return file


def summed(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def number_of(disk: Path) -> str:
    """Return what a box is called from its second start on: its data partition's number."""
    told = subprocess.run(["sfdisk", "--json", disk], capture_output=True, check=True)
    parts = json.loads(told.stdout)["partitiontable"]["partitions"]
    (uuid,) = [part["uuid"] for part in parts if part["name"] == "data"]
    return str(uuid).replace("-", "").lower()


def plugged(file: Path, bus: str) -> list[str]:
    return ["-drive", f"if=none,id=other,format=raw,file={file}", *BUSES[bus]]


def test_a_box_opens_its_own_data_whatever_else_is_called_so(tmp_path: Path, image: Path) -> None:
    box, other = Appliance(tmp_path / "box", image=image), other_disk(tmp_path / "other.img")
    before = summed(other)
    with one_at_a_time():
        try:
            box.switch_on()
            box.shell(f"touch {MARK}; sync")
            for bus in BUSES:
                box.stop()
                box.extra = plugged(other, bus)
                box.switch_on()
                found = box.python(LOOK)
                print(bus, found)
                assert found["called"] == ["data", "data", "key", "key"], "the other disk was not seen"
                assert (found["data"]["opened"], found["data"]["code"]) == (True, "")
                assert (found["marked"], found["number"]) == (True, number_of(box.disk))
                assert found["names"] == found["root"]
                assert len(found["root"]) == 1
                assert found["units"] == ["active", "active"]
        finally:
            box.stop()
    assert summed(other) == before


@pytest.mark.parametrize("bus", BUSES)
def test_a_new_box_begins_nothing_beside_a_disk_with_data_and_begins_once_it_is_gone(
    tmp_path: Path, image: Path, bus: str
) -> None:
    other = other_disk(tmp_path / "other.img")
    box = Appliance(tmp_path / "box", image=image, extra=plugged(other, bus))
    before = summed(other)
    with one_at_a_time():
        try:
            box.switch_on()
            found = box.python(LOOK)
            assert (found["data"]["code"], found["called"]) == ("two-disks", ["data", "key"])
            assert found["units"] == ["inactive", "inactive"]
            box.stop()
            box.extra = []
            box.switch_on()
            assert box.python(LOOK)["data"]["opened"]
        finally:
            box.stop()
    assert summed(other) == before
