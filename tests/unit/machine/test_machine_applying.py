"""What settings make of a machine: its files, the programs that are told, and a network whatever is wrong."""

import os
from pathlib import Path

import pytest
import trustme

from gateway.config.keeping import text_of
from gateway.config.machine import Network
from gateway.errors import MachineFailed
from gateway.machine.network.ports import Port, chosen, wired
from gateway.machine.settings.applying import Applying, Places
from tests.unit.machine.conftest import Programs

STATIC = '[network]\nmethod = "static"\naddress = "10.1.2.3/24"\ngateway = "10.1.2.1"\n'


def networks(places: Places) -> dict[str, str]:
    return {path.name: path.read_text() for path in (places.run / "systemd/network").iterdir()}


def test_a_new_box_asks_for_an_address_and_lets_nobody_in(
    applying: Applying, places: Places, programs: Programs
) -> None:
    found = applying.file()
    assert (found.port, found.method, found.problems) == ("enp1s0", "dhcp", ())
    assert networks(places) == {}
    assert (places.told / "localtime").readlink() == Path("/usr/share/zoneinfo/UTC")
    assert [each for each in programs.ran if each.startswith("networkctl")] == []
    assert "tcp dport" not in programs.given[0]


def test_a_fixed_address_is_taken_and_taken_back(applying: Applying, places: Places, programs: Programs) -> None:
    places.machine.write_text(STATIC)
    assert applying.file().method == "static"
    assert "Address=10.1.2.3/24" in networks(places)["10-scopegate.network"]
    assert programs.ran.count("networkctl reload") == 1
    applying.file()  # the same again tells nobody
    assert programs.ran.count("networkctl reload") == 1
    places.machine.unlink()
    applying.file()
    assert networks(places) == {}
    assert programs.ran.count("networkctl reload") == 2


def test_the_port_of_a_vlan_that_is_gone_is_gone(applying: Applying, programs: Programs, places: Places) -> None:
    places.machine.write_text("[network]\nvlan = 20\n")
    assert applying.file().inner == "vlan20"
    assert "networkctl delete" not in " ".join(programs.ran)
    places.machine.write_text("[network]\nvlan = 30\n")
    applying.file()
    assert "networkctl delete vlan20" in programs.ran
    assert "networkctl delete vlan30" not in programs.ran


