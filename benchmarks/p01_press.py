"""P1: from a press to the acknowledged still, against the same encoding and one durable write of its bytes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import samples
from benchmarks.desk import Desk, opened_desk
from benchmarks.harness import Bar, Pair
from gateway.capture.moment import Ask
from gateway.capture.presses import Origin
from hardware.codecs import lossless_jpeg
from hardware.sources import Picture, PixelFormat

_MS = 1000


@contextmanager
def _pair(folder: Path) -> Iterator[Pair]:
    pixels = samples.screen()
    columns, rows = samples.HD

    def picture(clock_ns: int, counter: int) -> Picture:
        return Picture(
            counter=counter,
            time_ns=clock_ns,
            format=PixelFormat.RGB24,
            width=columns,
            height=rows,
            planes=(pixels,),
        )

    stream = lossless_jpeg(pixels)
    target = folder / "plain"
    target.mkdir()
    with opened_desk(folder / "spool", picture) as desk:

        def theirs() -> float:
            start = time.perf_counter()
            samples.durable_write(target / "still", lossless_jpeg(pixels))
            return (time.perf_counter() - start) * _MS

        yield Pair(ours=partial(_press, desk), theirs=theirs, facts={"codestream": f"{len(stream) / 1e6:.2f} MB"})


def _press(desk: Desk) -> float:
    desk.grabber.step()
    start = time.perf_counter()
    desk.presses.take_still(Ask(time_ns=desk.clock.boottime_ns()), Origin.SOCKET).result(30)
    spent = time.perf_counter() - start
    desk.due.step()
    return spent * _MS


BARS = (
    Bar(
        name="P1",
        what="press to acknowledged still, 1080p lossless / the same encoding + durable write of the same bytes",
        ours="ms from press to answer",
        theirs="ms to encode and write",
        pair=_pair,
        at_most=1.3,
        stretch=1.1,
        turns=7,
        needs_disk=True,
    ),
)
