"""The real recorder and clips, cut after every file operation: no picture that was acknowledged is lost.

The parts are those of `gateway.capture.parts.build`, with their threads, over a disk that writes everything down.
What a cut may leave is modelled in power_cut.py.
"""

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from gateway.capture.moment import Ask
from gateway.capture.parts import Devices, build
from gateway.capture.presses import Origin
from gateway.clock import Clock, FakeClock
from gateway.config.settings import Settings, Source, Station
from gateway.errors import SpoolDamaged
from gateway.model import Capture, CaptureState, Identity, Patient
from gateway.spool import clips
from gateway.spool.files import sha256_of
from gateway.spool.opening import open_spool
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.spool import Spool
from gateway.spool.subjects import Subject
from gateway.threads import Supervisor
from hardware.errors import DeviceMissing
from hardware.sources import Picture, PixelFormat
from tests.box import until
from tests.crash import power_cut
from tests.crash.power_cut import (
    VARIANTS,
    Cut,
    FilesNeverFlushed,
    NamesNeverFlushed,
    Recording,
    Variant,
    ack,
    for_each_cut,
    keep,
)
from tests.memory import folder_in_memory

SIZE = (64, 64)
NOISE = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8)  # one colour alone is no picture
PATIENCE_S = 10.0
WORST = (Variant(names="lost", data="lost"), Variant(names="kept", data="lost"))  # enough to see a loss


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A still that was acknowledged."""

    uid: str
    exam: str
    number: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """A clip that was acknowledged, and how many of its pictures were flushed by then."""

    uid: str
    exam: str
    number: int
    frames: int


class Watching(Recording):
    """Promises, whenever a clip's index was flushed, the pictures that stand in it."""

    def _sync(self, fd: int) -> None:
        super()._sync(fd)
        path = Path(f"/proc/self/fd/{fd}").readlink()
        if path.name.endswith(".index.part"):
            header, entries = clips.read_index(path)
            uid, number = header.sop_instance_uid, header.instance_number
            ack(self, Synced(uid=uid, exam=header.exam, number=number, frames=len(entries)))


class WatchingFilesNeverFlushed(Watching, FilesNeverFlushed):
    """The same without fsync of files: what it believes to be flushed is not."""


class WatchingNamesNeverFlushed(Watching, NamesNeverFlushed):
    """The same without flushing folders."""


class Fed:
    """A source that gives what it is fed."""

    def __init__(self) -> None:
        self.waiting: deque[Picture] = deque()

    def open(self) -> None:
        """Be there always."""

    def read(self, timeout: float) -> Picture | None:
        del timeout
        return self.waiting.popleft() if self.waiting else None

    def close(self) -> None:
        """Stay there."""


def none_here(_: object) -> None:
    raise DeviceMissing("There is no pedal and no lamp here.")


