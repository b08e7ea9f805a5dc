"""`machine.toml`: what it may say, what is refused with its line, and what could be used against root."""

from pathlib import Path

import pytest
import trustme

from gateway.config import machine
from gateway.config.machine import Machine, Network, Time
from gateway.errors import ConfigurationError

STATIC = 'method = "static"\naddress = "10.1.2.3/24"\n'


def read(tmp_path: Path, text: str) -> Machine:
    return machine.read_text(text.encode(), tmp_path / "machine.toml")


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, text)
    return [f"{each.line} {each.key}: {each.reason}" for each in refused.value.problems]


def test_a_box_of_which_nothing_is_said_asks_for_an_address(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Machine(network=Network(method="dhcp"), time=Time(zone="UTC"))


def test_everything_that_it_can_say_is_read(tmp_path: Path) -> None:
    said = read(
        tmp_path,
        """
        config_version = 1
        [network]
        hostname = "endo-2"
        interface = "enp1s0"
        method = "static"
        address = "10.1.2.3/24"
        gateway = "10.1.2.1"
        dns = ["10.1.2.2", "fd00::53"]
        search = ["clinic.example"]
        vlan = 20
        mtu = 1400
        [time]
        servers = ["ntp.clinic.example", "10.1.2.4"]
        zone = "Europe/Zurich"
        """,
    )
    assert said.network.gateway == "10.1.2.1"
    assert said.network.dns == ("10.1.2.2", "fd00::53")
    assert said.time == Time(servers=("ntp.clinic.example", "10.1.2.4"), zone="Europe/Zurich")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('hostname = "a b"', "must be 1 to 63 letters"),
        ('hostname = "box\\nDHCP=no"', "must be 1 to 63 letters"),
        ('interface = "../x"', "must be the name of a network port"),
        ('method = "dchp"', "did you mean dhcp?"),
        ('dns = ["10.1.2"]', "must be an IP address"),
        ('dns = ["127.0.0.1"]', "must be the address of one machine"),
        ('dns = ["fe80::1%eth0"]', "must be the address of one machine"),
        ('search = ["clinic example"]', "must be a domain"),
        ("vlan = 4095", "from 0 to 4094"),
        ("mtu = 500", "from 1280 to 9216"),
        ("mtu = false", "must be a whole number"),
        ('adress = "10.1.2.3/24"', "unknown key; did you mean address?"),
        ('address = "10.1.2.3"', "must be an address with its prefix"),
        ('address = "10.1.2.0/24"', "that of the whole network"),
        ('address = "10.1.2.255/24"', "that of the whole network"),
        ('address = "0.0.0.0/0"', "must be the address of one machine"),
        ('method = "static"', "address is missing"),
        (STATIC + 'gateway = "10.1.3.1"', "is not another machine of the network 10.1.2.0/24"),
        (STATIC + 'gateway = "10.1.2.3"', "is not another machine"),
        ('ieee8021x = {identity = "box", ca = "ca.pem", certificate = "box.pem"}', "key is missing"),
    ],
)
def test_what_cannot_be_is_refused_and_said(tmp_path: Path, line: str, why: str) -> None:
    assert [each for each in problems(tmp_path, f"[network]\n{line}\n") if why in each]


@pytest.mark.parametrize(
    "zone", ["Europe/Zürich", "Zurich", "/etc/passwd", "../../etc/passwd", "Europe/../UTC", ""]
)
def test_a_zone_is_one_of_those_that_the_machine_knows(tmp_path: Path, zone: str) -> None:
    assert "must be a time zone" in problems(tmp_path, f'[time]\nzone = "{zone}"\n')[0]


def test_a_time_server_at_a_port_of_the_box_is_refused_as_chrony_would(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, '[time]\nservers = ["fe80::1%enp1s0"]\n')
    assert "must not name a port of this box after %" in said


def test_an_address_that_stands_aside_with_dhcp_is_no_mistake(tmp_path: Path) -> None:
    assert read(tmp_path, '[network]\naddress = "10.1.2.3/24"\ngateway = "10.9.9.9"\n').network.method == "dhcp"


# --- certificates: root reads what the panel's user wrote -------------------------------------------------------


