"""A disk that is full, read-only or failing is nobody's fault but its own: one alarm, nothing marked, all goes on.

Exams are lived through with every file operation failing once, with each error, and on a small real disk that is
filled before every single one.
"""

import errno
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.config.settings import Destination
from gateway.errors import ClipRecording, DiskFailed, DiskFull, ScopegateError, SpoolBusy
from gateway.forward.follow import Follower
from gateway.forward.keeping.housekeeping import Housekeeping
from gateway.forward.making.release import Release
from gateway.forward.sending.sender import Sender
from gateway.model import DeliveryState, ExamState
from gateway.net.store import StoreResult, Wanted
from gateway.spool.opening import open_spool
from gateway.spool.recovery.captures import recover_captures
from gateway.spool.recovery.clips import salvage
from gateway.spool.spool import Spool
from tests.forward.bench import Disk, clip, open_exam, sealed_exam, still, wrapper
from tests.memory import folder_in_memory
from tests.small_disk import SmallDisk, small_disk

PACS = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=104)
TROUBLE = (DiskFull, DiskFailed, SpoolBusy)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def root() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder / "data"


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def spool(root: Path, clock: FakeClock, disk: Disk) -> Iterator[Spool]:
    opened = open_spool(root, clock=clock, files=disk, destinations=("pacs",))
    yield opened
    opened.close()


@dataclass
class Archive:
    """Takes everything."""

    usable: bool = True
    stored: list[str] = field(default_factory=list)

    def accepted(self, sop_class_uid: str) -> tuple[str, ...]:
        del sop_class_uid
        return ("1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.50")

    def store(self, source: Path | bytes, *, sop_instance_uid: str, **about: object) -> StoreResult:
        del source, about
        self.stored.append(sop_instance_uid)
        return StoreResult(status="0000")

    @contextmanager
    def connect(self, wanted: Sequence[Wanted]) -> Iterator["Archive"]:
        del wanted
        yield self


class Forward:
    """The threads of the forward process that matter here, one turn at a time."""

    def __init__(self, spool: Spool, clock: FakeClock) -> None:
        self.archive, self.clock = Archive(), clock
        release, wrap = Release(spool=spool, temporary="hold"), wrapper(spool)
        steps: dict[str, Callable[[], bool]] = {
            "disk": Housekeeping(spool=spool, clock=clock).step,
            "wrap": lambda: release.step() | wrap.step(),
            "send": Sender(spool=spool, destination=PACS, connect=self.archive.connect).step,
        }
        stop = threading.Event()
        self.followers = [
            Follower(name, step, database=spool.database, clock=clock, stop=stop) for name, step in steps.items()
        ]

    def turn(self, times: int = 1) -> set[str]:
        """Let every thread look; return the codes of what troubled one."""
        codes = set()
        for _ in range(times):
            self.clock.move(6)
            for follower in self.followers:
                follower.turn()
                codes |= {follower.trouble.code} if follower.trouble else set()
        return codes


@dataclass
class Lived:
    """What was promised while an exam was lived through."""

    exam: str = ""
    promised: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: list[type[ScopegateError]] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)

    def attempt(self, act: Callable[[], object]) -> object:
        try:
            return act()
        except (*TROUBLE, ClipRecording) as error:
            self.refused.append(type(error))
            return None


def an_exam(spool: Spool, forward: Forward) -> Lived:
    """Open, take, remove, finish, release, seal, send; what is refused is tried once and said to be."""
    lived = Lived()
    exam = open_exam(spool)
    lived.exam = exam.id
    for take in (still, clip, still):
        if taken := lived.attempt(lambda take=take: take(spool, exam)):
            lived.promised.append(taken.sop_instance_uid)  # type: ignore[attr-defined]
        for _, uid in spool.captures.recording():  # a clip that the disk ended is closed as it stands
            lived.attempt(lambda uid=uid: salvage(spool, exam.id, uid))
    if lived.promised and lived.attempt(lambda: spool.captures.reject(lived.promised[-1], "blurred")):
        lived.removed.append(lived.promised[-1])
    lived.attempt(lambda: spool.audit.note("capture-rejected", by="panel"))
    lived.attempt(lambda: spool.exams.finish(exam.id))
    lived.codes |= forward.turn(3)
    return lived


