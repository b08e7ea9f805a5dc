"""A box that gets new settings, is erased, or whose pictures are carried out: as a person does it, over starts."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import Clock
from tests.appliance.appliance import Appliance
from tests.kernel.machine import one_at_a_time
from tests.rescued import read_on_a_pc

PIN = "402918"
NAME = "Huber"
STICK_BYTES = 512 << 20
COMPARED = 512 << 20  # of the data partition
KEY_SLOTS, DATA = 32 << 10, 16 << 20  # LUKS2: after two headers of 16 kB, until what is encrypted
SLOT_BYTES, BLOCK = 256_000, 4096  # of a key of 64 bytes, 4,000 times as long
UNITS = "scopegate-capture scopegate-forward scopegate-panel scopegate-closed"
ASK = """
import http.client, json, re, urllib.parse
from tests.box import until

def ask(method, path, body=None, cookie=""):
    form = isinstance(body, str)
    headers = {"Origin": "http://127.0.0.1:8080", "Cookie": cookie}
    headers["Content-Type"] = "application/x-www-form-urlencoded" if form else "application/json"
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=120)
    connection.request(method, path, body if form or body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.getheader("set-cookie", "")

def served():
    try:
        return ask("GET", "/api/v1/health")
    except OSError:
        return None

until("an answer", served, 400, pause_s=1)
"""
SET_UP = """
status, text, cookie = ask("POST", "/api/v1/people/first", {"name": "NAME", "pin": "PIN"})
code = json.loads(text)["recovery_code"]
status, text, _ = ask("POST", "/api/v1/people/recovery/confirm", {"last": code[-4:]}, cookie.partition(";")[0])
assert status == 200, text
print(json.dumps(code))
"""
KEEP = """
status, text, _ = ask("POST", "/api/v1/repair/keep", {"name": "NAME", "pin": "PIN"})
print(json.dumps([status, text]))
"""
DESTROY = """
page = ask("GET", "/repair/destroy")[1]
number = re.search(r"type ([0-9]{6})", page)[1]
wrong = ask("POST", "/api/v1/repair/destroy", {"number": "x" + number[1:]})
number = re.search(r"type ([0-9]{6})", ask("GET", "/repair/destroy")[1])[1]
print(json.dumps([wrong[0], *ask("POST", "/api/v1/repair/destroy", {"number": number})[:2]]))
"""
RESCUE_CLOSED = """
first = ask("GET", "/")[1]
ask("POST", "/rescue", urllib.parse.urlencode({"secret": "CODE"}))
print(json.dumps(first))
"""
DESTROY_CLOSED = """
number = re.search(r'class="number">([0-9]{6})<', ask("GET", "/erase")[1])[1]
print(json.dumps(ask("POST", "/erase", urllib.parse.urlencode({"secret": number}))[0]))
"""
HAS_ADMINISTRATOR = """
print(json.dumps(json.loads(ask("GET", "/api/v1/session")[1])["has_administrator"]))
"""


class Box(Appliance):
    """A box with an empty stick in it, which ends where it would start anew."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.stick = folder / "stick.img"
        folder.mkdir(parents=True, exist_ok=True)
        with self.stick.open("wb") as out:
            out.truncate(STICK_BYTES)
        subprocess.run(["mkfs.vfat", "-F", "32", self.stick], check=True, stdout=subprocess.DEVNULL)
        words = ["-device", "qemu-xhci", "-drive", f"if=none,id=stick,file={self.stick},format=raw"]
        super().__init__(folder, image=image, extra=[*words, "-device", "usb-storage,drive=stick"])
        self.picture = Clock().token(64)  # what nothing else on a disk says

    def said(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.shell(f"cat /run/scopegate-machine/{name}.json || echo '{{}}'")))

    def do(self, text: str, code: str = "") -> Any:
        return self.python(ASK + text.replace("NAME", NAME).replace("PIN", PIN).replace("CODE", code))

    def set_up(self) -> str:
        """Make an administrator, a picture and a setting; return the recovery code, which was written down."""
        code = str(self.do(SET_UP))
        assert self.said("data")["recovery_code"] != ""
        self.shell(f"echo {self.picture} > /data/spool/picture")
        self.shell("echo '# of-this-box' >> /data/settings/scopegate.toml; sync")
        return code

    def until_it_is_back(self) -> None:
        self.until_it_restarts(600)
        self.switch_on()

    def until_repair_says(self, code: str) -> None:
        """Wait for it, and show what was said instead."""
        is_said = f'grep -q \'"code": "{code}"\' /run/scopegate-machine/repair.json'
        looks = f"for i in $(seq 1 300); do {is_said} && exit; sleep 2; done"
        tells = "cat /run/scopegate-machine/repair.json; journalctl -b -u scopegate-repair; exit 1"
        self.shell(f"{looks}; {tells}", silence_s=700)

    def opens(self, code: str) -> bool:
        test = "cryptsetup open --test-passphrase --key-file - /dev/disk/by-partlabel/data"
        return self.shell(f"printf %s {code} | {test} >/dev/null 2>&1 && echo yes || echo no").strip() == "yes"

    def active(self) -> list[str]:
        self.shell("systemctl is-system-running --wait || true", silence_s=400)
        return self.shell(f"systemctl is-active {UNITS} || true").split()

    def rescued(self, code: str, place: Path) -> tuple[Path, str]:
        """Read the stick on a PC."""
        (place / "stick").mkdir(parents=True)
        subprocess.run(["mcopy", "-s", "-i", self.stick, "::/", place / "stick"], check=True)
        return read_on_a_pc([place / "stick"], code, place / "pc")

    def opening(self) -> set[bytes]:
        """Return the blocks on the disk from which the key of the partition is made (LUKS2: key slots)."""
        start, _ = self.partition("data")
        with self.disk.open("rb") as disk:
            disk.seek(start + KEY_SLOTS)
            raw = disk.read(DATA - KEY_SLOTS)
        return {raw[at : at + BLOCK] for at in range(0, len(raw), BLOCK)} - {bytes(BLOCK)}

    def beginning(self) -> str:
        """Return the digest of what the data partition begins with, of a box that is switched off."""
        start, _ = self.partition("data")
        with self.disk.open("rb") as disk:
            disk.seek(start)
            return hashlib.sha256(disk.read(COMPARED)).hexdigest()


