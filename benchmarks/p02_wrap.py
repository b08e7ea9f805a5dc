"""P2: a stored still becomes a sealed, verified, queued object, against one durable write of its bytes.

Both flush, so the ratio depends on what a flush costs. P2 is this machine's disk; P2b delays every flush of both
sides by what a memory card takes at least, with strace(1).
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import samples
from benchmarks.harness import Bar, NotHere, Pair
from gateway.clock import Clock
from gateway.forward.making.wrap import Wrapper
from gateway.spool.opening import open_spool

_BYTES = 300_000
_STILLS = 20  # an exam's
_MS = 1000
_CARD_MS = 6  # a new file's flush is three writes or more; a card of class A1 does 500 random ones a second
_SYSCALLS = "fsync,fdatasync"


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
    with _pair(folder) as pair:
        for side in sys.stdin:
            print({"ours": pair.ours, "theirs": pair.theirs}[side.strip()](), flush=True)


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
    Bar(
        name="P2b",
        what="the same where a flush takes 6 ms more, as on a memory card",
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
