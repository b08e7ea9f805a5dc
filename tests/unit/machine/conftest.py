"""A machine in a folder: its places, its ports, and programs that are only written down."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.errors import MachineFailed
from gateway.machine.network.ports import Port
from gateway.machine.settings.applying import Applying, Places


@dataclass
class Programs:
    """Answers by the program's name; `fail`: those that do not work."""

    said: dict[str, str] = field(default_factory=dict)
    fail: set[str] = field(default_factory=set)
    ran: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)

    def run(self, *words: str, given: str = "") -> str:
        if words[0] in self.fail:
            raise MachineFailed
        self.ran.append(" ".join(words))
        self.given.append(given)
        return next((text for name, text in self.said.items() if " ".join(words).startswith(name)), "")


@pytest.fixture
def programs() -> Programs:
    return Programs()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("etc", "run/systemd/netif", "told"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "hostname").write_text("scopegate\n")
    made = Places(
        machine=tmp_path / "etc/machine.toml",
        settings=tmp_path / "etc/scopegate.toml",
        run=tmp_path / "run",
        told=tmp_path / "told",
        hostname=tmp_path / "hostname",
    )
    made.settings.write_text("")
    return made


@pytest.fixture
def applying(places: Places, programs: Programs) -> Applying:
    ports = [Port(name="enp1s0", cable=True), Port(name="enp2s0", cable=False)]
    return Applying(places=places, programs=programs, ports=lambda: ports)
