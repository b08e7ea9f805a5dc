"""P11: seconds from the start of `capture` until its first picture can be captured. Only printed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.box import capture_process, wait_until_live
from benchmarks.harness import Bar, Pair
from gateway import wire
from tests.box import Box


@contextmanager
def _pair(folder: Path) -> Iterator[Pair]:
    box = Box(folder)

    def ours() -> float:
        start = time.perf_counter()
        with capture_process(box.config):
            wait_until_live(box.runtime / wire.SOCKET_NAME)
            return time.perf_counter() - start

    yield Pair(ours=ours, theirs=lambda: 1.0)


BARS = (
    Bar(
        name="P11",
        what="seconds from the start of capture until the first picture can be captured (1.5 s wanted here)",
        ours="s",
        theirs="one second",
        pair=_pair,
    ),
)