def test_a_port_is_gone_also_when_networkd_does_not_take_the_new_files(
    applying: Applying, programs: Programs, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.machine.write_text("[network]\nvlan = 20\n")
    applying.file()

    def run(*words: str, given: str = "") -> str:
        if words[1:2] == ("reload",):
            raise MachineFailed
        return Programs.run(programs, *words, given=given)

    monkeypatch.setattr(programs, "run", run)
    places.machine.unlink()
    assert applying.file().problems == ("network",)
    assert "networkctl delete vlan20" in programs.ran


def test_what_is_applied_is_what_its_revision_names(applying: Applying, monkeypatch: pytest.MonkeyPatch) -> None:
    """The panel replaces the file at any moment."""
    before, behind = text_of(STATIC.encode()), text_of(b"")
    states = iter([before, behind])
    monkeypatch.setattr("gateway.machine.settings.applying.text_at", lambda _: next(states))
    found = applying.file()
    assert (found.method, found.revision) == ("static", before.revision)


@pytest.mark.parametrize("name", ["machine.toml", "scopegate.toml"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(applying: Applying, places: Places, name: str) -> None:
    path = places.machine.with_name(name)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert applying.file().problems == (("settings",) if path == places.settings else ())


def test_a_damaged_file_leaves_the_box_in_the_network_and_is_said(applying: Applying, places: Places) -> None:
    for damaged in (b"[network", b"\xff\xfe", b"config_version = 2\n" + STATIC.encode(), b"\0" * 2_000_000):
        places.machine.write_bytes(damaged)
        found = applying.file()
        assert (found.method, found.problems) == ("dhcp", ("damaged",))
        assert networks(places) == {}


def test_a_saved_value_that_is_wrong_costs_itself_alone_and_is_said(applying: Applying, places: Places) -> None:
    (places.run / "systemd/netif/state").write_text("NTP=10.0.0.1\n")
    places.machine.write_text(f'{STATIC}colour = "red"\n[time]\nservers = ["ntp..x"]\nzone = "Europe/Zurich"\n')
    found = applying.file()
    assert (found.method, found.problems, found.wrong) == ("static", (), ("network.colour", "time.servers"))
    assert "Address=10.1.2.3/24" in networks(places)["10-scopegate.network"]
    assert "server 10.0.0.1" in (places.run / "scopegate-time/scopegate.sources").read_text()


def test_a_fixed_address_that_is_none_is_asked_of_the_network_and_said(applying: Applying, places: Places) -> None:
    places.machine.write_text(STATIC.replace("/24", ""))
    found = applying.file()
    assert (found.method, found.problems, found.wrong) == ("dhcp", (), ("network.address",))


def test_a_program_that_fails_keeps_nothing_else_from_being_done(
    applying: Applying, places: Places, programs: Programs
) -> None:
    places.machine.write_text(STATIC + '[time]\nzone = "Europe/Zurich"\nservers = ["10.1.2.4"]\n')
    programs.fail = {"nft", "networkctl"}
    found = applying.file()
    assert found.problems == ("firewall", "network")
    assert "server 10.1.2.4 iburst" in (places.run / "scopegate-time/scopegate.sources").read_text()
    assert (places.told / "localtime").readlink().name == "Zurich"


def test_a_network_that_was_written_and_not_taken_is_taken_at_the_next_time(
    applying: Applying, places: Places, programs: Programs
) -> None:
    places.machine.write_text(STATIC)
    programs.fail = {"networkctl"}
    applying.file()
    programs.fail = set()
    assert applying.file().problems == ()
    assert "networkctl reload" in programs.ran


def test_a_configuration_that_cannot_be_read_changes_no_port(
    applying: Applying, places: Places, programs: Programs
) -> None:
    places.settings.write_text("[panel")
    assert applying.file().problems == ("settings",)
    assert [each for each in programs.ran if each.startswith("nft")] == []


def test_the_ports_of_the_configuration_are_open(applying: Applying, places: Places, programs: Programs) -> None:
    places.settings.write_text('[station]\nlisten = "0.0.0.0:11112"\n')
    applying.file()
    assert programs.ran[0] == "nft -f -"
    assert "tcp dport 11112 counter accept" in programs.given[0]


def test_the_boxs_name_is_set_when_it_is_another_one(
    applying: Applying, places: Places, programs: Programs
) -> None:
    places.machine.write_text('[network]\nhostname = "endo-2"\n')
    applying.file()
    assert "hostnamectl hostname --transient endo-2" in programs.ran
    assert "Hostname=endo-2" in networks(places)["10-scopegate.network"]


def test_time_servers_of_dhcp_are_followed_until_some_are_named(
    applying: Applying, places: Places, programs: Programs
) -> None:
    (places.run / "systemd/netif/state").write_text("NTP=10.0.0.1\n")
    told = "systemctl --no-block try-restart chrony.service"
    applying.file()
    applying.file()
    assert programs.ran.count(told) == 1
    places.machine.write_text('[time]\nservers = ["ntp.example"]\n')
    applying.file()
    assert programs.ran.count(told) == 2
    assert "10.0.0.1" not in (places.run / "scopegate-time/scopegate.sources").read_text()


def test_what_answers_the_switch_begins_and_ends_with_its_certificate(
    applying: Applying, places: Places, programs: Programs
) -> None:
    folder, unit = places.machine.parent, places.run / "scopegate-port-access"
    authority = trustme.CA()
    made = authority.issue_cert("box")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    made.private_key_and_cert_chain_pem.write_to_path(folder / "box.pem")
    places.machine.write_text(
        '[network]\nieee8021x = { identity = "box", ca = "ca.pem", certificate = "box.pem", key = "box.pem" }\n'
    )
    applying.file()
    assert programs.ran[-2] == "systemctl --no-block restart scopegate-port-access.service"
    assert f'private_key="{folder}/box.pem"' in (unit / "wired.conf").read_text()
    assert (unit / "port").read_text() == "PORT=enp1s0\n"
    assert unit.stat().st_mode & 0o077 == 0
    places.machine.unlink()
    applying.file()
    assert not unit.exists()
    assert "systemctl --no-block stop scopegate-port-access.service" in programs.ran


# --- ports -----------------------------------------------------------------------------------------------------


def test_a_port_is_wired_and_of_the_machine(tmp_path: Path) -> None:
    for name, kind, device, wifi in (
        ("enp2s0", "1", True, False),
        ("enp1s0", "1", True, False),
        ("wlan0", "1", True, True),
        ("lo", "772", False, False),
        ("vlan20", "1", False, False),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "type").write_text(f"{kind}\n")
        (folder / "carrier").write_text("1\n" if name == "enp1s0" else "0\n")
        if device:
            (folder / "device").mkdir()
        if wifi:
            (folder / "wireless").mkdir()
    found = wired(tmp_path)
    assert found == [Port(name="enp1s0", cable=True), Port(name="enp2s0", cable=False)]
    assert chosen(Network(), found) == "enp1s0"
    assert chosen(Network(interface="enp2s0"), found) == "enp2s0"
    assert chosen(Network(), wired(tmp_path / "none")) == ""
