"""A box's own network and clock in a virtual machine: firewall, fixed address, trial, VLAN, a dead battery."""

import json
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from tests.appliance.appliance import HOST, Appliance
from tests.box import configuration, until
from tests.kernel.machine import one_at_a_time
from tests.loopback.peers.process import free_port

DHCP, FIXED, TRIED = "10.0.2.15", "10.0.2.30", "10.0.2.40"  # of QEMU's own network
LISTENER, OTHER = 11112, 9999
VLAN = 20
TAGGED = b"\x81\x00" + VLAN.to_bytes(2, "big") + b"\x08\x00"  # IEEE 802.1Q, then IPv4
BOX = bytes.fromhex("525400123456")  # what QEMU gives its first network adapter
MACHINE = "/etc/scopegate/machine.toml"
STATIC = """
[network]
method = "static"
address = "{address}/24"
gateway = "10.0.2.2"
dns = ["10.0.2.3"]
[time]
zone = "Asia/Kathmandu"
servers = ["{server}"]
"""
OTHER_LISTENER = (
    f"import socket; s = socket.create_server(('0.0.0.0', {OTHER}))\nwhile True: s.accept()[0].sendall(b'in')"
)
CHRONY = """\
local stratum 4
allow all
cmdport 0
bindaddress 127.0.0.1
pidfile {folder}/pid
bindcmdaddress {folder}/socket
"""


class Box(Appliance):
    """A box whose battery clock begins in 2000; two of its ports are reached from here, its packets are kept."""

    def _words(self) -> list[str]:
        self.packets = self.folder / "packets.pcap"
        self.ways = {(where, port): free_port() for where in (DHCP, FIXED, TRIED) for port in (LISTENER, OTHER)}
        ways = "".join(f",hostfwd=tcp:127.0.0.1:{here}-{where}:{port}" for (where, port), here in self.ways.items())
        kept = f"filter-dump,id=kept,netdev=net,file={self.packets}"
        words = [word.replace("user,id=net", f"user,id=net{ways}") for word in super()._words()]
        return [*words, "-rtc", "base=2000-01-01T00:00:00", "-object", kept]

    def switch_on(self) -> None:
        """Start it; of the tests' own files it needs none."""
        self.start(stays=False)
        self.shell("systemctl is-system-running --wait || true", silence_s=600)

    def said(self, name: str) -> dict[str, Any]:
        """Return what root of the box says under a name."""
        return dict(json.loads(self.shell(f"cat /run/scopegate-machine/{name}.json") or "{}"))

    def asks(self, name: str, text: str) -> None:
        """Ask root as the panel does: the file is there whole, or not at all."""
        self.unpack_text("/run/asked", text)
        self.shell(f"mv /run/asked /run/scopegate/{name}")

    def says(self, name: str, deadline_s: float = 90, **wanted: Any) -> dict[str, Any]:
        """Wait until root says that, and return all that it says."""

        def told() -> dict[str, Any]:
            found = self.said(name)
            return found if wanted.items() <= found.items() else {}

        return until(f"{name} to be {wanted}", told, deadline_s, pause_s=1)

    def has(self, address: str) -> bool:
        return f"{address}/" in " ".join(self.said("network")["addresses"])

    def until_at(self, address: str, deadline_s: float = 90) -> None:
        until(f"the box to be at {address}", lambda: self.has(address), deadline_s, pause_s=1)

    def comes_in(self, where: str, port: int) -> bool:
        """Say whether anybody in there answers; QEMU itself takes every connection."""
        here = self.ways[where, port]
        if port == LISTENER:
            return answers_dicom(here)
        with socket.create_connection(("127.0.0.1", here), 10) as way:
            way.settimeout(10)
            with suppress(TimeoutError, ConnectionResetError):
                return way.recv(2) == b"in"
        return False

    def screen(self) -> str:
        """Return how the box's own screen is answered."""
        ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/', timeout=60).status)"
        return self.shell(f'python3 -c "{ask}"').strip()


def answers_dicom(port: int) -> bool:
    """Say whether there is somebody who takes or refuses an association; to hang up is no answer."""
    entity = AE()
    entity.acse_timeout = 20
    entity.add_requested_context(Verification)
    asked = entity.associate("127.0.0.1", port)
    answered = asked.is_established or asked.is_rejected
    asked.abort()
    return answered


