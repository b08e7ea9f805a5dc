"""An appliance's network and time on the screen: seen, changed, tried from elsewhere, kept; a PC is left alone."""

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.config.told import told
from gateway.panel.own_machine import cities, regions
from gateway.panel.timekeeping import OfTheMachine
from tests.unit.panel.conftest import LAN_ADDRESS, Bench
from tests.unit.panel.settings_desk import PIN, put, with_settings

NETWORK = {
    "revision": "0",
    "port": "enp1s0",
    "inner": "enp1s0",
    "method": "dhcp",
    "problems": [],
    "until_ns": 0,
    "addresses": ["10.1.2.3/24"],
    "gateway": "10.1.2.1",
    "gateway_state": "answers",
    "hardware": "52:54:00:12:34:56",
    "cable": True,
    "ports": [{"name": "enp1s0", "cable": True}],
    "dns": ["10.1.2.2"],
    "port_access": "",
}
CLOCK = {"by": "nobody", "server": "", "offset_s": 0.0, "battery": False, "trusted": False, "zone": "UTC"}
STATIC = (
    put("network", "method", value="static"),
    put("network", "address", value="10.1.2.30/24"),
    put("network", "gateway", value="10.1.2.1"),
)


def folder(bench: Bench) -> Path:
    return bench.settings.station.data_dir


def says(bench: Bench, name: str, **said: object) -> None:
    where = folder(bench).parent / "says"
    where.mkdir(exist_ok=True)
    (where / f"{name}.json").write_text(json.dumps(said))


@pytest.fixture
def box(bench: Bench) -> Bench:
    """An appliance, before which an administrator stands."""
    says(bench, "network", **NETWORK)
    says(bench, "clock", **CLOCK)
    return with_settings(bench)


def asked(client: httpx2.Client, path: str, *changes: dict[str, Any]) -> httpx2.Response:
    revision = client.get("/api/v1/machine").raise_for_status().json()["revision"]
    return client.post(f"/api/v1/machine/{path}", json={"changes": list(changes), "revision": revision})


def file(bench: Bench) -> str:
    path = folder(bench) / "machine.toml"
    return path.read_text() if path.exists() else ""


# --- a computer that is no appliance -----------------------------------------------------------------------------


def test_a_pc_says_that_its_administrator_sets_its_network(bench: Bench) -> None:
    with_settings(bench)
    assert "set by its administrator" in bench.client.get("/machine/network").text
    page = bench.client.get("/machine/time").text
    assert "set by its administrator" in page
    assert "/machine/clock" not in page
    assert bench.client.get("/api/v1/machine").json()["code"] == "no-machine"
    body = {"changes": [STATIC[0]], "revision": ""}
    for path, sent in (("change", body), ("check", body), ("keep", {}), ("clock", {"local": "2026-11-27T09:30"})):
        answer = bench.client.post(f"/api/v1/machine/{path}", json=sent)
        assert answer.status_code in {409, 422}, path
    assert file(bench) == ""


# --- at the box ------------------------------------------------------------------------------------------------


def test_the_page_shows_how_the_network_is(box: Bench) -> None:
    page = box.client.get("/machine/network").text
    for words in (
        "10.1.2.3/24",
        "10.1.2.1",
        "It answers",
        "52:54:00:12:34:56",
        "From the network (DHCP)",
        "Wi-Fi is not",
    ):
        assert words in page, words
    assert "10.1.2.30" not in page
    says(
        box, "network", **{**NETWORK, "problems": ["damaged"], "gateway_state": "silent", "port_access": "refuses"}
    )
    page = box.client.get("/machine/network").text
    for words in ("settings is damaged", "It does not answer", "It refuses the box"):
        assert words in page, words


def test_a_change_at_the_box_is_shown_then_made_at_once_and_noted_by_key(box: Bench) -> None:
    tried = asked(box.client, "check", *STATIC).json()
    assert tried["problems"] == []
    assert tried["differences"][0]["words"]["new"] == "Fixed"
    assert tried["starts_anew"]["which"] == "here"
    assert file(box) == ""
    assert asked(box.client, "change", *STATIC).json()["written"] is True
    assert 'address = "10.1.2.30/24"' in file(box)
    noted = json.loads(box.spool.layout.audit.read_text().splitlines()[-1])
    assert (noted["what"], noted["person"]) == (
        "machine-settings-changed",
        "Huber",
    )
    assert "10.1.2.30" not in json.dumps(noted)
    page = box.client.get("/machine/network").text
    assert "10.1.2.30/24" in page


def test_what_cannot_be_is_said_at_its_place_and_not_written(box: Bench) -> None:
    answer = asked(box.client, "change", put("network", "method", value="static"))
    assert (answer.status_code, answer.json()["problems"][0]["place"]) == (422, ["network"])
    answer = asked(box.client, "change", put("network", "vlan", value=9999))
    assert answer.json()["problems"][0]["label"] == "VLAN"
    assert asked(box.client, "change", put("station", "name", value="X")).json()["code"] == "bad-value"
    assert asked(box.client, "change", {"add": "network", "values": {}}).json()["code"] == "bad-value"
    assert file(box) == ""


