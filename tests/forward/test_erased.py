"""An exam is erased while the forward process is at work on it: a race is lost, no thread, and nothing is sent."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.clock import FakeClock
from gateway.errors import DiskFailed, DiskFull, NotFound, SpoolBusy, WrongState
from gateway.model import Exam
from gateway.spool.erasure import erasable, erased, erasing
from gateway.spool.files import locked
from gateway.spool.opening import open_spool
from gateway.spool.spool import Spool
from tests.forward.bench import Disk, clip, open_exam, release, sealed_exam, still, wrapper
from tests.forward.channels import Archive, run, sender
from tests.forward.step_bench import planner
from tests.memory import folder_in_memory

SURVIVED = (NotFound, DiskFull, DiskFailed, SpoolBusy)  # what forward/follow.py takes up again


def erase(spool: Spool, exam: Exam) -> None:
    assert erasing.erase(spool, erasable.loss(spool, exam.id, ["pacs"]), by="command-line", servers=())


def test_what_was_about_to_be_sent_of_an_erased_exam_stays_unsent(spool: Spool) -> None:
    exam, archive = sealed_exam(spool, stills=3), Archive()
    archive.opens = lambda _: erase(spool, exam)
    run(sender(spool, archive))
    assert len(archive.calls) == 1  # the association was open by then
    assert archive.got == []
    assert spool.deliveries.list() == []
    other = sealed_exam(spool)
    archive.opens = lambda _: None
    run(sender(spool, archive))
    assert archive.got == [sealed.sop_instance_uid for sealed in spool.objects.of_exam(other.id)]


def test_while_an_archive_takes_a_picture_its_exam_cannot_be_erased(spool: Spool) -> None:
    exam, archive = sealed_exam(spool, stills=2), Archive()

    def takes(_: str) -> str:
        with pytest.raises(WrongState):
            erase(spool, exam)
        return "0000"

    archive.say = takes
    run(sender(spool, archive))
    assert len(archive.got) == 2
    erase(spool, exam)


class Interrupted(Disk):
    """Somebody erases an exam before the file operation with this number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.erase: Callable[[], None] | None = None

    def _may(self, what: str, name: str) -> None:
        super()._may(what, name)
        self.number -= self.erase is not None
        if self.erase and self.number < 0:
            then, self.erase = self.erase, None
            then()


def making(spool: Spool) -> Callable[[], bool]:
    """Return the steps that make objects, and what servers are told, of whatever is there."""
    told = planner(spool)
    releases, wraps = release(spool), wrapper(spool)
    return lambda: told.step() | releases.step() | wraps.step()


def at_operation(root: Path, number: int) -> bool:
    """Erase an exam at that operation of its making; say whether it came so far."""
    disk = Interrupted(number)
    spool = open_spool(root, clock=FakeClock(), files=disk, destinations=("pacs",))
    exam = open_exam(spool)
    for store in (still, still, clip):
        store(spool, exam)
    step = making(spool)
    step()
    spool.exams.finish(exam.id)

    def mark() -> None:
        """Do what the rename does, and the rest once this step is over: here it may hold the exam's lock."""
        spool.layout.exam(exam.id).rename(spool.layout.erased(exam.id))

    disk.erase = mark
    for _ in range(3):
        try:
            step()
        except SURVIVED:
            continue
    came = disk.erase is None
    disk.erase = None
    if came:
        with locked(spool.layout.migration_lock):
            assert erased.take_up(spool)
        for _ in range(3):
            step()
        assert not list(spool.layout.exams.iterdir()), number
        with spool.database.read() as connection:
            for table in ("exam", "capture", "object", "delivery", "step_message"):
                assert not connection.execute(f"SELECT * FROM {table}").fetchall(), (number, table)
    spool.close()
    return came


def test_an_exam_erased_at_any_moment_of_its_making_is_gone_and_no_thread_with_it() -> None:
    number = 0
    while True:
        with folder_in_memory() as folder:
            if not at_operation(folder / "data", number):
                break
        number += 1
    assert number > 30