@pytest.fixture
def certified(tmp_path: Path) -> Path:
    authority = trustme.CA()
    made = authority.issue_cert("box.clinic.example")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    made.cert_chain_pems[0].write_to_path(tmp_path / "box.pem")
    made.private_key_pem.write_to_path(tmp_path / "box.key")
    return tmp_path


def access(**keys: str) -> str:
    said = {"identity": "box", "ca": "ca.pem", "certificate": "box.pem", "key": "box.key", **keys}
    words = ", ".join(f'{key} = "{value}"' for key, value in said.items())
    return f"[network]\nieee8021x = {{ {words} }}\n"


def test_a_certificate_and_its_key_beside_the_file_are_taken(certified: Path) -> None:
    found = read(certified, access()).network.ieee8021x
    assert found
    assert found.key == certified / "box.key"


@pytest.mark.parametrize("key", ["ca", "certificate", "key"])
def test_no_file_outside_the_folder_is_read_for_it(
    certified: Path, key: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret"
    outside.write_text("x")
    (certified / "link").symlink_to(outside)
    for words in (str(outside), "../outside", "link", "/etc/shadow", ""):
        assert "must be a file" in " ".join(problems(certified, access(**{key: words}))), words


def test_a_key_of_another_certificate_is_said_at_its_place(certified: Path) -> None:
    trustme.CA().issue_cert("other").private_key_pem.write_to_path(certified / "box.key")
    assert "is not the key of" in problems(certified, access())[0]


def test_an_identity_cannot_end_the_line_of_another_programs_file(certified: Path) -> None:
    assert "identity" in problems(certified, access(identity='a\\"\\nprivate_key=\\"/x'))[0]


# --- a file that was saved -----------------------------------------------------------------------------------


def saved(tmp_path: Path, text: str) -> machine.Saved:
    return machine.read_saved(text.encode(), tmp_path / "machine.toml")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('hostname = "a b"', "hostname"),
        ('gateway = "10.9.9.1"', "gateway"),
        ('gateway = "here"', "gateway"),
        ('dns = ["10.1.2"]', "dns"),
        ("mtu = 5", "mtu"),
        ('colour = "red"', "colour"),
        ('ieee8021x = { identity = "box", ca = "ca.pem", certificate = "box.pem", key = "box.key" }', "ieee8021x"),
    ],
)
def test_a_saved_value_that_is_wrong_costs_no_address(tmp_path: Path, line: str, key: str) -> None:
    found = saved(tmp_path, f"[network]\n{STATIC}vlan = 20\n{line}\n[time]\nzone = 'Europe/Zurich'\n")
    assert found.wrong == found.left_out == (("network", key),)
    assert found.machine == Machine(
        network=Network(method="static", address="10.1.2.3/24", vlan=20), time=Time(zone="Europe/Zurich")
    )


def test_a_saved_time_server_that_is_none_costs_the_time_servers(tmp_path: Path) -> None:
    found = saved(
        tmp_path, f"[network]\n{STATIC}[time]\nzone = 'Europe/Zurich'\nservers = ['ntp..x', '10.1.2.4']\n"
    )
    assert found.wrong == (("time", "servers"),)
    assert found.machine.network.address == "10.1.2.3/24"
    assert found.machine.time == Time(zone="Europe/Zurich")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (STATIC.replace("/24", ""), "address"),
        ('method = "static"\n', "address"),
        (f"{STATIC}vlan = 5000\n", "vlan"),
        (f"{STATIC}interface = '../x'\n", "interface"),
        (STATIC.replace("static", "fixed"), "method"),
    ],
)
def test_no_address_is_taken_when_it_may_be_that_of_another_network(tmp_path: Path, text: str, key: str) -> None:
    found = saved(tmp_path, f'[network]\n{text}hostname = "endo-2"\n[time]\nservers = ["10.1.2.4"]\n')
    assert found.wrong == (("network", key),)
    assert set(found.left_out) == {("network", each) for each in ("interface", "method", "address", "vlan")}
    assert found.machine == Machine(network=Network(hostname="endo-2"), time=Time(servers=("10.1.2.4",)))


@pytest.mark.parametrize("text", ["[network", "config_version = 2\n[network]\n" + STATIC])
def test_of_what_cannot_be_understood_nothing_is_taken(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError):
        saved(tmp_path, text)