def without_tag(packets: bytes, since: int) -> list[str]:
    """Return the types of the box's packets without a tag, from that byte of the file (pcap) on."""
    at, found = 24, []
    while at + 16 <= len(packets):
        (size,) = struct.unpack_from("<I", packets, at + 8)
        packet = packets[at + 16 : at + 16 + size]
        if at >= since and packet[6:12] == BOX and packet[12:16] != TAGGED[:4]:
            found.append(packet[12:14].hex())
        at += 16 + size
    return found


@contextmanager
def time_server(folder: Path) -> Iterator[None]:
    """Run chrony's server on this computer: the box sees it at its gateway."""
    (folder / "chrony.conf").write_text(CHRONY.format(folder=folder))
    folder.chmod(0o700)
    words = ["chronyd", "-x", "-d", "-u", "root", "-f", str(folder / "chrony.conf")]
    with (folder / "log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as server:
        try:
            yield
        finally:
            server.terminate()


class Seen(NamedTuple):
    """What was seen of one box, in the order of the tests."""

    new: dict[str, Any]
    by_hand: dict[str, Any]
    ways: dict[str, bool]
    fixed: dict[str, Any]
    trial: dict[str, Any]
    vlan: dict[str, Any]
    damaged: dict[str, Any]


def new_box(box: Box) -> dict[str, Any]:
    clock = box.says("clock", by="nobody")
    return {
        "clock": clock,
        "year": box.shell("date +%Y").strip(),
        "network": box.says("network", method="dhcp"),
        "failed": box.shell("systemctl --failed --no-legend --plain").strip(),
        "rules": box.shell("nft list table inet scopegate_incoming"),
        "started": box.shell("systemd-analyze critical-chain --no-pager systemd-networkd.service || true"),
    }


def clock_by_hand(box: Box) -> dict[str, Any]:
    box.asks("clock-set", "2026-12-24T18:00:00Z")
    clock = box.says("clock", by="hand")
    battery = box.shell("cat /sys/class/rtc/rtc0/date").strip()
    return {"clock": clock, "date": box.shell("date -u +%Y-%m-%dT%H").strip(), "battery": battery}


def ways_in(box: Box) -> dict[str, bool]:
    box.shell(f'systemd-run --quiet --unit=other python3 -c "{OTHER_LISTENER}"')
    # The listener hangs up on a host of which the configuration knows nothing.
    known = {"name": "pacs", "host": HOST, "port": 104, "ae_title": "PACS"}
    tables = [("[station]", {"listen": f"0.0.0.0:{LISTENER}"}), ("[[destination]]", known)]
    box.configure(configuration(tables))
    until("the rules", lambda: f"dport {LISTENER}" in box.shell("nft list ruleset"), 90, pause_s=1)
    until("the listener", lambda: f":{LISTENER}" in box.shell("ss -tln"), 120, pause_s=1)
    ways = {"listener": box.comes_in(DHCP, LISTENER), "other": box.comes_in(DHCP, OTHER)}
    box.shell("nft flush chain inet scopegate_incoming arrives")
    box.shell("nft add rule inet scopegate_incoming arrives accept")
    return {**ways, "other without rules": box.comes_in(DHCP, OTHER)}


def fixed_address(box: Box) -> dict[str, Any]:
    box.unpack_text(MACHINE, STATIC.format(address=FIXED, server=HOST))
    box.until_at(FIXED)
    clock = box.says("clock", 180, by="ntp")
    return {
        "network": box.said("network"),
        "clock": clock,
        "offset": box.shell("date +%z").strip(),
        "off_s": int(box.shell("date +%s")) - round(time.time()),
        "listener": box.comes_in(FIXED, LISTENER),
        "other": box.comes_in(FIXED, OTHER),
        "screen": box.screen(),
    }


def trial(box: Box) -> dict[str, Any]:
    box.asks("machine-try", STATIC.format(address=TRIED, server=HOST))
    box.until_at(TRIED)
    during = {
        "listener": box.comes_in(TRIED, LISTENER),
        "screen": box.screen(),
        "until": box.said("network")["until_ns"],
    }
    kept = box.shell(f"cat {MACHINE}")
    box.until_at(FIXED, 400)
    return {**during, "file": kept, "after": box.says("network", until_ns=0)}


def in_a_vlan(box: Box) -> dict[str, Any]:
    box.unpack_text(MACHINE, f'[network]\nvlan = {VLAN}\n[time]\nservers = ["ntp..x"]\n')
    until("packets with a tag", lambda: TAGGED in box.packets.read_bytes(), 120, pause_s=1)
    network = box.says("network", inner=f"vlan{VLAN}")
    since = box.packets.stat().st_size
    box.shell("ping -c 3 -W 1 10.0.2.2 || true; sleep 10")
    said = {"network": network, "screen": box.screen(), "links": box.shell("ip -br link")}
    packets = box.packets.read_bytes()
    return {**said, "tagged": packets.count(TAGGED[:4], since), "untagged": without_tag(packets, since)}


def damaged(box: Box) -> dict[str, Any]:
    box.unpack_text(MACHINE, "[network\nvlan = 20\n")
    box.until_at(DHCP)
    return {"network": box.said("network"), "links": box.shell("ip -br link")}


@pytest.fixture(scope="module")
def seen(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with one_at_a_time(), time_server(tmp_path_factory.mktemp("time")):
        box = Box(tmp_path_factory.mktemp("box"), image=image)
        try:
            box.switch_on()
            steps = (new_box, clock_by_hand, ways_in, fixed_address, trial, in_a_vlan, damaged)
            found = []
            for step in steps:
                found.append(step(box))
                print(f"{step.__name__}: {json.dumps(found[-1], indent=1)}", flush=True)
        finally:
            print(box.last_words())
            box.stop()
        yield Seen(*found)


def test_a_new_box_has_an_address_and_lets_nobody_in(seen: Seen) -> None:
    assert seen.new["failed"] == ""
    assert seen.new["network"]["addresses"][0].startswith(f"{DHCP}/")
    assert seen.new["network"]["problems"] == []
    assert "policy drop" in seen.new["rules"]
    assert "tcp dport" not in seen.new["rules"]


def test_a_clock_with_a_dead_battery_is_not_believed(seen: Seen) -> None:
    assert (seen.new["clock"]["trusted"], seen.new["clock"]["battery"]) == (False, False)


def test_a_clock_that_was_set_by_hand_is_believed_and_so_is_its_battery(seen: Seen) -> None:
    assert seen.by_hand["clock"]["trusted"]
    assert seen.by_hand["date"] == "2026-12-24T18"
    assert seen.by_hand["battery"] == "2026-12-24"


def test_only_the_port_of_the_configuration_lets_somebody_in(seen: Seen) -> None:
    assert seen.ways == {"listener": True, "other": False, "other without rules": True}


def test_a_fixed_address_and_a_zone_hold_without_a_start(seen: Seen) -> None:
    assert [each.partition("/")[0] for each in seen.fixed["network"]["addresses"]] == [FIXED]
    assert seen.fixed["network"]["gateway"] == "10.0.2.2"
    assert seen.fixed["offset"] == "+0545"
    assert (seen.fixed["listener"], seen.fixed["other"], seen.fixed["screen"]) == (True, False, "200")


def test_a_time_server_sets_the_clock_right(seen: Seen) -> None:
    assert seen.fixed["clock"]["server"] == HOST
    assert abs(seen.fixed["off_s"]) < 60


def test_a_network_that_nobody_kept_is_taken_back_and_was_never_on_the_disk(seen: Seen) -> None:
    assert (seen.trial["listener"], seen.trial["screen"]) == (True, "200")
    assert seen.trial["until"] > 0
    assert TRIED not in seen.trial["file"]
    assert [each.partition("/")[0] for each in seen.trial["after"]["addresses"]] == [FIXED]


def test_in_a_vlan_every_packet_has_its_tag_and_the_screen_works(seen: Seen) -> None:
    assert f"vlan{VLAN}@" in seen.vlan["links"]
    assert seen.vlan["screen"] == "200"
    assert seen.vlan["tagged"] > 0
    assert seen.vlan["untagged"] == []


def test_a_time_server_that_is_none_costs_no_network(seen: Seen) -> None:
    assert (seen.vlan["network"]["wrong"], seen.vlan["network"]["problems"]) == (["time.servers"], [])


def test_a_damaged_file_leaves_the_box_in_the_network(seen: Seen) -> None:
    assert seen.damaged["network"]["problems"] == ["damaged"]
    assert seen.damaged["network"]["addresses"][0].startswith(f"{DHCP}/")
    assert f"vlan{VLAN}@" not in seen.damaged["links"]
