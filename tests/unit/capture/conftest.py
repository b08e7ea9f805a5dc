"""A capture process in pieces: real spool, real recorder, a clock that stands still, a disk that does as told."""

import errno
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from gateway import wire
from gateway.capture.answers import Due
from gateway.capture.clips import Clips
from gateway.capture.foreseen import Foreseen
from gateway.capture.grabber import Grabber
from gateway.capture.heat import Heat
from gateway.capture.moment import Ask, Moments, Patience
from gateway.capture.pedals import Pedal
from gateway.capture.prerecord import PreRecord
from gateway.capture.presses import Origin, Presses
from gateway.capture.preview import Preview
from gateway.capture.recorder import Recorder
from gateway.capture.requests import Requests
from gateway.capture.ring import Frame, Ring
from gateway.capture.server import Desk, Server
from gateway.capture.signs import Sign
from gateway.capture.status import Status
from gateway.capture.workbench import Tools, Workbench
from gateway.clock import Clock, FakeClock
from gateway.config.settings import Source as SourceSettings
from gateway.config.settings import Station
from gateway.model import Exam, Identity, Patient, RequestStamp
from gateway.spool.disk.room import Room
from gateway.spool.disk.space import Space
from gateway.spool.files import Files
from gateway.spool.opening import open_spool
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.subjects import Subject
from gateway.threads import Supervisor
from hardware.errors import DeviceError
from hardware.fakes import ScriptedSource, ScriptedTrigger
from hardware.indicators.fakes import FakeOutput, Recorded
from hardware.machine import Sensors
from hardware.sources import Picture, PixelFormat
from hardware.sources.pattern import Pattern
from tests.empty_index import with_index
from tests.unit.capture.calling import can_connect

SIZE = (320, 180)
PATIENCE_S = 10.0
USUAL = Patience()
PATTERNS = {SIZE: Pattern("bars", SIZE), (640, 360): Pattern("bars", (640, 360))}


def eventually(holds: Callable[[], object], clock: Clock | None = None) -> None:
    """Poll until `holds` or fail after ten seconds."""
    clock = clock or Clock()
    end = clock.boottime_ns() + int(PATIENCE_S * 1e9)
    while not holds():
        assert clock.boottime_ns() < end, "this never came to be"
        clock.pause(0.005)


def _name_of(fd: int) -> str:
    return Path(f"/proc/self/fd/{fd}").readlink().name


