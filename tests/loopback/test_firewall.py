"""The box's firewall in the kernel: nobody comes in but through what the configuration opens."""

import subprocess
from collections.abc import Iterator

import pytest

from gateway.machine.network.firewall import Opening, rules
from tests.loopback.peers.cable import BOX, CLINIC, Cable, end

LISTENS = """
import signal, socket
servers = [socket.create_server(("0.0.0.0", port)) for port in {ports}]
print("up", flush=True)
signal.pause()
"""
CALLS = "import socket; socket.create_connection(('{where}', {port}), 2); print('in')"
OPEN, SHUT = 11112, 8080


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    with Cable() as made:
        everywhere = f"({OPEN},{SHUT})"
        servers = [
            subprocess.Popen(
                [*machine, "python3", "-c", LISTENS.format(ports=everywhere)], stdout=subprocess.PIPE, text=True
            )
            for machine in (made.box, made.clinic)
        ]
        for each in servers:
            assert each.stdout
            assert each.stdout.readline() == "up\n"
        yield made
        for each in servers:
            end(each)


def comes_in(cable: Cable, port: int, *, machine: tuple[str, ...] = (), where: str = BOX) -> bool:
    try:
        said = cable.run(machine or cable.clinic, "python3", "-c", CALLS.format(where=where, port=port))
    except subprocess.CalledProcessError:
        return False
    return said == "in\n"


def load(cable: Cable, *opened: Opening) -> None:
    cable.run(cable.box, "nft", "-f", "-", given=rules(list(opened)))


def test_without_rules_both_ports_would_be_reached(cable: Cable) -> None:
    cable.run(cable.box, "nft", "flush", "ruleset")
    assert [comes_in(cable, port) for port in (OPEN, SHUT)] == [True, True]


def test_only_the_port_of_the_configuration_lets_somebody_in(cable: Cable) -> None:
    load(cable, Opening(what="archives report", port=OPEN))
    assert [comes_in(cable, port) for port in (OPEN, SHUT)] == [True, False]
    assert "archives report" in cable.run(cable.box, "nft", "list", "ruleset")


def test_a_port_that_is_closed_again_lets_nobody_in_any_more(cable: Cable) -> None:
    load(cable, Opening(what="archives report", port=OPEN))
    load(cable)
    assert [comes_in(cable, port) for port in (OPEN, SHUT)] == [False, False]


def test_a_listener_at_one_address_is_open_at_that_address_alone(cable: Cable) -> None:
    load(cable, Opening(what="monitoring", port=OPEN, address=BOX))
    assert comes_in(cable, OPEN)
    load(cable, Opening(what="monitoring", port=OPEN, address="10.9.0.77"))
    assert not comes_in(cable, OPEN)


def test_the_box_reaches_others_and_itself_and_answers_who_looks_for_it(cable: Cable) -> None:
    load(cable)
    assert comes_in(cable, OPEN, machine=cable.box, where=CLINIC)
    assert comes_in(cable, SHUT, machine=cable.box, where="127.0.0.1")
    cable.run(cable.clinic, "ip", "neigh", "flush", "all")
    assert not comes_in(cable, SHUT)
    assert BOX in cable.run(cable.clinic, "ip", "neigh", "show")  # it was found, and let nobody in
