"""P2: a stored still becomes a sealed, verified, queued object, against one durable write of its bytes.

Both flush, so the ratio depends on what a flush costs. P2 is this machine's disk; P2b delays every flush of both
sides by what a memory card takes at least, with strace(1). P2c is what no safe sealing can leave out, without a
header to build or to check: no sealing can have a lower ratio on this disk.
"""

import hashlib
import itertools
import os
import shutil
import sqlite3
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
        os.sync()  # what was written before is no part of it
        start = time.perf_counter()
        while wrapper.step():
            pass
        spent = time.perf_counter() - start
        assert not spool.captures.unsealed()
        return spent / _STILLS * _MS

    try:
        yield Pair(
            ours=ours, theirs=partial(_plain, target, stream), facts={"codestream": f"{len(stream) / 1000:.0f} KB"}
        )
    finally:
        spool.close()


def _plain(folder: Path, stream: bytes) -> float:
    """Write the same bytes durably; return the milliseconds of one."""
    os.sync()
    start = time.perf_counter()
    for number in range(_STILLS):
        samples.durable_write(folder / f"still-{number}", stream)
    return (time.perf_counter() - start) / _STILLS * _MS


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


@contextmanager
def _the_least(folder: Path) -> Iterator[Pair]:
    """Copy a still that is hashed, flush, read back, hash, note it in an index, remove the first copy: no more."""
    stream, _, _ = samples.codestream_of(_BYTES)
    target = folder / "plain"
    target.mkdir()
    index = sqlite3.connect(folder / "index", isolation_level=None)
    index.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE object (name TEXT PRIMARY KEY, picture TEXT, file TEXT)"
    )

    exams = itertools.count()

    def least() -> float:
        exam = folder / f"exam-{next(exams)}"
        exam.mkdir()
        media = [exam / f"{number}.media" for number in range(_STILLS)]
        for path in media:
            samples.durable_write(path, stream)
        os.sync()
        start = time.perf_counter()
        _seal_bare(exam, media, index)
        return (time.perf_counter() - start) / _STILLS * _MS

    try:
        yield Pair(ours=least, theirs=partial(_plain, target, stream))
    finally:
        index.close()


def _seal_bare(folder: Path, media: list[Path], index: sqlite3.Connection) -> None:
    parts = [folder / f"{path.stem}.part" for path in media]
    fds = [os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for part in parts]
    for fd, path in zip(fds, media, strict=True):
        os.write(fd, path.read_bytes())
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    for fd in fds:
        os.fsync(fd)
        os.close(fd)
    sums = []
    for part in parts:
        part.replace(part.with_suffix(".dcm"))
        content = part.with_suffix(".dcm").read_bytes()
        picture, file = (hashlib.sha256(content).hexdigest() for _ in range(2))  # for its record and for its seal
        sums.append((f"{folder.name} {part.stem}", picture, file))
    samples.flush_folder(folder)
    index.execute("BEGIN")
    index.executemany("INSERT INTO object VALUES (?, ?, ?)", sums)
    index.execute("COMMIT")
    for path in media:
        path.unlink()
    samples.flush_folder(folder)


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
    Bar(
        name="P2c",
        what="the least that a safe sealing does / durable write of the same bytes",
        ours="ms a still, 20 in a row",
        theirs="ms a write",
        pair=_the_least,
        turns=3,
        needs_disk=True,
    ),
)

if __name__ == "__main__":
    _answer(Path(sys.argv[1]))