class Disk(Files):
    """Does what a disk does; is full or stands still at the steps for which it is told to."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self.full: Callable[[str, str], bool] = lambda _operation, _name: False
        self.held: Callable[[str, str], bool] = lambda _operation, _name: False
        self.moves = threading.Event()
        self.waiting = threading.Semaphore(0)

    def _step(self, operation: str, name: str) -> None:
        self.steps.append((operation, name))
        if self.held(operation, name):
            self.waiting.release()
            assert self.moves.wait(PATIENCE_S)
        if self.full(operation, name):
            raise OSError(errno.ENOSPC, "no room")

    def _create(self, path: Path, *, keep: bool = False) -> int:
        self._step("create", path.name)
        return super()._create(path, keep=keep)

    def _write(self, fd: int, data: bytes | memoryview) -> None:
        name = _name_of(fd)
        if self.full("half-write", name):
            super()._write(fd, bytes(data)[: len(data) // 2])
            raise OSError(errno.ENOSPC, "no room")
        self._step("write", name)
        super()._write(fd, data)

    def _sync(self, fd: int) -> None:
        self._step("sync", _name_of(fd))

    def _rename(self, old: Path, new: Path) -> None:
        self._step("rename", new.name)
        super()._rename(old, new)
        self._last = new.name

    def _sync_folder(self, path: Path) -> None:
        self._step("sync-folder", getattr(self, "_last", path.name))


class Box:
    """What a capture process holds, with its storing threads; the sources are fed by hand."""

    def __init__(
        self,
        root: Path,
        *,
        clock: FakeClock,
        sources: tuple[str, ...],
        ring_bytes: int,
        patience: Patience,
    ) -> None:
        self.root, self.clock, self.disk = root, clock, Disk()
        spool = open_spool(root if root.exists() else with_index(root), clock=clock, files=self.disk)
        recover_captures(spool)
        self.free, self.total = 0.5, 64 * 10**9  # a share, and bytes
        self.spool = replace(spool, space=Space(look=self.room, captures=spool.captures, clock=clock))
        self.indicator = Recorded()
        self._fed: dict[str, deque[Picture | DeviceError | None]] = {name: deque() for name in sources}
        self._counters = dict.fromkeys(sources, 0)
        self.sources = {name: ScriptedSource(*(self._script(name) for _ in range(9))) for name in sources}
        self.grabbers = {
            name: Grabber(
                settings=SourceSettings(name=name),
                source=source,
                ring=Ring(start_counter=3, budget_bytes=ring_bytes),
                clock=clock,
            )
            for name, source in self.sources.items()
        }
        self.recorder, self.due = Recorder(spool=self.spool, row_patience_ms=100), Due(clock=clock)
        self.moments = Moments(spool=self.spool, grabbers=self.grabbers, clock=clock, patience=patience)
        self.prerecords: dict[str, PreRecord] = {}
        self.clips = Clips(
            spool=self.spool,
            recorder=self.recorder,
            clock=clock,
            sources=sources,
            prerecords=self.prerecords,
            next_part=self.moments.next_part,
        )
        self.machine = root.parent / f"{root.name}-sys"  # its sensors: none, until a test makes some
        self.heat = Heat(sensors=Sensors(self.machine), clock=clock)
        self.presses = Presses(
            spool=self.spool,
            moments=self.moments,
            recorder=self.recorder,
            clips=self.clips,
            requests=Requests(spool=self.spool, recorder=self.recorder),
            due=self.due,
            heat=self.heat,
            indicator=self.indicator,
            station=Station(name="ROOM-2", institution="Clinic"),
            clock=clock,
        )
        self.supervisor = Supervisor()
        self.ended = False
        self.halted = False  # asked to stop: no thread died

    def room(self) -> Room:
        """Return the disk as the test decided it is."""
        return Room(total=self.total, free=int(self.total * self.free))

    def start(self) -> None:
        """Start the threads that store."""
        for number in range(2):
            self.supervisor.start(f"store-{number}", lambda: self.recorder.work(self.supervisor.stop))
        for name in self.grabbers:
            self.supervisor.start(f"clip-{name}", lambda name=name: self.clips.work(name, self.supervisor.stop))

    def halt(self) -> None:
        """Ask all threads to stop."""
        self.halted = True
        self.supervisor.stop.set()

    def end(self) -> bool:
        """Stop as the process does; False when a thread died."""
        self.ended = True
        self.disk.moves.set()
        well = self.halted or not self.supervisor.stop.is_set()
        self.halt()
        well &= self.supervisor.run(PATIENCE_S)
        self.spool.close()
        return well

    # --- what the world does ------------------------------------------------------------------------------

    def show(self, source: str = "us", *, count: int = 1, size: tuple[int, int] = SIZE, skip: int = 0) -> Frame:
        """Let a source give pictures, 40 ms apart, the last one now; the counter jumps by `skip` first."""
        grabber = self.grabbers[source]
        self._counters[source] += skip
        for _ in range(count):
            self.clock.move(0.04)
            counter = self._counters[source] = self._counters[source] + 1
            self.give(source, picture(counter, self.clock.boottime_ns(), size))
        frame = grabber.ring.newest()
        assert frame
        return frame

    def give(self, source: str, item: Picture | DeviceError | None) -> bool:
        """Let a source give this, and its thread read it."""
        self._fed[source].append(item)
        return self.grabbers[source].step()

    def exam(self, name: str = "Meier^Anna", *, close_open: bool = False) -> Exam:
        """Open an exam after some time, and let some time pass."""
        self.clock.move(0.01)
        subject = Subject(identity=Identity.TYPED, patient=Patient(name=name, id=name[:3]))
        exam, _ = self.spool.exams.open(subject, close_open=close_open)
        self.clock.move(0.01)
        return exam

    def ask(self, **values: object) -> Ask:
        return Ask(**{"source": "us", "time_ns": self.clock.boottime_ns(), **values})  # type: ignore[arg-type]

    def press(self, **values: object) -> Future:
        return self.presses.take_still(self.ask(**values), Origin.SOCKET)

    def clip(self, **values: object) -> str:
        return self.presses.take_clip(self.ask(**values), Origin.SOCKET).result(PATIENCE_S)

    def stop(self, uid: str) -> list[str]:
        return self.presses.stop_clip(uid, Origin.SOCKET)

    def answers(self) -> list[str]:
        return [str(answer) for answer in self.indicator.answers]

    def files(self, exam: Exam) -> set[str]:
        """Return the names of an exam's files that belong to captures."""
        names = {path.name for path in self.spool.layout.exam(exam.id).iterdir()}
        return {name for name in names if name not in {"exam.json", ".lock"}}

    def _script(self, name: str) -> Iterator[Picture | DeviceError | None]:
        while True:
            yield self._fed[name].popleft()


