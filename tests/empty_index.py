"""The index of a box that was started once, made once: its schema alone takes longer than most tests."""

from functools import cache
from pathlib import Path

from gateway.clock import FakeClock
from gateway.spool.opening import open_spool
from gateway.spool.paths import Layout
from tests.memory import folder_in_memory


def with_index(root: Path) -> Path:
    """Make a data folder in which the index is there already; what opening a new one does is for tests of that."""
    root.mkdir(mode=0o750, parents=True, exist_ok=True)
    database = Layout(root).database
    database.touch(mode=0o640, exist_ok=False)
    database.write_bytes(_empty())
    return root


@cache
def _empty() -> bytes:
    with folder_in_memory() as folder:
        open_spool(folder, clock=FakeClock()).close()
        return Layout(folder).database.read_bytes()