def goes_on(spool: Spool, forward: Forward, lived: Lived) -> None:
    """The disk is well again: everything promised arrives, nothing else does, and nobody had to do anything."""
    recover_captures(spool)  # what the capture process does for what it could not close or enter
    if (
        spool.exams.change(lived.exam, lambda old: old).state is ExamState.OPEN
    ):  # who looks brings the row up to date
        spool.exams.finish(lived.exam)
    for uid in lived.promised:
        spool.captures.get(uid)
    assert forward.turn(6) == set()
    kept = [each for each in spool.captures.of_exam(lived.exam) if each.capture.state == "saved"]
    assert {each.problem_code for each in spool.captures.of_exam(lived.exam)} <= {""}
    assert set(lived.promised) - set(lived.removed) <= {each.capture.sop_instance_uid for each in kept} | set(
        lived.promised[-1:]
    )
    assert not set(lived.removed) & set(forward.archive.stored)
    states = [each.state for each in spool.deliveries.list(exam=lived.exam)]
    assert states == [DeliveryState.SENT] * len(kept)
    assert sorted(forward.archive.stored) == sorted(each.capture.sop_instance_uid for each in kept)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_each_file_operation_that_fails_once_marks_nothing_and_everything_goes_on(
    root: Path, clock: FakeClock, error: int
) -> None:
    failures, alarms, after = 0, 0, 0
    while True:
        disk = Disk()
        spool = open_spool(root.with_name(f"data-{after}"), clock=clock, files=disk, destinations=("pacs",))
        forward = Forward(spool, clock)
        forward.turn()
        disk.log.clear()
        first = len(disk.log)
        disk.fail(error, after=after + 2)  # the folder of the exam and its exam.json come first
        try:
            lived = an_exam(spool, forward)
        except TROUBLE:
            failures += 1  # no exam: nothing was promised
            spool.close()
            after += 1
            continue
        assert first == 0
        failed = disk.writes == 0 and (lived.refused or lived.codes)
        failures += bool(failed)
        alarms += bool(lived.codes)
        assert lived.codes <= {"disk-full", "disk-failed"}
        disk.heal()
        goes_on(spool, forward, lived)
        spool.close()
        if not failed:
            break
        after += 1
    print(f"\n{errno.errorcode[error]}: {failures} operations failed one after the other, {alarms} alarms")
    assert failures > 60
    assert alarms > 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "small", 64) as made:
        yield made


class Filled(Disk):
    """Another program takes all the room before the n-th operation."""

    def __init__(self, small: SmallDisk, before: int) -> None:
        super().__init__()
        self._small, self._before, self.count = small, before, 0

    def _may(self, what: str, name: str) -> None:
        super()._may(what, name)
        self.count += 1
        if self.count == self._before:
            self._small.fill()


@pytest.mark.parametrize("reserve_mb", [0, 64])
def test_a_small_disk_filled_before_any_write_loses_nothing_and_goes_on_when_there_is_room(
    small: SmallDisk, clock: FakeClock, reserve_mb: int
) -> None:
    before, refused, ended = 1, 0, 0
    while True:
        folder = small.place / f"data-{before}"
        disk = Filled(small, 0)
        spool = open_spool(folder, clock=clock, files=disk, destinations=("pacs",), reserve_mb=reserve_mb)
        forward = Forward(spool, clock)
        forward.turn()
        disk.count, disk._before = 0, before
        try:
            lived = an_exam(spool, forward)
        except TROUBLE:
            lived = None
        filled = disk.count >= before
        if lived:
            refused += bool(lived.refused or lived.codes)
            if reserve_mb:
                ended += spool.exams.change(lived.exam, lambda old: old).state is not ExamState.OPEN
        small.make_room()
        disk._before = 0
        if lived:
            goes_on(spool, forward, lived)
        spool.close()
        shutil.rmtree(folder)
        if not filled:
            break
        before += 1
    print(
        f"\nreserve {reserve_mb} MB: filled before each of {before - 1} operations, {refused} runs refused "
        f"something, {ended} exams ended all the same"
    )
    assert before > 60
    if reserve_mb:
        assert ended == before, "with a reserve every exam could be ended"
    else:
        assert refused > 30


@pytest.mark.parametrize("dying", [True, False])
def test_a_file_that_cannot_be_read_is_the_disks_fault_only_when_the_disk_takes_no_write(
    spool: Spool,
    disk: Disk,
    clock: FakeClock,
    dying: bool,  # noqa: FBT001
) -> None:
    exam = sealed_exam(spool)
    sealed = spool.objects.of_exam(exam.id)[0]
    path = spool.objects.path(sealed)
    path.rename(path.with_suffix(".away"))
    path.symlink_to("/proc/self/mem")  # whose first bytes cannot be read: EIO
    forward = Forward(spool, clock)
    if dying:
        disk.fail(errno.EIO)
    codes = forward.turn()
    (delivery,) = spool.deliveries.list(exam=exam.id)
    if not dying:
        assert (delivery.state, delivery.code) == (DeliveryState.HELD, "file-unreadable")
        return
    assert codes == {"disk-failed"}
    assert delivery.code == ""
    disk.heal()
    path.unlink()
    path.with_suffix(".away").rename(path)
    assert forward.turn(2) == set()
    assert [each.state for each in spool.deliveries.list(exam=exam.id)] == [DeliveryState.SENT]


def test_a_box_that_stores_nothing_notices_that_its_disk_fails_and_that_it_works_again(
    spool: Spool, disk: Disk, clock: FakeClock
) -> None:
    forward = Forward(spool, clock)
    assert forward.turn() == set()
    disk.fail(errno.EROFS)
    clock.move(60)
    assert forward.turn() == {"disk-failed"}
    disk.heal()
    assert forward.turn() == set()
