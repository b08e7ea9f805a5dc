"""P2: a stored still becomes a DICOM object, against one durable write of its bytes.

P2 goes until the object is durable under its final name: built, written, flushed, renamed; P2p is the same of plain
pydicom. P2d goes on until nothing is left to do: read back and compared, sealed, queued, its media removed. All of
them flush, so the ratios depend on what a flush costs: P2b is P2d where every flush of both sides is delayed, with
strace(1), by what a memory card takes at least.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import samples
from benchmarks.harness import Bar, NotHere, Pair
from gateway.clock import Clock
from gateway.forward.making.wrap import Wrapper
from gateway.spool.objects import Objects
from gateway.spool.opening import open_spool

BYTES = 300_000
STILLS = 20  # an exam's
MS = 1000
_CARD_MS = 6  # a new file's flush is three writes or more; a card of class A1 does 500 random ones a second
_SYSCALLS = "fsync,fdatasync"


@contextmanager
def _pair(folder: Path, *, whole: bool) -> Iterator[Pair]:
    clock = Clock()
    spool = open_spool(folder / "spool", clock=clock)
    wrapper = Wrapper(spool=spool, station=samples.STATION, destinations=["pacs"])
    named = _told_when_named(spool.objects)
    stream, rows, columns = samples.codestream_of(BYTES)
    target = folder / "plain"
    target.mkdir()

    def ours() -> float:
        exam, _ = spool.exams.open(samples.SUBJECT)
        for number in range(1, STILLS + 1):
            record = samples.capture(clock, exam.id, number, stream=stream, rows=rows, columns=columns)
            spool.captures.write_media(exam.id, record.media, [stream])
            spool.captures.write_sidecar(record)
            spool.captures.put_row(record)
        spool.exams.finish(exam.id)
        spool.exams.release(exam.id)
        os.sync()  # what was written before is no part of it
        start = time.perf_counter()
        while wrapper.step():
            pass
        end = time.perf_counter() if whole else named.pop()
        assert not spool.captures.unsealed()
        return (end - start) / STILLS * MS

    try:
        yield Pair(
            ours=ours, theirs=partial(plain, target, stream), facts={"codestream": f"{len(stream) / 1000:.0f} KB"}
        )
    finally:
        spool.close()


def _told_when_named(objects: Objects) -> list[float]:
    """Return a list that gets the time whenever the files of a group have their names."""
    times: list[float] = []
    write_all = objects.write_all

    def told(exam: str, contents: Mapping[str, Iterable[bytes]]) -> None:
        write_all(exam, contents)
        times.append(time.perf_counter())

    objects.write_all = told  # type: ignore[method-assign]
    return times


def plain(folder: Path, stream: bytes) -> float:
    """Write the same bytes durably; return the milliseconds of one."""
    os.sync()
    start = time.perf_counter()
    for number in range(STILLS):
        samples.durable_write(folder / f"still-{number}", stream)
    return (time.perf_counter() - start) / STILLS * MS


@contextmanager
def _on_a_card(folder: Path) -> Iterator[Pair]:
    """Measure the pair in a process of its own, which strace holds at every flush."""
    if not shutil.which("strace"):
        raise NotHere("strace is not installed")
    slowly = ["-e", f"trace={_SYSCALLS}", "-e", f"inject={_SYSCALLS}:delay_exit={_CARD_MS}ms", "-o", "/dev/null"]
    child = subprocess.Popen(
        ["strace", "-f", "--seccomp-bpf", *slowly, sys.executable, "-m", __spec__.name, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(side: str) -> float:
        assert child.stdin
        assert child.stdout
        child.stdin.write(side + "\n")
        child.stdin.flush()
        if not (answer := child.stdout.readline()):
            raise NotHere("strace may not hold other processes here")
        return float(answer)

    with child:
        yield Pair(ours=partial(ask, "ours"), theirs=partial(ask, "theirs"), facts={"flush": f"+{_CARD_MS} ms"})


def _answer(folder: Path) -> None:
    """Measure a side for each line of the standard input."""
    with _pair(folder, whole=True) as pair:
        for side in sys.stdin:
            print({"ours": pair.ours, "theirs": pair.theirs}[side.strip()](), flush=True)


BARS = (
    Bar(
        name="P2",
        what="build, write, flush and rename a 300 KB still's object / durable write of the same bytes",
        ours="ms a still, 20 in a row",
        theirs="ms a write",
        pair=partial(_pair, whole=False),
        at_most=1.5,
        stretch=1.1,
        rounds=7,
        turns=3,
        needs_disk=True,
    ),
    Bar(
        name="P2d",
        what="the same as P2 and read back, sealed, queued, the media removed / durable write of the same bytes",
        ours="ms a still, 20 in a row",
        theirs="ms a write",
        pair=partial(_pair, whole=True),
        rounds=7,
        turns=3,
        needs_disk=True,
    ),
    Bar(
        name="P2b",
        what="the same as P2d where a flush takes 6 ms more, as on a memory card",
        ours="ms a still, 20 in a row",
        theirs="ms a write",
        pair=_on_a_card,
        at_most=1.5,
        stretch=1.1,
        rounds=5,
        needs_disk=True,
    ),
)

if __name__ == "__main__":
    _answer(Path(sys.argv[1]))