class Day:
    """A technician's work on the parts of the capture process; every answer goes into the recording."""

    def __init__(self, root: Path, kind: type[Recording]) -> None:
        self.recording = kind(root)
        self.clock = FakeClock()
        self.spool = open_spool(root, clock=self.clock, files=self.recording, destinations=("pacs",))
        settings = Settings(
            station=Station(data_dir=root, runtime_dir=root.parent / "run"),
            sources=(Source(name="us", device="pattern:bars", modality="US"),),
        )
        self.source = Fed()
        devices = Devices(source=lambda _: self.source, trigger=none_here, sign=none_here)  # type: ignore[arg-type, return-value]
        self.parts = build(settings, self.spool, devices, 1)
        self.presses = self.parts.desk.presses
        self.supervisor = Supervisor()
        for number in range(2):
            self.supervisor.start(f"store-{number}", lambda: self.parts.recorder.work(self.supervisor.stop))
        self.supervisor.start("clip", lambda: self.parts.clips.work("us", self.supervisor.stop))
        self.frames: dict[str, list[int]] = {}  # the sequences shown in each exam
        self.counter = 0

    def exam(self, name: str) -> str:
        self.clock.move(0.01)
        subject = Subject(identity=Identity.TYPED, patient=Patient(name=name, id=name[:3]))
        exam, _ = self.spool.exams.open(subject)
        self.frames[exam.id] = []
        self.clock.move(0.01)
        self.show(exam.id)
        self.index()
        return exam.id

    def show(self, exam: str) -> None:
        self.clock.move(0.04)
        self.counter += 1
        self.source.waiting.append(
            Picture(
                counter=self.counter,
                time_ns=self.clock.boottime_ns(),
                format=PixelFormat.RGB24,
                width=SIZE[0],
                height=SIZE[1],
                planes=(NOISE + np.uint8(self.counter % 256),),
            )
        )
        grabber = self.parts.grabbers["us"]
        assert grabber.step()
        newest = grabber.ring.newest()
        assert newest
        self.frames[exam].append(newest.sequence)

    def press(self, exam: str) -> Future[Capture]:
        self.show(exam)
        return self.presses.take_still(self.ask(exam), Origin.SOCKET)

    def stored(self, *answers: Future[Capture]) -> None:
        for answer in answers:
            capture = answer.result(PATIENCE_S)
            ack(self.recording, stored(capture))
        self.index()

    def clip(self, exam: str) -> str:
        uid = self.presses.take_clip(self.ask(exam), Origin.SOCKET).result(PATIENCE_S)
        self.index()
        return uid

    def record(self, exam: str, count: int) -> None:
        for _ in range(count):
            self.show(exam)
            until("the clip to have this picture", lambda: self.last_of_clip() == self.frames[exam][-1])

    def last_of_clip(self) -> int:
        (recording,) = self.parts.clips.running()
        return recording.writer.entries[-1].sequence if recording.writer and recording.writer.entries else 0

    def stop(self, uid: str) -> None:
        assert self.presses.stop_clip(uid, Origin.SOCKET) == [uid]
        ack(self.recording, stored(self.spool.captures.get(uid).capture))
        self.index()

    def ask(self, exam: str) -> Ask:
        return Ask(time_ns=self.clock.boottime_ns(), source="us", exam=exam)

    def index(self) -> None:
        """Let later cuts find the index as it is now: whole, but older than the files."""
        with self.spool.database.read() as connection:
            keep(self.recording, "scopegate.db", connection.serialize())

    def end(self) -> None:
        self.supervisor.stop.set()
        assert self.supervisor.run(PATIENCE_S), "a thread died"
        self.spool.close()


def stored(capture: Capture) -> Stored:
    return Stored(
        uid=capture.sop_instance_uid,
        exam=capture.exam,
        number=capture.instance_number,
        sha256=capture.sha256,
    )


def a_day(root: Path, kind: type[Recording]) -> Day:
    """Two patients: stills one by one and two at once, a still in the middle of a clip, a clip never stopped."""
    day = Day(root, kind)
    anna = day.exam("Anna")
    day.stored(day.press(anna))
    clip = day.clip(anna)
    day.record(anna, 3)
    day.clock.move(0.5)  # longer than a clip goes without being flushed
    day.record(anna, 1)
    day.stored(day.press(anna))
    day.record(anna, 2)
    day.stop(clip)
    day.spool.exams.finish(anna)
    boris = day.exam("Boris")
    day.stored(day.press(boris), day.press(boris))
    clip = day.clip(boris)
    day.clock.move(0.5)
    day.record(boris, 2)
    day.end()
    return day


@dataclass(kw_only=True, slots=True)
class Tally(power_cut.Tally):
    lost: set[str] = field(default_factory=set)
    shortened: set[str] = field(default_factory=set)
    checked: int = 0


def survey(day: Day, variants: tuple[Variant, ...] = VARIANTS, every: int = 1) -> Tally:
    tally = Tally()
    for cut in for_each_cut(day.recording, variants=variants, without=("scopegate.db",)):
        if cut.position % every:
            continue
        tally.cuts += 1
        key = hashlib.sha256(cut.digest + repr(cut.facts).encode()).digest()
        if key in tally.disks:
            continue
        tally.disks.add(key)
        with folder_in_memory() as folder:
            cut.materialise(folder)
            check(folder, day, cut, tally)
    return tally


