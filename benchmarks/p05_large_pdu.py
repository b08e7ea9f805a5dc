"""P5: small stills a second to a peer without delays and with PDUs of 128 KB, ours against storescu."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import samples
from benchmarks.harness import Bar, Pair
from benchmarks.sending import Load, race

_BYTES = 182_000
_COUNT = 300


@contextmanager
def _pair(folder: Path) -> Iterator[Pair]:
    stream, rows, columns = samples.codestream_of(_BYTES)
    load = Load(folder=folder / "load", stream=stream, rows=rows, columns=columns, count=_COUNT)
    with race(load, peer="storescp-large") as pair:
        yield pair


BARS = (
    Bar(
        name="P5",
        what="182 KB stills a second to storescp with TCP_NODELAY=1 and PDUs of 128 KB, ours / storescu",
        ours="stills/s",
        theirs="storescu stills/s",
        pair=_pair,
        at_least=0.5,
        stretch=1.0,
    ),
)
