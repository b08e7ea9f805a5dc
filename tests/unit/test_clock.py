"""Time: a moment keeps its local time, and a fake clock does what it is told."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.clock import Clock, FakeClock, Moment, Stopwatch


@pytest.fixture
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("utc", "local", "minutes"),
    [
        (datetime(2027, 3, 28, 0, 59, 59, tzinfo=UTC), "01:59:59", 60),
        (datetime(2027, 3, 28, 1, 0, 0, tzinfo=UTC), "03:00:00", 120),  # summer time began
        (datetime(2027, 10, 31, 0, 30, 0, tzinfo=UTC), "02:30:00", 120),
        (datetime(2027, 10, 31, 1, 30, 0, tzinfo=UTC), "02:30:00", 60),  # and ended: the same hour again
        (datetime(2026, 12, 31, 23, 30, 0, tzinfo=UTC), "00:30:00", 60),
        (datetime(1970, 1, 1, tzinfo=UTC), "01:00:00", 60),
        (datetime(2036, 11, 21, 9, 0, tzinfo=UTC), "10:00:00", 60),
    ],
)
@pytest.mark.usefixtures("_in_berlin")
def test_a_moment_keeps_the_local_time_that_was_on_the_wall(utc: datetime, local: str, minutes: int) -> None:
    moment = FakeClock(utc).now()
    assert moment.local.strftime("%H:%M:%S") == local
    assert moment.offset == timedelta(minutes=minutes)
    again = Moment.from_json(moment.to_json())
    assert (again, again.local) == (moment, moment.local)


def test_a_clock_that_was_never_set_is_not_trusted() -> None:
    assert not FakeClock(datetime(1970, 1, 1, tzinfo=UTC)).now().trusted
    assert FakeClock(datetime(2027, 1, 1, tzinfo=UTC)).now().trusted


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        Moment.from_json({**FakeClock().now().to_json(), "utc": "2026-11-21T09:00:00"})


def test_a_frame_of_this_boot_gets_the_time_at_which_it_was_taken() -> None:
    clock = FakeClock()
    taken = clock.now()
    clock.move(2.5)
    assert clock.at(taken.boottime_ns) == taken


def test_the_machines_clock_runs_and_names_its_boot() -> None:
    clock = Clock()
    first, second = clock.now(), clock.now()
    assert first.boottime_ns < second.boottime_ns
    assert first.boot_id == second.boot_id == Clock().boot_id
    assert abs(first.utc - datetime.now(UTC)) < timedelta(seconds=5)
    ago = clock.at(clock.boottime_ns() - 10**9)
    assert timedelta(seconds=0.9) < clock.utc() - ago.utc < timedelta(seconds=5)


def test_waiting_ends_at_once_when_the_stop_is_set() -> None:
    stop = threading.Event()
    assert not Clock().wait(stop, 0.001)
    stop.set()
    watch = Stopwatch(Clock())
    assert Clock().wait(stop, 60)
    assert watch.seconds < 30


def test_a_fake_clock_stands_still_until_it_is_moved() -> None:
    clock, stop = FakeClock(), threading.Event()
    start = clock.now()
    assert clock.now() == start
    watch = Stopwatch(clock)
    clock.pause(1.5)
    assert not clock.wait(stop, 2)
    assert watch.seconds == 3.5
    stop.set()
    assert clock.wait(stop, 60)
    assert watch.seconds == 3.5
    assert clock.utc() == start.utc + timedelta(seconds=3.5)
    assert clock.jitter(0.2) == 1


def test_chance_has_the_form_that_was_asked_for() -> None:
    clock = Clock()
    uids = {clock.uid() for _ in range(50)}
    assert len(uids) == 50
    assert all(uid.startswith("2.25.") and len(uid) <= 64 and uid[5] != "0" for uid in uids)
    assert [len(clock.token(digits)) for digits in (1, 7, 10)] == [1, 7, 10]
    assert all(len(clock.digits(4)) == 4 and clock.digits(4).isdigit() for _ in range(50))
    assert all(0.8 <= clock.jitter(0.2) <= 1.2 for _ in range(50))
    assert len({clock.jitter(0.2) for _ in range(50)}) > 1


# --- an appliance, whose clock may have been set by nobody --------------------------------------------------


@pytest.fixture
def appliance(tmp_path: Path) -> Clock:
    (tmp_path / "image").touch()
    return Clock(told=tmp_path / "clock.json", image=tmp_path / "image")


def test_the_clock_of_an_appliance_is_not_believed_before_anybody_set_it(appliance: Clock, tmp_path: Path) -> None:
    told = tmp_path / "clock.json"
    assert not appliance.now().trusted
    for damaged in ("", "[]", '{"trusted": "yes"}', '{"trusted": false}'):
        told.write_text(damaged)
        assert not appliance.now().trusted, damaged
    told.write_text('{"trusted": true}')
    assert appliance.now().trusted


def test_what_set_the_clock_once_counts_until_the_next_start(appliance: Clock, tmp_path: Path) -> None:
    told = tmp_path / "clock.json"
    told.write_text('{"trusted": true}')
    assert appliance.now().trusted
    told.unlink()
    assert appliance.now().trusted


def test_another_machines_clock_is_its_administrators(tmp_path: Path) -> None:
    assert Clock(told=tmp_path / "clock.json", image=tmp_path / "image").now().trusted
