"""What is plugged into a box: in for its use alone, silent until somebody lets it in; and sticks of all kinds."""

import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import pydicom
import pytest

from gateway.forward.media.settings_files import LARGEST
from tests.appliance.received import digest_of
from tests.appliance.screen import Picture, same
from tests.appliance.sockets import FakeSize, Sockets, fat
from tests.appliance.test_appliance_product import WAYS_OUT
from tests.appliance.test_appliance_starts import READY
from tests.box import configuration
from tests.kernel.machine import one_at_a_time

PLACE = "/media/usb"
KEYS = ("a", "b", "ret")
LISTEN_S = 8
# Hears every event of USB and PS/2 for some seconds.
LISTENS = f"""
import json, os, select, struct, time
from pathlib import Path
fds = []
for entry in Path("/sys/class/input").glob("event*"):
    if (entry / "device/id/bustype").read_text().strip() in ("0003", "0011"):
        fds.append(os.open(f"/dev/input/{{entry.name}}", os.O_RDONLY | os.O_NONBLOCK))
Path("/run/listens").touch()
heard, end = {{1: 0, 3: 0}}, time.monotonic() + {LISTEN_S}
while (left := end - time.monotonic()) > 0:
    for fd in select.select(fds, [], [], left)[0]:
        data = os.read(fd, 24 * 64)
        for at in range(0, len(data), 24):
            kind = struct.unpack_from("<qqHHi", data, at)[2]
            heard[kind] = heard.get(kind, 0) + 1
Path("/run/heard").write_text(json.dumps({{"keys": heard[1], "points": heard[3]}}))
"""
TOLD = """
import json
from pathlib import Path
from tests.box import Panel, Refusal, until

def told():
    return json.loads(Path("/run/scopegate-machine/usb.json").read_text())["devices"]
"""
STATE = (
    TOLD
    + """
def there():
    return [each for each in told() if each["port"] == {port!r}]

until("it to be seen", there, 60, pause_s=0.2)
found = until("it to be judged", lambda: [each for each in there() if each["state"] == {state!r}], 30, pause_s=0.2)
print(json.dumps(found[0]))
"""
)
LETS_IN = (
    TOLD
    + """
panel = Panel(8080)
(key,) = [each["key"] for each in told() if each["port"] == {port!r}]
panel.post("/devices/usb", {{"do": "let-in", "device": key}})
until("it to be in", lambda: [each for each in told() if each["key"] == key and each["state"] == "in"], 60)
print(json.dumps(Path("/etc/scopegate/usb.json").read_text()))
"""
)
DRIVERS = """
import json, subprocess
from tests.unit.machine import usb_table
said = {}
for modalias, drivers in usb_table.DRIVERS.items():
    found = subprocess.run(["modprobe", "-R", modalias], capture_output=True, text=True).stdout.split()
    if set(found) != drivers:
        said[modalias] = found
print(json.dumps(said))
"""
EXPORTS = (
    TOLD
    + """
panel = Panel(8080)
until("a stick", lambda: Path({place!r}).is_mount(), 60, pause_s=0.2)
# What waits for this destination is written on the first stick by itself.
sent = lambda: {{each["state"] for each in panel.deliveries({exam!r})}} == {{"sent"}}
until("it to be sent", sent, 300, pause_s=1)
asked = panel.create("/exports", {{"exams": [{exam!r}], "destination": "stick"}})["id"]
done = until(
    "the export to end",
    lambda: [said for said in [panel.get(f"/exports/{{asked}}")] if said["state"] in ("done", "failed")],
    300, pause_s=1,
)
print(json.dumps({{"state": done[0]["state"], "code": done[0]["code"], "action": done[0]["action"]}}))
"""
)
# The first administrator stays signed in: only they may read settings from a stick.
READS_SETTINGS = """
import http.client, json, subprocess
from pathlib import Path
from tests.box import until
kept, here = Path("/run/session"), Path("/etc/scopegate")
RESTARTS = ["systemctl", "show", "-P", "NRestarts", "scopegate-panel"]

def ask(path, body=None):
    front = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
    headers = {{"Content-Type": "application/json", **({{"Cookie": kept.read_text()}} if kept.exists() else {{}})}}
    front.request("POST" if body else "GET", f"/api/v1{{path}}", json.dumps(body) if body else None, headers)
    answer = front.getresponse()
    if cookie := answer.getheader("Set-Cookie"):
        kept.write_text(cookie.partition(";")[0])
    return json.loads(answer.read())

if not kept.exists():
    ask("/people/first", {{"name": "Huber", "pin": "402918"}})
until("a stick", lambda: Path({place!r}).is_mount(), 60, pause_s=0.2)
read = ask("/settings/stick/import", {{"destination": "stick"}})
file = {{"file": read["content"]}}  # it was read, and nobody has looked into it yet
looked = ask("/settings/import/check", file)
taken = ask("/settings/import", {{**file, "revision": ask("/settings/state")["revision"]}})
print(json.dumps({{
    "looked": looked.get("code", ""),
    "code": taken.get("code", ""),
    "restarts": subprocess.check_output(RESTARTS, text=True).strip(),
    "settings": (here / "scopegate.toml").read_text(),
    "files": " ".join(sorted(str(each) for each in here.rglob("*") if "people" not in each.name)),
}}))
"""
CAPTURES = (
    TOLD
    + """
import hashlib
panel = Panel(8080)
found = [capture["sop_instance_uid"] for capture in panel.get("/exams/{exam}")["captures"]]
media = {{uid: panel.request("GET", f"/captures/{{uid}}/media") for uid in found}}
print(json.dumps({{uid: hashlib.sha256(raw).hexdigest() for uid, (status, raw) in media.items() if status == 200}}))
"""
)
BY_HAND = """
set -e
systemctl stop scopegate-usb
device=/sys/bus/usb/devices/{port}
echo 1 > $device/authorized
for part in $device/{port}:*; do echo 1 > $part/authorized; done
modprobe -a rndis_host cdc_ether
for part in $device/{port}:*; do echo ${{part##*/}} > /sys/bus/usb/drivers_probe || true; done
udevadm settle
ls /sys/class/net
"""
SETTINGS = configuration(
    [
        ("[panel]", {"listen": "127.0.0.1:8080", "kiosk": True}),
        ("[[source]]", {"name": "us", "device": "pattern:ultrasound", "modality": "US"}),
        ("[[destination]]", {"name": "stick", "kind": "media", "folder": PLACE, "required": False}),
    ]
)


