"""A spool in memory for every test, with a clock that stands still."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.unit.forward.bench import Disk

_MEMORY = Path("/dev/shm")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A data folder in memory, where flushing is quick: what it is worth, tests/crash finds out."""
    if not os.access(_MEMORY, os.W_OK):
        yield tmp_path / "data"
        return
    with tempfile.TemporaryDirectory(dir=_MEMORY, prefix="scopegate-test-") as folder:
        yield Path(folder) / "data"


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def spool(root: Path, clock: FakeClock, disk: Disk) -> Iterator[Spool]:
    opened = open_spool(root, clock=clock, files=disk, destinations=("pacs",))
    yield opened
    opened.close()
