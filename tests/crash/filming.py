"""A capture process that films, for tests that kill it: `python -m tests.crash.filming FOLDER [HOW]`.

It opens an exam, starts a clip of the test picture at once and goes on until it is killed. Meanwhile it writes down
how much of each of the clip's files was flushed: more than that no power cut need leave. HOW: `careless` or
`unflushed`.
"""

import fcntl
import os
import sys
from functools import partial
from pathlib import Path

from gateway.capture.moment import Ask
from gateway.capture.parts import Devices, build
from gateway.capture.presses import Origin
from gateway.clock import Clock
from gateway.config.settings import Settings, Source, Station
from gateway.model import Identity, Patient
from gateway.spool.files import Files
from gateway.spool.opening import open_spool
from gateway.spool.subjects import Subject
from gateway.threads import Supervisor
from hardware.sources.pattern import PatternSource

FIRST = 60  # writes of a clip: its start and a few frames
FLUSHED = "flushed"  # lines of a file's name and the size that is safe


class Noted(Files):
    """Writes down what was flushed of files that grow; flushes no more of them than `most` times."""

    def __init__(self, note: Path, most: float = float("inf")) -> None:
        self._note = os.open(note, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self._most = most

    def _sync(self, fd: int) -> None:
        growing = bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND)
        self._most -= growing
        if growing and self._most < 0:
            return
        size = os.fstat(fd).st_size
        super()._sync(fd)
        if growing:
            name = Path(os.readlink(f"/proc/self/fd/{fd}")).name  # noqa: PTH115 - of a descriptor
            os.write(self._note, f"{name} {size}\n".encode())


def flushed(folder: Path) -> dict[str, int]:
    """Return how much of each of a clip's files was flushed, by name; a torn last line counts for nothing."""
    lines = (folder / FLUSHED).read_text().rpartition("\n")[0].splitlines()
    return {name: int(size) for name, size in (line.split() for line in lines)}


class Careless(Files):
    """Keeps to itself what it is given after the first frames, as a buffer that nobody empties."""

    def __init__(self) -> None:
        self._given = 0

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        growing = bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND)  # a clip's files
        self._given += growing
        if not growing or self._given <= FIRST:
            super()._write(fd, data)


def main(folder: Path, files: Files) -> None:
    clock, supervisor = Clock(), Supervisor()
    settings = Settings(
        station=Station(data_dir=folder / "data", runtime_dir=folder / "run"),
        sources=(Source(name="us", device="pattern:bars", modality="US"),),
    )
    spool = open_spool(settings.station.data_dir, clock=clock, files=files)

    def source(_: Source) -> PatternSource:
        return PatternSource(kind="bars", clock_ns=clock.boottime_ns, wait=clock.pause, size=(320, 180), rate=30)

    parts = build(settings, spool, Devices(source=source, trigger=_none, sign=_none), 1)
    supervisor.start("source", partial(parts.grabbers["us"].run, supervisor.stop))
    supervisor.start("clip", partial(parts.clips.work, "us", supervisor.stop))
    spool.exams.open(Subject(identity=Identity.TYPED, patient=Patient(name="A^B", id="1")), close_open=True)
    since_ns, ring = clock.boottime_ns(), parts.grabbers["us"].ring
    while (
        newest := ring.newest()
    ) is None or newest.time_ns < since_ns:  # one of this exam: a busy machine has none yet
        clock.pause(0.01)
    clip = parts.desk.presses.take_clip(Ask(time_ns=clock.boottime_ns(), source="us"), Origin.SOCKET).result(30)
    print(clip, flush=True)
    supervisor.run()


def _none(_: object) -> None:
    raise AssertionError("there is none")


if __name__ == "__main__":
    where, how = Path(sys.argv[1]), sys.argv[2:]
    most = 3 if "unflushed" in how else float("inf")  # its header and its first frame
    main(where, Careless() if "careless" in how else Noted(where / FLUSHED, most))
