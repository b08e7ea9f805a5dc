"""A thread's work goes on by itself after trouble with the disk, and says so meanwhile."""

import logging
import threading

import pytest

from gateway.clock import FakeClock
from gateway.errors import DiskFailed, DiskFull, NotFound, SpoolBusy, SpoolDamaged
from gateway.forward.follow import Follower
from gateway.spool.spool import Spool
from tests.forward.bench import open_exam


class Work:
    """A step that counts, has more to do for some calls, and fails on demand."""

    def __init__(self) -> None:
        self.calls = 0
        self.more = 0
        self.error: Exception | None = None

    def step(self) -> bool:
        self.calls += 1
        if self.error:
            raise self.error
        self.more -= 1
        return self.more >= 0


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def follower(spool: Spool, clock: FakeClock, work: Work) -> Follower:
    found = Follower("wrap", work.step, database=spool.database, clock=clock, stop=threading.Event())
    found.turn()
    work.calls = 0
    return found


def test_nothing_is_done_while_nothing_changes(follower: Follower, work: Work) -> None:
    follower.turn()
    assert work.calls == 0


def test_all_there_is_to_do_is_done_in_one_turn(follower: Follower, work: Work, clock: FakeClock) -> None:
    work.more = 4
    clock.move(2)
    follower.turn()
    assert work.calls == 5


def test_a_change_by_somebody_else_is_followed_at_once(follower: Follower, work: Work, spool: Spool) -> None:
    other = threading.Thread(target=open_exam, args=(spool,))
    other.start()
    other.join()
    follower.turn()
    assert work.calls == 1
    follower.turn()
    assert work.calls == 1


def test_what_waits_for_a_time_is_looked_at_without_a_change(
    follower: Follower, work: Work, clock: FakeClock
) -> None:
    clock.move(2)
    follower.turn()
    assert work.calls == 1


@pytest.mark.parametrize("error", [DiskFull(), DiskFailed(), SpoolBusy()])
def test_a_disk_in_trouble_pauses_the_work_which_goes_on_by_itself(
    follower: Follower,
    work: Work,
    clock: FakeClock,
    error: DiskFull,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    work.error = error
    for _ in range(4):
        clock.move(5)
        follower.turn()
        follower.turn()
    assert work.calls == 4
    assert follower.trouble is error
    work.error = None
    clock.move(5)
    follower.turn()
    assert follower.trouble is None
    assert [record.message for record in caplog.records] == [
        f"work_paused thread=wrap code={error.code}",
        "work_goes_on thread=wrap",
    ]


def test_a_damaged_index_ends_the_process_so_that_the_next_one_makes_it_anew(
    follower: Follower, work: Work, clock: FakeClock
) -> None:
    work.error = SpoolDamaged()
    clock.move(2)
    with pytest.raises(SpoolDamaged):
        follower.turn()


@pytest.mark.parametrize("more", [0, 10**9])
def test_a_stopped_follower_ends(spool: Spool, work: Work, more: int) -> None:
    stop = threading.Event()
    work.more = more

    def step() -> bool:
        stop.set()
        return work.step()

    Follower("wrap", step, database=spool.database, clock=FakeClock(), stop=stop).run()
    assert work.calls == 1


def test_work_goes_on_when_the_wall_clock_is_set_back_for_years(
    follower: Follower, clock: FakeClock, work: Work
) -> None:
    clock.set(clock.utc().replace(year=1990))
    clock.move(2)
    follower.turn()
    assert work.calls == 1


def test_an_exam_that_was_erased_under_a_step_ends_no_thread(
    follower: Follower, work: Work, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    work.error = NotFound()
    clock.move(2)
    follower.turn()
    work.error = None
    clock.move(2)
    follower.turn()
    assert work.calls == 2
    assert follower.trouble is None
    assert "work_vanished thread=wrap code=not-found" in caplog.messages
