"""A switch that asks who is there (IEEE 802.1X, EAP-TLS): hostapd at the other end of a cable."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from gateway.clock import Clock
from gateway.config.machine import Network, PortAccess
from gateway.machine.network import state as network_state
from gateway.machine.network import supplicant
from tests.loopback.peers.cable import PORT, Cable, end

SWITCH = """\
interface={port}
driver=wired
ieee8021x=1
eap_server=1
eap_user_file={folder}/users
ca_cert={folder}/clinic.pem
server_cert={folder}/switch.pem
private_key={folder}/switch.key
use_pae_group_addr=1
"""


class Pki:
    """An authority, and what it issued."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clinic, self.other = trustme.CA(), trustme.CA()
        self.clinic.cert_pem.write_to_path(folder / "clinic.pem")
        self.other.cert_pem.write_to_path(folder / "other.pem")
        self.issue("switch", self.clinic)
        self.issue("box", self.clinic)
        self.issue("stranger", self.other)

    def issue(self, name: str, by: trustme.CA) -> None:
        made = by.issue_cert(f"{name}.clinic.example", common_name=name)
        made.cert_chain_pems[0].write_to_path(self.folder / f"{name}.pem")
        made.private_key_pem.write_to_path(self.folder / f"{name}.key")

    def access(self, name: str, ca: str = "clinic") -> Network:
        return Network(
            ieee8021x=PortAccess(
                identity=name,
                ca=self.folder / f"{ca}.pem",
                certificate=self.folder / f"{name}.pem",
                key=self.folder / f"{name}.key",
            )
        )


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def cable(pki: Pki) -> Iterator[Cable]:
    (pki.folder / "users").write_text("* TLS\n")
    (pki.folder / "hostapd.conf").write_text(SWITCH.format(port=PORT, folder=pki.folder))
    with Cable() as made:
        log = (pki.folder / "switch.log").open("w")
        switch = subprocess.Popen(
            [*made.clinic, "hostapd", str(pki.folder / "hostapd.conf")], stdout=log, stderr=log
        )
        yield made
        end(switch)
        log.close()


def answer(cable: Cable, folder: Path, network: Network) -> str:
    """Return how the switch answers this box, as soon as that is known."""
    control = folder / "control"
    text = supplicant.text(network).replace(f"/run/{supplicant.UNIT}/control", str(control))
    (folder / "wired.conf").write_text(text)
    words = [*cable.box, "wpa_supplicant", "-D", "wired", "-i", PORT, "-c", str(folder / "wired.conf")]
    with (folder / "box.log").open("w") as log:
        box = subprocess.Popen(words, stdout=log, stderr=log)
        clock, said = Clock(), ""
        for _ in range(300):
            asked = [*cable.box, "wpa_cli", "-p", str(control), "-s", str(folder), "-i", PORT, "status"]
            status = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30).stdout
            said = network_state.port_access(status)
            if said != network_state.ASKS:
                break
            clock.pause(0.1)
        end(box)
    return said


def test_a_switch_lets_in_a_box_with_a_certificate_of_the_clinic(cable: Cable, pki: Pki, tmp_path: Path) -> None:
    assert answer(cable, tmp_path, pki.access("box")) == network_state.LETS_IN
    assert "CTRL-EVENT-EAP-SUCCESS" in (pki.folder / "switch.log").read_text()


def test_a_switch_refuses_a_box_with_a_certificate_of_another_authority(
    cable: Cable, pki: Pki, tmp_path: Path
) -> None:
    assert answer(cable, tmp_path, pki.access("stranger")) == network_state.REFUSES


def test_a_box_shows_nothing_to_a_switch_that_is_not_the_clinics(cable: Cable, pki: Pki, tmp_path: Path) -> None:
    assert answer(cable, tmp_path, pki.access("box", ca="other")) == network_state.REFUSES
    assert "certificate verify failed" in (tmp_path / "box.log").read_text()