def picture(counter: int, time_ns: int, size: tuple[int, int] = SIZE) -> Picture:
    return Picture(
        counter=counter,
        time_ns=time_ns,
        format=PixelFormat.RGB24,
        width=size[0],
        height=size[1],
        planes=(PATTERNS[size].draw(counter),),
    )


@pytest.fixture
def boxes(root, clock) -> Iterator[Callable[..., Box]]:
    """Start a box on the same data folder as the one before."""
    made: list[Box] = []

    def start(
        *,
        sources: tuple[str, ...] = ("us",),
        ring_bytes: int = 64 << 20,
        root: Path = root,
        patience: Patience = USUAL,
    ) -> Box:
        made.append(Box(root, clock=clock, sources=sources, ring_bytes=ring_bytes, patience=patience))
        made[-1].start()
        return made[-1]

    yield start
    running = [box for box in made if not box.ended]
    assert not any(box.supervisor.stop.is_set() and not box.halted for box in running), "a thread died"
    for box in running:  # their threads end soon; nobody needs to wait for them
        box.disk.moves.set()
        box.supervisor.stop.set()


@pytest.fixture
def box(boxes) -> Box:
    return boxes()


@pytest.fixture
def wait() -> Callable[..., None]:
    return eventually


@pytest.fixture
def stamp() -> Callable[..., RequestStamp]:
    return lambda name="r-1", digest="d": RequestStamp(id=name, digest=digest)


@pytest.fixture
def desk(boxes: Callable[..., Any], clock: FakeClock) -> tuple[Any, Desk]:
    box = boxes(sources=("us", "scope"))
    pedal = Pedal(
        name="serial-1", trigger=ScriptedTrigger(repeat(None)), source="us", presses=box.presses, clock=clock
    )
    status = Status(
        spool=box.spool,
        grabbers=box.grabbers,
        pedals=[pedal],
        signs=[Sign(name="tone-1", output=FakeOutput(), clock=clock)],
        presses=box.presses,
        clips=box.clips,
        foreseen=Foreseen(clips=box.clips, spool=box.spool, indicator=box.indicator, clock=box.clock),
        recorder=box.recorder,
        heat=box.heat,
        clock=clock,
    )
    previews = {name: Preview(ring=grabber.ring) for name, grabber in box.grabbers.items()}
    desk = Desk(
        presses=box.presses,
        recorder=box.recorder,
        previews=previews,
        status=status,
        bench=Workbench(
            spool=box.spool, tools=Tools(), source=lambda _: box.sources["us"], grabbers=box.grabbers, clock=clock
        ),
        start_counter=3,
        clock=clock,
    )
    return box, desk


@pytest.fixture
def served(desk: tuple[Any, Desk], tmp_path: Path, wait: Callable[..., None]) -> Any:
    """Serve on a socket; what is returned makes calls."""
    box, behind = desk
    path = tmp_path / "capture.sock"
    server = Server(path=path, desk=behind, supervisor=box.supervisor, slowest_s=0.3)
    box.supervisor.start("socket", server.run)
    wait(lambda: path.exists() and can_connect(path))
    wait(lambda: not server._connections)

    def call(name: str, **arguments: object) -> Any:
        return wire.call(path, name, arguments, timeout=10)

    made: Any = call
    made.path, made.box, made.connections = path, box, server._connections
    return made