@pytest.fixture
def box(image: Path, tmp_path: Path) -> Iterator[Box]:
    with one_at_a_time():
        made = Box(tmp_path / "box", image)
        try:
            yield made
        finally:
            print(made.last_words())
            made.stop()


def is_new(box: Box, code: str, before: set[bytes]) -> None:
    """Check that nothing of what the box was is on it, and that it works. before: what made its key."""
    assert box.active() == ["active", "active", "active", "inactive"]
    said = box.said("data")
    assert (said["opened"], said["guard"], said["recovery_code"]) == (True, "none", "")
    assert not box.opens(code)
    assert box.do(HAS_ADMINISTRATOR) is False
    assert "picture" not in box.shell("ls /data/spool")
    assert "of-this-box" not in box.shell("cat /etc/scopegate/scopegate.toml")
    assert len(before) * BLOCK > 2 * SLOT_BYTES, "the box's own key and the recovery code"
    assert box.opening().isdisjoint(before)


def test_settings_are_made_new_pictures_are_rescued_without_a_panel_and_the_box_is_erased(
    box: Box, tmp_path: Path
) -> None:
    box.switch_on()
    code = box.set_up()
    assert box.do(KEEP)[0] == 200
    box.until_it_is_back()

    assert box.active() == ["active", "active", "active", "inactive"]
    assert box.do(HAS_ADMINISTRATOR) is False
    assert box.shell("cat /data/spool/picture") == f"{box.picture}\n"
    assert "of-this-box" not in box.shell("cat /etc/scopegate/scopegate.toml")
    assert box.shell("ls /data/new-settings 2>&1 || true").count("No such file") == 1
    assert box.opens(code)

    box.shell("mkdir -p /run/systemd/system/scopegate-panel.service.d")
    box.unpack_text(
        "/run/systemd/system/scopegate-panel.service.d/sick.conf", "[Service]\nExecStart=\nExecStart=/bin/false"
    )
    box.shell("systemctl daemon-reload; systemctl restart scopegate-panel || true")
    box.until_repair_says("panel-gone")
    assert "panel-gone" in box.do(RESCUE_CLOSED, code)
    box.until_repair_says("rescued")
    capture, forward, panel, closed = box.active()
    assert (capture, forward, closed) == ("inactive", "inactive", "active")
    assert panel != "active"
    assert box.shell("findmnt -n /media/usb || true") == ""
    box.pull_the_plug()
    out, words = box.rescued(code, tmp_path / "first")
    print(words)
    assert (out / "spool/picture").read_text() == f"{box.picture}\n"
    assert (out / "spool/audit.jsonl").exists()
    assert "DAMAGED" not in words

    before = box.opening()
    box.switch_on()
    wrong, status, text = box.do(DESTROY)
    assert (wrong, status) == (403, 200), text
    box.until_it_is_back()
    is_new(box, code, before)


def test_a_box_whose_file_system_is_damaged_gives_its_pictures_is_not_changed_and_can_be_erased(
    box: Box, tmp_path: Path
) -> None:
    box.switch_on()
    code = box.set_up()
    box.shell("dd if=/dev/zero of=/dev/mapper/data bs=4096 count=1 conv=fsync,notrunc 2>/dev/null")
    box.pull_the_plug()
    before, opening = box.beginning(), box.opening()

    box.switch_on()
    assert box.said("data")["code"] == "data-damaged"
    assert "data-damaged" in box.do(RESCUE_CLOSED, code)
    box.until_repair_says("rescued")
    box.pull_the_plug()
    assert box.beginning() == before
    out, words = box.rescued(code, tmp_path / "second")
    print(words)
    assert (out / "spool/picture").read_text() == f"{box.picture}\n"
    assert "DAMAGED" not in words

    box.switch_on()
    assert box.said("data")["code"] == "data-damaged"
    assert box.do(DESTROY_CLOSED) == 503
    box.until_it_is_back()
    is_new(box, code, opening)