def test_a_fixed_address_is_asked_for_with_its_gateway_and_name_servers(box: Bench) -> None:
    page = box.client.get("/machine/network/ask/network/method").text
    asked_for = [place for place in ("method", "address", "gateway", "dns", "vlan") if f"network-{place}" in page]
    assert asked_for == ["method", "address", "gateway", "dns"]
    assert 'data-api="/api/v1/machine"' in page
    assert box.client.get("/machine/network/ask/network/nothing").status_code == 404
    assert box.client.get("/machine/other/ask/network/method").status_code == 404


# --- a file of which something is wrong ---------------------------------------------------------------------------


def test_what_root_left_out_of_a_saved_file_stands_on_its_page(box: Bench) -> None:
    says(box, "network", **{**NETWORK, "wrong": ["network.address", "network.dns", "time.servers"]})
    network, time = (box.client.get(f"/machine/{page}").text for page in ("network", "time"))
    assert "Fixed address, with its prefix:</b> What was saved cannot be right. Until it is set anew" in network
    assert "Name servers (DNS):</b> What was saved cannot be right and is not used." in network
    assert "Time servers (NTP):</b> What was saved" in time
    assert "Time servers" not in network
    assert time.count("What was saved") == 1


def test_what_is_wrong_elsewhere_keeps_nothing_from_being_set_and_goes_in_sight(box: Bench) -> None:
    path = folder(box) / "machine.toml"
    wrong = '[network]\nmethod = "static"\naddress = "10.1.2.30"\nhostname = "a b"\n'
    path.write_text(f'{wrong}[time]\nservers = ["ntp..x"]\nzone = "Europe/Zurich"\n')
    named = ["network.address", "network.hostname", "time.servers"]
    says(box, "network", **{**NETWORK, "wrong": named})
    assert "Zurich" in box.client.get("/machine/time").text
    changes = put("network", "address", value="10.1.2.30/24"), put("network", "gateway", value="10.1.2.1")
    tried = asked(box.client, "check", *changes).json()
    assert tried["problems"] == []
    gone = [each["words"]["label"] for each in tried["differences"] if each["new"] is None]
    assert gone == ["Name in the network", "Time servers (NTP)"]
    assert asked(box.client, "change", *changes).json()["written"] is True
    network = '[network] method = "static" address = "10.1.2.30/24" gateway = "10.1.2.1"'
    assert " ".join(path.read_text().split()) == f'{network} [time] zone = "Europe/Zurich"'


def test_an_address_that_cannot_be_goes_with_all_that_says_where_the_box_is(box: Bench) -> None:
    path = folder(box) / "machine.toml"
    path.write_text('colour = 1\n[network]\nmethod = "static"\naddress = "10.1.2.30"\nvlan = 20\n')
    says(box, "network", **{**NETWORK, "wrong": ["colour", "network.address"]})
    assert asked(box.client, "change", put("time", "servers", value=["10.1.2.4"])).json()["written"] is True
    assert " ".join(path.read_text().split()) == '[network] [time] servers = ["10.1.2.4"]'


def test_a_table_that_is_written_as_an_array_is_left_to_a_person(box: Bench) -> None:
    path = folder(box) / "machine.toml"
    path.write_text('[[network]]\nmethod = "static"\n')
    says(box, "network", **{**NETWORK, "wrong": ["network.address"]})
    for page in ("network", "time"):
        assert box.client.get(f"/machine/{page}").status_code == 200, page
    answer = asked(box.client, "change", put("time", "zone", value="Europe/Zurich"))
    assert (answer.status_code, answer.json()["code"]) == (409, "settings-foreign")


def test_nothing_goes_that_root_uses_and_only_the_panel_cannot_read(box: Bench) -> None:
    access = 'ieee8021x = { identity = "box", ca = "ca.pem", certificate = "box.pem", key = "box.key" }'  # no files
    path = folder(box) / "machine.toml"
    path.write_text(f"[network]\n{access}\n")
    answer = asked(box.client, "change", put("time", "zone", value="Europe/Zurich"))
    assert (answer.status_code, answer.json()["problems"][0]["place"]) == (422, ["network", "ieee8021x", "ca"])
    assert access in path.read_text()
    says(box, "network", **{**NETWORK, "wrong": ["network.ieee8021x"]})
    assert asked(box.client, "change", put("time", "zone", value="Europe/Zurich")).json()["written"] is True
    assert access not in path.read_text()


# --- from elsewhere ----------------------------------------------------------------------------------------------


def signed_in(client: httpx2.Client) -> httpx2.Client:
    headers = {"origin": LAN_ADDRESS}
    client.headers.update(headers)
    client.post("/api/v1/session", json={"name": "Huber", "pin": PIN}).raise_for_status()
    return client


def request_of(box: Bench, name: str) -> Path:
    return box.settings.station.runtime_dir / name