class Seen(NamedTuple):
    defaults: str
    verified: str
    drivers: dict[str, list[str]]
    tablet: dict[str, Any]
    pointed: dict[str, int]
    keyboard: dict[str, Any]
    silent: dict[str, int]
    listed: str
    typed: dict[str, int]
    starts: list[str]  # before and after keys by which somebody might get out
    screens: list[Picture]  # before a key that is heard, after it, and after those by which somebody might get out
    network: dict[str, Any]
    networks: list[str]  # before, with it, by hand, after
    sticks: dict[str, dict[str, str]]
    second: list[str]  # what is at the place of a stick: beside another one, and once that was pulled out
    stills: list[str]
    kept: dict[str, str]  # digests of what is there in the end
    failed: str
    stick: Path  # what the good stick holds


def settings_file(*members: tuple[str | zipfile.ZipInfo, str | bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a file of settings with these members, small enough to be looked into."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, content in members:
            archive.writestr(name, content)
    assert len(out.getvalue()) < LARGEST
    return out.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.external_attr = 0o120777 << 16
    return member


OTHER_CLINIC = SETTINGS.replace("[panel]", '[station]\ninstitution = "Other clinic"\n\n[panel]', 1)
WITH_A_PROFILE = SETTINGS.replace("[[source]]", '[[source]]\nprofile = "profiles/a.toml"', 1)
SETTINGS_FILES = {
    "burst": settings_file(("scopegate.toml", bytes(40_000_000))),
    "packed": settings_file(("scopegate.toml", bytes(100_000_000)), how=zipfile.ZIP_BZIP2),
    "climb": settings_file(("scopegate.toml", WITH_A_PROFILE), ("profiles/../../../run/a.toml", "x = 1")),
    "link": settings_file(("scopegate.toml", WITH_A_PROFILE), (link("profiles/a.toml"), "/etc/shadow")),
    "honest": settings_file(("scopegate.toml", OTHER_CLINIC)),  # the last: its processes start anew
}


class Story:
    """What one box lives through; each step waits for what it says."""

    def __init__(self, box: Sockets) -> None:
        self.box = box

    def seen(self) -> tuple[Any, ...]:
        box = self.box
        box.switch_on()
        box.configure(SETTINGS)
        stills = box.python(READY + _TWO_STILLS)
        exam = stills.pop()
        defaults = box.shell("cat /sys/bus/usb/devices/usb*/*authorized_default")
        verified = box.shell("udevadm verify /etc/udev/rules.d/*scopegate* 2>&1 || true")
        drivers = box.python(DRIVERS)
        box.plug("usb-tablet", "tablet", port="1")
        tablet, pointed = self.state("1-1", "in"), self.heard("USB Tablet")
        box.plug("usb-kbd", "keyboard", port="2")
        keyboard, silent = self.state("1-2", "waits"), self.heard("USB Keyboard")
        listed, typed = str(box.python(LETS_IN.format(port="1-2"))), self.heard("USB Keyboard")
        starts, screens = [self.start_of_box()], [box.screen.settled()]
        box.monitor.press("tab")
        screens.append(box.screen.settled())
        for keys in WAYS_OUT:
            box.monitor.press(*keys)
        screens.append(box.screen.settled())
        starts.append(self.start_of_box())
        box.plug("usb-hub", "hub", port="3")
        self.state("1-3", "in")
        networks = [self.networks()]
        box.plug("usb-net", "network", port="3.1", netdev="other")
        network = self.state("1-3.1", "out")
        networks += [self.networks(), self.by_hand("1-3.1")]
        box.shell("systemctl start scopegate-usb")
        self.state("1-3.1", "out")
        networks.append(self.networks())
        return (
            defaults, verified, drivers, tablet, pointed, keyboard, silent, listed, typed, starts, screens, network,
            networks, self.sticks(exam), self.second_stick(), stills,
            box.python(READY + CAPTURES.format(exam=exam)), box.shell("systemctl --failed --no-legend --plain"),
        )  # fmt: skip

    def state(self, port: str, state: str) -> dict[str, Any]:
        found: dict[str, Any] = self.box.python(STATE.format(port=port, state=state))
        return found

    def heard(self, name: str) -> dict[str, int]:
        """Press and point, and return how many events somebody heard who listens to everything; `name`: of what
        was plugged in last, of which the kernel makes an input some moments after it was let in.
        """
        there = f"grep -qs '{name}' /sys/class/input/input*/name"
        self.box.shell(f"until {there}; do sleep 0.5; done; udevadm settle", silence_s=60)
        self.box.unpack_text("/run/listens.py", LISTENS)
        # A child of this shell would keep the port's answer back until it ends.
        self.box.shell("rm -f /run/listens /run/heard; systemd-run --quiet --collect python3 /run/listens.py")
        self.box.shell("until [ -e /run/listens ]; do sleep 0.2; done", silence_s=60)
        for key in KEYS:
            self.box.monitor.press(key)
        for value in (1000, 9000, 20000):
            self.box.point("x", value)
        self.box.shell("until [ -s /run/heard ]; do sleep 0.5; done", silence_s=60)
        found: dict[str, int] = json.loads(self.box.shell("cat /run/heard"))
        return found

    def start_of_box(self) -> str:
        return self.box.shell("cat /proc/sys/kernel/random/boot_id; systemctl list-jobs --no-legend")

    def networks(self) -> str:
        return " ".join(self.box.shell("udevadm settle; ls /sys/class/net").split())

    def by_hand(self, port: str) -> str:
        return " ".join(self.box.shell(BY_HAND.format(port=port)).split())

    def sticks(self, exam: str) -> dict[str, dict[str, str]]:
        export, settings = EXPORTS.format(place=PLACE, exam=exam), READS_SETTINGS.format(place=PLACE)
        asked = {
            "good": export,
            "full": export,
            "protected": export,
            "fake": export,
            **dict.fromkeys(SETTINGS_FILES, settings),
        }
        found = {}
        for name, program in asked.items():
            self.box.plug_stick(name, "3.2" if name == "good" else "4")
            found[name] = self.box.python(program)
            self.box.pull(f"stick-{name}")
            self.box.shell(f"while mountpoint -q {PLACE}; do sleep 0.5; done", silence_s=60)
        return found

    def second_stick(self) -> list[str]:
        """Have two sticks in, and pull out the one that was there first."""
        self.box.plug_stick("first", "3.2")
        self.box.shell(f"until mountpoint -q {PLACE}; do sleep 0.5; done", silence_s=60)
        self.box.plug_stick("second", "4")
        comes = "until [ $(ls -d /sys/block/sd* | wc -l) = 2 ]; do sleep 0.5; done; udevadm settle"
        found = [self.box.shell(f"{comes}; ls {PLACE}", silence_s=60)]
        self.box.pull("stick-first")
        there = f"for i in $(seq 60); do ls {PLACE}/SECOND 2>/dev/null && exit; sleep 0.5; done"
        return [*found, self.box.shell(there, silence_s=60)]


_TWO_STILLS = """
exam = panel.open_typed()
stills = [panel.still(exam)["sop_instance_uid"] for _ in range(2)]
panel.finish(exam)
print(json.dumps([*stills, exam]))
"""


@pytest.fixture(scope="module")
def seen(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("usb")
    fake = FakeSize(fat(folder / "fake.img", megabytes=64, holds={"FILLER.BIN": bytes(16 << 20)}), real_mb=12)
    files = {
        "good": fat(folder / "good.img", megabytes=64),
        "full": fat(folder / "full.img", megabytes=16, holds={"FILLER.BIN": bytes(16_600_000)}),
        "protected": fat(folder / "protected.img", megabytes=64),
        "first": fat(folder / "first.img", megabytes=16),
        "second": fat(folder / "second.img", megabytes=16, holds={"SECOND": b"2"}),
    }
    for name, raw in SETTINGS_FILES.items():
        files[name] = fat(folder / f"{name}.img", megabytes=16, holds={f"scopegate-{name}.zip": raw})
    drives = {name: f"file={file}" for name, file in files.items()}
    drives["protected"] += ",readonly=on"
    with one_at_a_time():
        fake.switch_on()
        box = Sockets(folder / "box", image=image, sticks={**drives, "fake": fake.words})
        try:
            told = Story(box).seen()
        finally:
            print(box.last_words())
            box.stop()
            fake.switch_off()
    stick = folder / "good"
    stick.mkdir()
    subprocess.run(["mcopy", "-s", "-n", "-i", files["good"], "::/", stick], check=True)
    found = Seen(*told, stick)
    print("\n".join(f"{name}: {value}" for name, value in found._asdict().items() if name != "screens"))
    for number, picture in enumerate(found.screens):
        cv2.imwrite(str(folder / f"screen-{number}.png"), picture)
    return found


def test_nothing_is_configured_and_no_driver_taken_by_itself(seen: Seen) -> None:
    assert set(seen.defaults.split()) == {"0"}


def test_udev_understands_the_rules(seen: Seen) -> None:
    assert "Fail:    0" in seen.verified


def test_the_drivers_of_the_table_are_those_of_the_kernel(seen: Seen) -> None:
    assert seen.drivers == {}


def test_what_points_works_at_once(seen: Seen) -> None:
    assert seen.tablet["uses"] == ["input"]
    assert seen.pointed["points"] > 0


def test_a_keyboard_types_nothing_until_somebody_lets_it_in(seen: Seen) -> None:
    assert (seen.keyboard["types"], seen.silent["keys"]) == (True, 0)
    assert seen.keyboard["key"] in seen.listed
    assert seen.typed["keys"] >= len(KEYS)


def test_a_keyboard_that_is_heard_reaches_no_console_and_switches_nothing_off(seen: Seen) -> None:
    before, after = seen.starts
    assert before == after


def test_no_key_that_is_heard_leads_out_of_the_panel(seen: Seen) -> None:
    before, heard, after = seen.screens
    assert not same(before, heard)
    assert same(heard, after)


def test_a_network_adapter_is_none_and_one_that_is_let_in_by_hand_would_have_been(seen: Seen) -> None:
    before, with_it, by_hand, after = seen.networks
    assert seen.network["uses"] == []
    assert with_it == before == after
    assert len(by_hand.split()) > len(before.split())


def test_a_stick_in_a_hub_takes_an_exam(seen: Seen) -> None:
    assert seen.sticks["good"]["state"] == "done"
    (index,) = seen.stick.rglob("DICOMDIR")
    records = [each for each in pydicom.dcmread(index).DirectoryRecordSequence if "ReferencedFileID" in each]
    files = [index.parent.joinpath(*each.ReferencedFileID) for each in records]
    objects = [pydicom.dcmread(file) for file in files]
    assert {data.SOPInstanceUID: digest_of(data) for data in objects} == seen.kept


@pytest.mark.parametrize(
    ("stick", "code"), [("full", "media-full"), ("protected", "media-read-only"), ("fake", "media-damaged")]
)
def test_a_stick_that_takes_nothing_says_why_and_what_to_do(seen: Seen, stick: str, code: str) -> None:
    assert (seen.sticks[stick]["state"], seen.sticks[stick]["code"]) == ("failed", code)
    assert seen.sticks[stick]["action"]


def test_settings_come_from_a_stick(seen: Seen) -> None:
    honest = seen.sticks["honest"]
    assert (honest["looked"], honest["code"]) == ("", "")
    assert "Other clinic" in honest["settings"]


@pytest.mark.parametrize("stick", ["burst", "packed", "climb", "link"])
def test_settings_that_would_burst_or_lead_out_are_refused_and_change_nothing(seen: Seen, stick: str) -> None:
    said = seen.sticks[stick]
    assert said["code"] == said["looked"] == "no-settings-file"
    assert said["settings"].strip() == SETTINGS.strip()
    assert said["files"] == seen.sticks["burst"]["files"]
    assert "profiles" not in said["files"]
    assert said["restarts"] == "0"


def test_nothing_is_lost_and_nothing_failed(seen: Seen) -> None:
    assert list(seen.kept) == seen.stills
    assert seen.failed == ""


def test_a_stick_that_was_in_beside_another_is_there_once_that_was_pulled_out(seen: Seen) -> None:
    beside, afterwards = seen.second
    assert "SECOND" not in beside
    assert afterwards.strip() == f"{PLACE}/SECOND"
