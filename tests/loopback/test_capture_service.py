"""The whole process, from its configuration to its end."""

import json
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import wire
from gateway.capture import service
from gateway.clock import Clock
from gateway.config.settings import Settings, Sign, Source, Station, Trigger
from gateway.errors import DiskFull, SpoolLocked
from gateway.model import Identity, Patient
from gateway.spool.files import Files
from gateway.spool.opening import open_spool
from gateway.spool.subjects import Subject
from gateway.threads import Supervisor
from hardware import factory
from hardware.fakes import ScriptedTrigger
from hardware.indicators.fakes import FakeOutput
from hardware.triggers import Action, Press
from tests.box import until


class NoRoomToTalk(Files):
    """A disk on which the live state finds no room."""

    def replace_quickly(self, path, content):
        raise DiskFull(f"no room for {len(content)} bytes in {path.parent.name}")


class LateSocket(Supervisor):
    """Threads of which the one of the socket begins late: only when somebody read that the process is there."""

    def __init__(self) -> None:
        super().__init__()
        self.announced = threading.Event()

    def start(self, name, work):
        def late() -> None:
            self.announced.wait(0.3)  # nobody reads it before, as it should be
            work()

        return super().start(name, late if name == "socket" else work)


class EagerReader(Files):
    """A disk whose reader calls capture at the very moment at which that says that it is there."""

    def __init__(self, supervisor: LateSocket) -> None:
        super().__init__()
        self.answered: list[bool] = []
        self._announced = supervisor.announced

    def replace_quickly(self, path, content):
        super().replace_quickly(path, content)
        if path.suffix != ".json":  # what counts its starts says nothing yet
            return
        self.answered.append(answers(path.parent / wire.SOCKET_NAME))
        self._announced.set()


class LateClock(Clock):
    """The machine's clock, which a test may put forward."""

    ahead_ns = 0

    def boottime_ns(self) -> int:
        return super().boottime_ns() + self.ahead_ns


class StuckSource:
    """A source whose driver does not return, until the test is over."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def open(self) -> None:
        """Open nothing."""

    def read(self, timeout: float) -> None:
        del timeout
        self.free.wait(20)

    def close(self) -> None:
        """Close nothing."""


def answers(path: Path) -> bool:
    """Say whether somebody takes calls on this socket; its file is there a moment before."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        return caller.connect_ex(str(path)) == 0


class Running:
    """A capture process in a thread of this one."""

    def __init__(
        self,
        settings: Settings,
        trigger: ScriptedTrigger | None = None,
        files: Files | None = None,
        supervisor: Supervisor | None = None,
    ):
        self.stuck = StuckSource()
        self.clock, self.supervisor, self.lamp = LateClock(), supervisor or Supervisor(), FakeOutput()
        self.settings, self.socket = settings, settings.station.runtime_dir / wire.SOCKET_NAME
        self.result: list[bool | Exception] = []

        def wait(seconds: float) -> None:
            self.clock.wait(self.supervisor.stop, seconds)

        self.wait = wait
        devices = service.Devices(
            source=self._source,
            trigger=lambda _: trigger,
            sign=lambda _: self.lamp,
        )

        def run() -> None:
            try:
                self.result.append(
                    service.run(
                        settings, clock=self.clock, supervisor=self.supervisor, devices=devices, files=files
                    )
                )
            except SpoolLocked as error:
                self.result.append(error)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def _source(self, source):
        if source.name == "stuck":
            return self.stuck
        clocks = {"clock_ns": self.clock.boottime_ns, "monotonic_ns": self.clock.monotonic_ns}
        return factory.source(source.device, wait=self.wait, **clocks)

    def call(self, name: str, **arguments):
        return wire.call(self.socket, name, arguments, timeout=10)

    def listens(self) -> bool:
        return answers(self.socket)

    def live(self) -> bool:
        path = self.settings.station.runtime_dir / "capture.json"
        return path.exists() and json.loads(path.read_bytes())["sources"][0]["state"] == "live"

    def end(self) -> bool | Exception:
        self.supervisor.stop.set()
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.result[0]


