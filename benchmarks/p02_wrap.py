"""P2: a stored still becomes a sealed, verified, queued object, against one durable write of its bytes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import samples
from benchmarks.harness import Bar, Pair
from gateway.clock import Clock
from gateway.forward.making.wrap import Wrapper
from gateway.spool.opening import open_spool

_BYTES = 300_000
_STILLS = 20  # an exam's
_MS = 1000


@contextmanager
def _pair(folder: Path) -> Iterator[Pair]:
    clock = Clock()
    spool = open_spool(folder / "spool", clock=clock)
    wrapper = Wrapper(spool=spool, station=samples.STATION, destinations=["pacs"])
    stream, rows, columns = samples.codestream_of(_BYTES)
    target = folder / "plain"
    target.mkdir()

    def ours() -> float:
        exam, _ = spool.exams.open(samples.SUBJECT)
        for number in range(1, _STILLS + 1):
            record = samples.capture(clock, exam.id, number, stream=stream, rows=rows, columns=columns)
            spool.captures.write_media(exam.id, record.media, [stream])
            spool.captures.write_sidecar(record)
            spool.captures.put_row(record)
        spool.exams.finish(exam.id)
        spool.exams.release(exam.id)
        start = time.perf_counter()
        while wrapper.step():
            pass
        spent = time.perf_counter() - start
        assert not spool.captures.unsealed()
        return spent / _STILLS * _MS

    def theirs() -> float:
        start = time.perf_counter()
        for number in range(_STILLS):
            samples.durable_write(target / f"still-{number}", stream)
        return (time.perf_counter() - start) / _STILLS * _MS

    try:
        yield Pair(ours=ours, theirs=theirs, facts={"codestream": f"{len(stream) / 1000:.0f} KB"})
    finally:
        spool.close()


BARS = (
    Bar(
        name="P2",
        what="wrap and seal a 300 KB still / durable write of the same bytes",
        ours="ms a still, 20 in a row",
        theirs="ms a write",
        pair=_pair,
        at_most=1.5,
        stretch=1.1,
        rounds=7,
        turns=3,
        needs_disk=True,
    ),
)
