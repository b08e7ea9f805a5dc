"""What the tests of spool, capture and forward begin with: a clock that stands still, and a data folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from tests.memory import folder_in_memory


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def root() -> Iterator[Path]:
    """A data folder that does not exist yet."""
    with folder_in_memory() as folder:
        yield folder / "data"
