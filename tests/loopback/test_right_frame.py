"""The stored frame is the one that was on the screen at the press: 1,000 presses, late sources, a busy machine.

A pedal's press may be off by one frame; a touch names its frame and gets that one.
"""

import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import imagecodecs
import pytest

from gateway.capture.moment import Ask
from gateway.capture.parts import Devices, Parts, build
from gateway.capture.presses import Origin
from gateway.clock import Clock
from gateway.config.settings import Settings, Source, Station
from gateway.errors import Busy, NoSignal
from gateway.model import Capture, Identity, Patient
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from gateway.spool.subjects import Subject
from gateway.threads import Supervisor
from hardware.fakes import LateSource
from hardware.sources import counter
from tests.memory import folder_in_memory

DELAYS = {"direct": 0, "converter": 50, "slow": 150}  # name: ms
PRESSES, LIVES = 1000, 2  # capture starts anew between the lives
EVERY_S = 0.02
LATE_S = 0.03  # a pedal's event is handled up to this long after it happened
TOUCHES = 0.4  # of the presses


@dataclass(frozen=True, kw_only=True)
class Pressed:
    """What was pressed: the frame that a touch named, or the time of a pedal."""

    source: str
    time_ns: int
    frame: int
    done: Future[Capture]


@contextmanager
def capturing(spool: Spool, settings: Settings, sources: dict[str, LateSource], life: int) -> Iterator[Parts]:
    supervisor = Supervisor()
    devices = Devices(source=lambda source: sources[source.name], trigger=_none, sign=_none)
    parts = build(settings, spool, devices, life)
    for name, grabber in parts.grabbers.items():
        grabber.delay_ns = DELAYS[name] * 1_000_000
        supervisor.start(f"source-{name}", partial(grabber.run, supervisor.stop))
    for number in range(2):
        supervisor.start(f"store-{number}", partial(parts.recorder.work, supervisor.stop))
    try:
        yield parts
    finally:
        supervisor.stop.set()
        assert supervisor.run(30)


@contextmanager
def a_busy_machine() -> Iterator[None]:
    """Keep every core busy."""
    words = [sys.executable, "-c", "import time\nend = time.monotonic() + 120\nwhile time.monotonic() < end: pass"]
    loads = [subprocess.Popen(words) for _ in range(2)]
    try:
        yield
    finally:
        for load in loads:
            load.kill()
            load.wait()


def press_many(parts: Parts, clock: Clock, choice: random.Random) -> list[Pressed]:
    pressed: list[Pressed] = []
    refused = 0
    while len(pressed) < PRESSES // LIVES:
        clock.pause(EVERY_S)
        source = choice.choice(list(DELAYS))
        now = clock.boottime_ns()
        touch = choice.random() < TOUCHES
        newest = parts.grabbers[source].ring.newest()
        frame = newest.sequence if newest and touch else 0
        time_ns = now if touch else now - round(choice.uniform(0, LATE_S) * 1e9)
        try:
            done = parts.desk.presses.take_still(Ask(time_ns=time_ns, source=source, frame=frame), Origin.PEDAL)
        except (Busy, NoSignal):  # said, and nothing was stored: a source without the processor has stopped
            refused += 1
            assert refused < PRESSES // LIVES, "most presses must be taken"
            continue
        pressed.append(Pressed(source=source, time_ns=time_ns, frame=frame, done=done))
    return pressed


def offset(spool: Spool, sources: dict[str, LateSource], press: Pressed) -> int:
    """Return by how many frames the stored picture misses the one that was on the screen."""
    capture = press.done.result(30)
    stream = spool.layout.media(capture.exam, capture.media).read_bytes()
    painted = counter.read(imagecodecs.jpeg8_decode(stream))
    assert painted is not None
    source = sources[press.source]
    if press.frame:
        assert capture.sequence == press.frame
        shown_ns = capture.frame_times[0] - DELAYS[press.source] * 1_000_000
        return painted - round((shown_ns - source.shown_ns(0)) / source.period_ns - 0.03)
    return painted - (press.time_ns - source.shown_ns(0)) // source.period_ns


@pytest.mark.parametrize("compensated", [True, False], ids=["as-measured", "control"])
def test_a_thousand_presses_store_the_frame_of_their_moment(compensated):
    clock, choice = Clock(), random.Random(20261126)
    lives = LIVES if compensated else 1
    with folder_in_memory() as folder, a_busy_machine():
        settings = Settings(
            station=Station(data_dir=folder / "data", runtime_dir=folder / "run"),
            sources=tuple(Source(name=name, device="pattern:bars", modality="US") for name in DELAYS),
        )
        idle = threading.Event()
        make = partial(LateSource, clock_ns=clock.boottime_ns, wait=lambda seconds: clock.wait(idle, seconds))
        sources = {name: make(delay_s=ms / 1000, seed=ms) for name, ms in DELAYS.items()}
        spool = open_spool(settings.station.data_dir, clock=clock)
        spool.exams.open(Subject(identity=Identity.TYPED, patient=Patient(name="A^B", id="1")))
        missed: Counter[tuple[str, str, int]] = Counter()
        sequences: set[tuple[str, int]] = set()
        for life in range(1, lives + 1):
            with capturing(spool, settings, sources, life) as parts:
                if not compensated:
                    for grabber in parts.grabbers.values():
                        grabber.delay_ns = 0
                clock.pause(0.6)
                pressed = press_many(parts, clock, choice)
                for press in pressed:
                    kind = "touch" if press.frame else "pedal"
                    missed[press.source, kind, offset(spool, sources, press)] += 1
                    sequences.add((press.source, press.done.result().sequence >> 32))
        spool.close()
    print({f"{source} {kind} {by:+d}": count for (source, kind, by), count in sorted(missed.items())})
    assert missed.total() == PRESSES // LIVES * lives
    wrong = {key: n for key, n in missed.items() if abs(key[2]) > (1 if key[1] == "pedal" else 0)}
    if compensated:
        assert not wrong
        assert {life for _, life in sequences} == {1, 2}
    else:
        assert {source for source, _, _ in wrong} == {"converter", "slow"}  # the delay is what makes the difference


def _none(_: object) -> None:
    raise AssertionError("there is none")
