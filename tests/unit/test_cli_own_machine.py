"""What `scopegate doctor` says of an appliance's network and clock."""

import json
from pathlib import Path

from gateway.cli import own_machine

GOOD = {
    "inner": "enp1s0",
    "method": "dhcp",
    "cable": True,
    "addresses": ["10.1.2.3/24"],
    "gateway": "10.1.2.1",
    "gateway_state": "answers",
    "port_access": "",
    "problems": [],
}


def found(folder: Path, **changes: object) -> list[tuple[str, bool | None]]:
    (folder / "network.json").write_text(json.dumps({**GOOD, **changes}))
    return [(each.what, each.ok) for each in own_machine.network(folder)]


def test_another_machine_has_nothing_to_say(tmp_path: Path) -> None:
    assert [*own_machine.network(tmp_path), *own_machine.usb(tmp_path)] == []
    assert own_machine.set_by(tmp_path) == ""


def test_each_part_of_the_network_is_a_finding_of_its_own(tmp_path: Path) -> None:
    gateway = ("gateway 10.1.2.1", True)
    assert found(tmp_path) == [("network", True), gateway]
    assert found(tmp_path, cable=False) == [("network", False), gateway]
    assert found(tmp_path, addresses=[]) == [("network", False), gateway]
    assert found(tmp_path, gateway_state="silent")[1] == ("gateway 10.1.2.1", False)
    assert found(tmp_path, gateway_state="unknown")[1] == ("gateway 10.1.2.1", None)
    assert found(tmp_path, port_access="refuses")[2] == ("switch (802.1X)", False)
    assert found(tmp_path, port_access="asks")[2] == ("switch (802.1X)", None)
    assert found(tmp_path, problems=["damaged"])[2] == ("machine.toml", False)


def test_each_saved_value_that_is_not_used_is_a_problem_with_its_page(tmp_path: Path) -> None:
    found(tmp_path, wrong=["network.dns", "time.servers"])
    said = [str(each) for each in own_machine.network(tmp_path) if each.what == "machine.toml"]
    assert ["network.dns" in said[0], "Network of this box" in said[0]] == [True, True]
    assert ["time.servers" in said[1], "Date and time" in said[1]] == [True, True]


def test_it_says_what_set_the_clock(tmp_path: Path) -> None:
    for said, words in (
        ({"by": "ntp", "server": "10.1.2.4"}, "follows 10.1.2.4"),
        ({"by": "nobody"}, "nobody set it since the start"),
        ({"by": "else"}, ""),
    ):
        (tmp_path / "clock.json").write_text(json.dumps(said))
        assert own_machine.set_by(tmp_path) == words


def test_what_waits_to_be_let_in_is_named_and_is_no_problem(tmp_path: Path) -> None:
    pedal = {"state": "waits", "name": "FootSwitch", "identity": "0c45:7403", "port": "1-1.4"}
    (tmp_path / "usb.json").write_text(json.dumps({"devices": [pedal, {**pedal, "state": "in"}]}))
    assert [(each.what, each.ok) for each in own_machine.usb(tmp_path)] == [("usb 1-1.4", None)]
