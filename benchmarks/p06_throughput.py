"""P6: large objects at the usual PDU of 16 KB, megabytes a second, ours against storescu."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import samples
from benchmarks.harness import Bar, Pair
from benchmarks.sending import Load, race

_BYTES = 6_000_000
_COUNT = 50


@contextmanager
def _pair(folder: Path) -> Iterator[Pair]:
    stream, rows, columns = samples.noise_of(_BYTES)
    load = Load(folder=folder / "load", stream=stream, rows=rows, columns=columns, count=_COUNT)
    with race(load, peer="storescp", in_megabytes=True) as pair:
        yield pair


BARS = (
    Bar(
        name="P6",
        what="6 MB objects, MB/s at PDUs of 16 KB to stock storescp, ours / storescu",
        ours="MB/s",
        theirs="storescu MB/s",
        pair=_pair,
        at_least=0.9,
        stretch=1.5,
    ),
)