@pytest.fixture
def settings(tmp_path) -> Settings:
    source = Source(name="us", device="pattern:bars", modality="US")
    trigger = Trigger(kind="serial", device="/dev/pedal", source="us")
    return Settings(
        station=Station(data_dir=tmp_path / "data", runtime_dir=tmp_path / "run"),
        sources=(source,),
        triggers=(trigger,),
        signs=(Sign(kind="gpio", device="/dev/gpiochip0", lamp="pin:27"),),
    )


def test_a_pedal_takes_a_still_of_the_open_exam_with_nobody_else_there(settings):
    clock = Clock()
    pressed = threading.Event()

    def foot():
        while not pressed.is_set():
            clock.pause(0.01)
            yield None
        yield Press(action=Action.STILL, time_ns=clock.boottime_ns())
        while True:
            clock.pause(0.05)
            yield None

    box = Running(settings, ScriptedTrigger(foot()))
    until("a caller to be heard", box.listens)
    spool = open_spool(settings.station.data_dir, clock=clock)
    exam, _ = spool.exams.open(Subject(identity=Identity.TYPED, patient=Patient(name="A", id="1")))
    until("pictures", box.live)
    pressed.set()
    until("the answer", lambda: box.lamp.cues == ["pressed", "stored"])
    capture = spool.captures.of_exam(exam.id)[0].capture
    assert (capture.equipment.modality, capture.source, capture.sequence >> 32) == ("US", "us", 1)
    assert box.call("drain", exam=exam.id, seconds=1) == {"pending": 0}

    second = Running(settings)
    second.thread.join(20)
    assert isinstance(second.result[0], SpoolLocked)
    clip = box.call("clip_start", source="us")["clip"]
    assert box.end() is True
    assert spool.captures.get(clip).capture.frames >= 1  # a stop of the process closes its clip
    assert not spool.captures.get(clip).capture.salvaged
    spool.close()


def test_a_full_runtime_folder_keeps_nobody_from_capturing(settings):
    box = Running(settings, ScriptedTrigger(), files=NoRoomToTalk())
    until("a caller to be heard", box.listens)
    until("all to be stored", lambda: box.call("drain", exam="", seconds=0) == {"pending": 0})
    assert box.end() is True


def test_who_reads_that_capture_is_there_can_call_it_at_once(settings):
    supervisor = LateSocket()
    files = EagerReader(supervisor)
    box = Running(settings, ScriptedTrigger(), files=files, supervisor=supervisor)
    assert supervisor.announced.wait(20)
    assert box.end() is True
    assert files.answered[0] is True


def test_a_thread_that_dies_ends_the_process_with_false(settings):
    def broken():
        yield None
        raise ZeroDivisionError

    box = Running(settings, ScriptedTrigger(broken()))
    box.thread.join(20)
    assert box.result == [False]


def test_a_driver_that_does_not_return_ends_the_process_and_the_other_sources_clip_is_stored(settings):
    both = replace(settings, sources=(*settings.sources, Source(name="stuck")), triggers=())
    box = Running(both)
    until("pictures", box.live)
    spool = open_spool(settings.station.data_dir, clock=box.clock)
    exam, _ = spool.exams.open(Subject(identity=Identity.TYPED, patient=Patient(name="A", id="1")))
    clip = box.call("clip_start", source="us")["clip"]
    recorded = spool.layout.frames(exam.id, clip, recording=True)
    for _ in range(2):
        before = recorded.stat().st_size
        box.clock.ahead_ns += 4_000_000_000  # less than ends a clip for want of pictures
        until("the clip to grow", lambda before=before: recorded.stat().st_size > before)
    box.clock.ahead_ns += 4_000_000_000
    until("the end", box.supervisor.stop.is_set)
    box.stuck.free.set()
    box.thread.join(20)
    assert box.result == [False]
    assert spool.captures.get(clip).capture.frames >= 2
    assert not spool.captures.get(clip).capture.salvaged
    spool.close()


def test_the_capture_process_knows_no_network_and_no_dicom_library():
    heavy = "pydicom pynetdicom starlette uvicorn httpx2 av http.client"
    code = (
        f"import sys, gateway.capture.service; print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
