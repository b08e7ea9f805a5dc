"""A spool for every test, on a disk that can fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.forward.bench import Disk
from tests.forward.step_bench import Server
from tests.unit.conftest import clock, root

__all__ = ["clock", "root"]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def spool(root: Path, clock: FakeClock, disk: Disk) -> Iterator[Spool]:
    opened = open_spool(root, clock=clock, files=disk, destinations=("pacs",))
    yield opened
    opened.close()


@pytest.fixture
def server() -> Server:
    """A procedure step server that takes everything until a test says otherwise."""
    return Server()


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A folder that stands for a medium."""
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder
