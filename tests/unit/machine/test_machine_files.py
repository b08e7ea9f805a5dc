"""The files of networkd, wpa_supplicant, chrony and nftables, as settings make them."""

from configparser import RawConfigParser
from pathlib import Path

import pytest

from gateway.config import reader
from gateway.config.machine import Network, PortAccess, Time
from gateway.machine.clock import chrony
from gateway.machine.network import firewall, networkd, supplicant
from gateway.machine.network.firewall import Opening, openings

ROOT = Path(__file__).resolve().parents[3]
STATIC = Network(
    method="static", address="10.1.2.3/24", gateway="10.1.2.1", dns=("10.1.2.2",), search=("a.example",)
)


def keys(text: str, section: str) -> dict[str, str]:
    parser = RawConfigParser(strict=False, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return dict(parser[section])


# --- networkd ----------------------------------------------------------------------------------------------------


def test_a_box_of_which_nothing_is_said_keeps_the_images_own_file() -> None:
    assert networkd.files(Network(), "enp1s0") == {}
    assert networkd.files(STATIC, "") == {}  # no port: nothing to match


def test_a_fixed_address_is_the_only_one() -> None:
    (text,) = networkd.files(STATIC, "enp1s0").values()
    assert keys(text, "Match") == {"Name": "enp1s0"}
    assert keys(text, "Network") == {
        "DHCP": "no",
        "LinkLocalAddressing": "no",
        "IPv6AcceptRA": "no",
        "Address": "10.1.2.3/24",
        "Gateway": "10.1.2.1",
        "DNS": "10.1.2.2",
        "Domains": "a.example",
    }


def test_a_network_without_a_way_out_has_no_gateway() -> None:
    (text,) = networkd.files(Network(method="static", address="10.1.2.3/24"), "enp1s0").values()
    assert not {"Gateway", "DNS", "Domains"} & keys(text, "Network").keys()


def test_the_address_lies_in_the_vlan_and_the_port_has_none() -> None:
    made = networkd.files(Network(vlan=20), "enp1s0")
    outer, netdev, inner = (made[f"10-scopegate{end}"] for end in (".network", "-vlan.netdev", "-vlan.network"))
    assert keys(outer, "Network") == {
        "VLAN": "vlan20",
        "DHCP": "no",
        "LinkLocalAddressing": "no",
        "IPv6AcceptRA": "no",
    }
    assert (keys(netdev, "NetDev"), keys(netdev, "VLAN")) == ({"Name": "vlan20", "Kind": "vlan"}, {"Id": "20"})
    assert keys(inner, "Match") == {"Name": "vlan20"}
    assert keys(inner, "Network")["DHCP"] == "yes"


def test_a_server_is_told_the_boxs_name_and_may_say_how_large_packets_are() -> None:
    (text,) = networkd.files(Network(hostname="endo-2", dns=("10.1.2.2",)), "enp1s0").values()
    assert keys(text, "DHCPv4") == {"ClientIdentifier": "mac", "Hostname": "endo-2", "UseMTU": "yes"}
    assert keys(text, "Network") == {"DHCP": "yes", "DNS": "10.1.2.2"}
    (text,) = networkd.files(Network(mtu=1400), "enp1s0").values()
    assert (keys(text, "Link")["MTUBytes"], keys(text, "DHCPv4")["UseMTU"]) == ("1400", "no")


# --- the switch ---------------------------------------------------------------------------------------------------


def test_a_switch_that_asks_nobody_needs_no_file() -> None:
    assert supplicant.text(Network()) == ""


def test_a_switch_is_shown_the_certificate_of_the_box() -> None:
    folder = Path("/etc/scopegate")
    access = PortAccess(identity="box", ca=folder / "ca.pem", certificate=folder / "b.pem", key=folder / "b.key")
    lines = [line.strip() for line in supplicant.text(Network(ieee8021x=access)).splitlines()]
    for line in ("ap_scan=0", "key_mgmt=IEEE8021X", "eap=TLS", 'identity="box"', f'ca_cert="{folder}/ca.pem"'):
        assert line in lines


# --- time -----------------------------------------------------------------------------------------------------


def test_servers_that_are_named_come_before_those_of_dhcp() -> None:
    assert "server ntp.example iburst" in chrony.sources(Time(servers=("ntp.example",)), ["10.0.0.1"])
    assert "10.0.0.1" not in chrony.sources(Time(servers=("ntp.example",)), ["10.0.0.1"])
    assert "server 10.0.0.1 iburst" in chrony.sources(Time(), ["10.0.0.1"])
    assert chrony.sources(Time(), []).splitlines()[1:] == []


def test_what_a_dhcp_server_says_is_no_line_of_another_programs_file() -> None:
    state = "DNS=10.0.0.2\nNTP=10.0.0.1 ntp.example 10.0.0.1 127.0.0.1 a;b -x /etc fe80::1\n"
    assert chrony.heard_by_dhcp(state) == ["10.0.0.1", "ntp.example", "fe80::1"]
    assert chrony.heard_by_dhcp("") == []


# --- who comes in ----------------------------------------------------------------------------------------------


def opened(tmp_path: Path, text: str) -> list[Opening]:
    path = tmp_path / "scopegate.toml"
    path.write_text(text)
    return openings(reader.read(path, {}))


def test_a_box_that_listens_for_itself_alone_opens_nothing(tmp_path: Path) -> None:
    assert opened(tmp_path, "") == []
    assert opened(tmp_path, '[station]\nlisten = "localhost:11112"\n') == []
    assert "dport" not in firewall.rules([]).replace("dport 68", "").replace("dport 546", "")


@pytest.mark.parametrize(
    ("text", "port", "address"),
    [
        ('[station]\nlisten = "0.0.0.0:104"\n', 104, ""),
        ('[station]\nlisten = "[::]:104"\n', 104, ""),
        ('[station]\nlisten = "10.1.2.3:104"\n', 104, "10.1.2.3"),
        ('[station]\nlisten = "[fd00::3]:104"\n', 104, "fd00::3"),
        ('[station]\nlisten = "box.clinic:104"\n', 104, ""),
        ('[metrics]\nlisten = "10.1.2.3:9464"\n', 9464, "10.1.2.3"),
    ],
)
def test_a_listener_of_the_configuration_is_opened(tmp_path: Path, text: str, port: int, address: str) -> None:
    (found,) = opened(tmp_path, text)
    assert (found.port, found.address) == (port, address)
    family = "ip6" if ":" in address else "ip"
    where = f"{family} daddr {address} " if address else ""
    assert f"\t\t{where}tcp dport {port} counter accept" in firewall.rules([found])


def test_nobody_is_let_in_before_the_settings_are_known() -> None:
    text = (ROOT / "systemd/nftables/incoming.nft").read_text()
    assert "".join(line for line in text.splitlines(keepends=True) if line[0] != "#") == firewall.rules([])
