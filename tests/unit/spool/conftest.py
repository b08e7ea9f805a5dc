"""A fresh spool for every test, opened as often as it likes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.empty_index import with_index


@pytest.fixture
def opened(root: Path, clock: FakeClock) -> Iterator[Callable[..., Spool]]:
    """Open the data folder as one more process would; all are closed in the end."""
    spools: list[Spool] = []

    def another(**words: object) -> Spool:
        words = {"clock": clock, "destinations": ("pacs",), **words}
        spools.append(open_spool(root, **words))  # type: ignore[arg-type]
        return spools[-1]

    yield another
    for spool in spools:
        spool.close()


@pytest.fixture
def spool(root: Path, opened: Callable[..., Spool]) -> Spool:
    with_index(root)
    return opened()


@pytest.fixture
def reopened(spool: Spool, opened: Callable[..., Spool]) -> Callable[..., Spool]:
    """Leave the spool and open it again; with `lose_index` its database is deleted in between."""

    def again(*, lose_index: bool = False, **words: object) -> Spool:
        spool.close()
        if lose_index:
            for path in spool.layout.root.glob("scopegate.db*"):
                path.unlink()
        return opened(**words)

    return again
