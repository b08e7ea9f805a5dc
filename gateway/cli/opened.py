"""The spool for a command: opened by the configuration, closed afterwards. And tables for people."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway.clock import Clock
from gateway.config import reader
from gateway.config.settings import Settings
from gateway.errors import NotFound
from gateway.spool.opening import open_spool
from gateway.spool.paths import Layout
from gateway.spool.spool import Spool


@contextmanager
def spool_of(config: Path) -> Iterator[tuple[Settings, Spool]]:
    """Open the spool of a configuration. Raises NotFound when there is none yet: a command creates nothing."""
    settings = reader.read(config, os.environ)
    data_dir = settings.station.data_dir
    if not Layout(data_dir).exams.is_dir():
        raise NotFound(
            f"There is no data in {data_dir} yet.", action="Start `scopegate run` once, or check data_dir."
        )
    to, reserve_mb = settings.destinations, settings.retention.reserve_mb
    spool = open_spool(data_dir, clock=Clock(), destinations=to, reserve_mb=reserve_mb)
    try:
        yield settings, spool
    finally:
        spool.close()


def counted(number: int, word: str) -> str:
    """Return "1 exam", "2 exams"; "try" has "tries"."""
    many = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number} {word if number == 1 else many}"


def print_table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under titles, as wide as the terminal allows."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*titles, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console().print(table)
