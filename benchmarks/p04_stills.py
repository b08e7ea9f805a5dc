"""P4: small stills a second to stock archives, ours against DCMTK's storescu with TCP_NODELAY=1."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import samples
from benchmarks.harness import Bar, Pair
from benchmarks.sending import Load, race

_BYTES = 182_000
_COUNT = 40


@contextmanager
def _pair(folder: Path, *, peer: str) -> Iterator[Pair]:
    stream, rows, columns = samples.codestream_of(_BYTES)
    load = Load(folder=folder / "load", stream=stream, rows=rows, columns=columns, count=_COUNT)
    with race(load, peer=peer) as pair:
        yield pair


def _bar(name: str, peer: str) -> Bar:
    return Bar(
        name=name,
        what=f"182 KB stills a second to stock {peer}, ours / storescu",
        ours="stills/s",
        theirs="storescu stills/s",
        pair=partial(_pair, peer=peer),
        at_least=3,
        stretch=5,
        rounds=5,
    )


BARS = (_bar("P4", "storescp"), _bar("P4b", "orthanc"))