def check(folder: Path, day: Day, cut: Cut, tally: Tally) -> None:
    """Start the box on what is left and compare it with what was promised."""
    clock = FakeClock()
    clock.reboot()
    spool = open_spool(folder, clock=clock, destinations=("pacs",))
    try:
        recover_captures(spool)
        found = {
            listed.capture.sop_instance_uid: listed.capture
            for exam in spool.exams.list(limit=100)
            for listed in spool.captures.of_exam(exam.id)
        }
        for fact in cut.facts:
            tally.checked += 1
            judge(fact, found.get(fact.uid), spool, tally)
        where = f"cut {cut.position} {cut.variant}"
        tally.problems += [f"{where}: {problem}" for problem in misplaced(day, found, cut, spool)]
    finally:
        spool.close()


def judge(fact: Stored | Synced, capture: Capture | None, spool: Spool, tally: Tally) -> None:
    if isinstance(fact, Synced) and not fact.frames:
        return  # its start was acknowledged, no picture of it was flushed yet
    if capture is None or (capture.exam, capture.instance_number) != (fact.exam, fact.number):
        tally.lost.add(fact.uid)
    elif isinstance(fact, Synced):
        if capture.frames < fact.frames or digest(spool, capture) != capture.sha256:
            tally.shortened.add(fact.uid)
    elif capture.state is not CaptureState.SAVED or not fact.sha256 == capture.sha256 == digest(spool, capture):
        tally.lost.add(fact.uid)


def digest(spool: Spool, capture: Capture) -> str:
    """Return the SHA-256 of what is on the disk of this capture, "" when it is not whole."""
    media = spool.layout.media(capture.exam, capture.media)
    try:
        if capture.frames == 1 and not media.name.endswith(".frames"):
            return sha256_of(media)
        _, entries = clips.read_index(spool.layout.index(capture.exam, capture.sop_instance_uid))
        return clips.digest_of(media, entries)
    except (SpoolDamaged, OSError):
        return ""


def misplaced(day: Day, found: dict[str, Capture], cut: Cut, spool: Spool) -> Iterator[str]:
    """Say what stands in a wrong exam, has a number twice or would get one again, acknowledged or not."""
    for uid, capture in found.items():
        if capture.sequence not in day.frames[capture.exam]:
            yield f"{uid} holds a picture of another exam"
        if digest(spool, capture) != capture.sha256:
            yield f"{uid} is listed and not whole"
    numbers = [(capture.exam, capture.instance_number) for capture in found.values()]
    if len(set(numbers)) != len(numbers):
        yield "a number stands twice"
    for fact in cut.facts:
        if (
            isinstance(fact, Stored)
            and fact.uid in found
            and spool.captures.highest_number(fact.exam) < fact.number
        ):
            yield f"number {fact.number} would be given again"


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder / "data"


def told(name: str, day: Day, tally: Tally, began_ns: int) -> None:
    print(
        f"\npower cut while capturing, {name}: {len(day.recording.log)} operations, {tally.cuts} cuts, "
        f"{len(tally.disks)} different disks, {tally.checked} promises looked at, lost = {len(tally.lost)}, "
        f"clips shortened = {len(tally.shortened)}, wrong = {len(tally.problems)}, "
        f"{(Clock().boottime_ns() - began_ns) / 1e9:.1f} s"
    )


def test_a_power_cut_at_any_moment_of_capturing_loses_no_acknowledged_picture(root: Path) -> None:
    began_ns = Clock().boottime_ns()
    day = a_day(root, Watching)
    tally = survey(day)
    told("as it is", day, tally, began_ns)
    assert tally.problems == []
    assert not tally.lost
    assert not tally.shortened
    assert len({fact.uid for fact in facts(day) if isinstance(fact, Stored)}) == 5
    assert max(fact.frames for fact in facts(day) if isinstance(fact, Synced)) > 1
    assert len(tally.disks) > 200


@pytest.mark.parametrize("kind", [WatchingFilesNeverFlushed, WatchingNamesNeverFlushed])
def test_capturing_without_flushing_loses_pictures_so_the_test_can_see_a_loss(
    root: Path, kind: type[Recording]
) -> None:
    began_ns = Clock().boottime_ns()
    day = a_day(root, kind)
    tally = survey(day, WORST, every=5)
    told(kind.__name__, day, tally, began_ns)
    assert tally.lost


def facts(day: Day) -> list[Stored | Synced]:
    return [operation.fact for operation in day.recording.log if operation.kind == "ack"]