def test_a_network_that_is_set_over_the_network_is_tried_and_then_kept(box: Bench) -> None:
    with box.elsewhere() as client:
        signed_in(client)
        assert asked(client, "check", *STATIC).json()["starts_anew"]["which"] == "tried"
        assert asked(client, "change", *STATIC).json()["written"] is False
        assert file(box) == ""
        wanted = request_of(box, "machine-try").read_text()
        assert 'address = "10.1.2.30/24"' in wanted
        assert client.post("/api/v1/machine/keep", json={}).json()["code"] == "nothing-tried"  # root has not begun

        until = box.clock.boottime_ns() + 90 * 10**9
        revision = hashlib.sha256(wanted.encode()).hexdigest()
        says(box, "network", **{**NETWORK, "revision": revision, "until_ns": until, "method": "static"})
        page = client.get("/machine/network").text
        assert "A new network is being tried" in page
        assert client.post("/api/v1/machine/keep", json={}).status_code == 200
    assert file(box) == wanted


def test_a_network_that_was_taken_back_cannot_be_kept(box: Bench) -> None:
    with box.elsewhere() as client:
        signed_in(client)
        asked(client, "change", *STATIC).raise_for_status()
        says(box, "network", **{**NETWORK, "until_ns": box.clock.boottime_ns() + 10**10})  # another one is tried
        assert client.post("/api/v1/machine/keep", json={}).json()["code"] == "nothing-tried"
    assert file(box) == ""


def test_a_time_server_costs_nobodys_connection_and_is_written_at_once(box: Bench) -> None:
    with box.elsewhere() as client:
        signed_in(client)
        change = put("time", "servers", value=["ntp.clinic.example"])
        assert asked(client, "check", change).json()["starts_anew"]["which"] == "time"
        assert asked(client, "change", change).json()["written"] is True
    assert "ntp.clinic.example" in file(box)
    assert not request_of(box, "machine-try").exists()


# --- time --------------------------------------------------------------------------------------------------------


def test_the_clock_is_set_in_the_zone_of_the_box(box: Bench) -> None:
    asked(box.client, "change", put("time", "zone", value="Europe/Zurich")).raise_for_status()
    assert "Nobody set it since the box started" in box.client.get("/machine/time").text
    box.post("/machine/clock", {"local": "2026-11-27T09:30"})
    assert request_of(box, "clock-set").read_text() == "2026-11-27T08:30:00Z\n"
    box.post("/machine/clock", {"local": "2026-07-27T09:30"})
    assert request_of(box, "clock-set").read_text() == "2026-07-27T07:30:00Z\n"
    for wrong in ("2026-13-01T00:00", "now", ""):
        box.refused("/machine/clock", {"local": wrong}, 422, "bad-value")


def test_a_clock_that_a_server_sets_is_not_set_by_hand(box: Bench) -> None:
    says(box, "clock", **{**CLOCK, "by": "ntp", "trusted": True, "server": "10.1.2.4"})
    box.refused("/machine/clock", {"local": "2026-11-27T09:30"}, 409, "clock-is-set")
    page = box.client.get("/machine/time").text
    assert "Set by a time server" in page
    assert 'href="/machine/clock"' not in page
    assert not request_of(box, "clock-set").exists()


def test_the_clock_is_set_at_the_box_alone(box: Bench) -> None:
    with box.elsewhere() as client:
        signed_in(client)
        answer = client.post("/api/v1/machine/clock", json={"local": "2026-11-27T09:30"})
        assert answer.json()["code"] == "only-at-the-box"


def test_every_zone_is_found_by_its_region(box: Bench) -> None:
    assert "Europe" in regions()
    assert ("Europe/Zurich", "Zurich") in set(cities("Europe"))
    assert ("America/Argentina/Buenos_Aires", "Argentina/Buenos Aires") in set(cities("America"))
    assert "Zurich" in box.client.get("/machine/zones/Europe").text
    assert box.client.get("/machine/zones/Middle-earth").status_code == 404


def test_the_zone_is_known_behind_the_link_that_root_sets(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to("/usr/share/zoneinfo/Europe/Zurich")
    (tmp_path / "localtime").symlink_to(tmp_path / "run")
    assert OfTheMachine(tmp_path / "localtime").zone() == "Europe/Zurich"
    assert OfTheMachine(tmp_path / "none").zone() == ""
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    assert OfTheMachine(tmp_path / "ring").zone() == ""


def test_what_root_says_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    assert told("network", tmp_path) is None
    for damaged in ("", "[]", "{", "[" * 100_000):
        (tmp_path / "network.json").write_text(damaged)
        assert told("network", tmp_path) is None


@pytest.mark.parametrize("table", ["network", "time"])
def test_no_table_of_the_machine_goes_as_a_whole(box: Bench, table: str) -> None:
    asked(box.client, "change", *STATIC).raise_for_status()
    before = (folder(box) / "machine.toml").read_text()
    assert asked(box.client, "change", {"place": [table], "remove": True}).status_code == 422
    assert (folder(box) / "machine.toml").read_text() == before
