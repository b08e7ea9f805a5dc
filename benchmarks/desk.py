"""The parts of the capture process that a press and a clip go through, around a source that is fed by hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import samples
from gateway.capture.answers import Due
from gateway.capture.clips import Clips
from gateway.capture.grabber import Grabber
from gateway.capture.heat import Heat
from gateway.capture.moment import Moments
from gateway.capture.presses import Presses
from gateway.capture.recorder import Recorder
from gateway.capture.requests import Requests
from gateway.capture.ring import Ring
from gateway.capture.signs import Signs
from gateway.clock import Clock
from gateway.config.settings import Source as SourceSettings
from gateway.model import Exam
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from gateway.threads import Supervisor
from hardware.machine import Sensors
from hardware.sources import Picture

_SOURCE = "us"
_WORKERS = 2
_RING = 4 << 30  # bytes; its pictures share their pixels here


class Fed:
    """A source that gives one new picture whenever it is read."""

    def __init__(self, picture: Callable[[int, int], Picture], clock: Clock) -> None:
        self._picture = picture
        self._clock = clock
        self._counter = 0

    def open(self) -> None:
        """Nothing to open."""

    def read(self, timeout: float) -> Picture | None:
        del timeout
        self._counter += 1
        return self._picture(self._clock.boottime_ns(), self._counter)

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What a bar presses. `grabber.step()` brings one picture."""

    spool: Spool
    exam: Exam
    grabber: Grabber
    presses: Presses
    clips: Clips
    due: Due
    clock: Clock


@contextmanager
def opened_desk(root: Path, picture: Callable[[int, int], Picture]) -> Iterator[Desk]:
    """Open a spool with one open exam and start the threads that store. `picture` takes time and counter."""
    clock, supervisor = Clock(), Supervisor()
    spool = open_spool(root, clock=clock)
    grabber = Grabber(
        settings=SourceSettings(name=_SOURCE, modality="US"),
        source=Fed(picture, clock),
        ring=Ring(start_counter=1, budget_bytes=_RING),
        clock=clock,
    )
    recorder, due = Recorder(spool=spool), Due(clock=clock)
    clips = Clips(spool=spool, recorder=recorder, clock=clock, sources=[_SOURCE])
    presses = Presses(
        spool=spool,
        moments=Moments(spool=spool, grabbers={_SOURCE: grabber}, clock=clock),
        recorder=recorder,
        clips=clips,
        requests=Requests(spool=spool, recorder=recorder),
        due=due,
        heat=Heat(sensors=Sensors(), clock=clock),
        indicator=Signs(()),
        station=samples.STATION,
        clock=clock,
    )
    exam, _ = spool.exams.open(samples.SUBJECT)
    for number in range(_WORKERS):
        supervisor.start(f"store-{number + 1}", partial(recorder.work, supervisor.stop))
    supervisor.start("clip", partial(clips.work, _SOURCE, supervisor.stop))
    try:
        yield Desk(spool=spool, exam=exam, grabber=grabber, presses=presses, clips=clips, due=due, clock=clock)
    finally:
        supervisor.stop.set()
        supervisor.run()
        spool.close()
