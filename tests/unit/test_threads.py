"""Threads that may not die in silence, and whose end says nothing of a patient."""

import os
import signal
import sys
import threading

import pytest

from gateway.clock import Clock, FakeClock, Stopwatch
from gateway.threads import Supervisor, contained, on_signals

CANARY = "Zebulon^Canary"


def fails() -> None:
    raise ValueError(f"cannot write {CANARY}")


def test_a_process_that_is_asked_to_stop_ends_well():
    supervisor = Supervisor()
    seen: list[str] = []
    supervisor.start("work", lambda: seen.append(threading.current_thread().name) or supervisor.stop.wait(10))
    supervisor.every("tick", 60, lambda: seen.append("tick"))
    supervisor.stop.set()
    assert supervisor.run() is True
    assert sorted(seen) == ["tick", "work"]


@pytest.fixture
def signals_as_before():
    handler = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, handler)
    signal.set_wakeup_fd(-1)


@pytest.mark.usefixtures("signals_as_before")
def test_a_process_is_told_to_stop_also_in_the_moment_in_which_it_holds_what_that_needs():
    lock, told = threading.Lock(), threading.Event()
    tried: list[bool] = []

    def stop() -> None:
        tried.append(lock.acquire(timeout=10))
        told.set()

    on_signals(stop, signal.SIGUSR1)
    with lock:
        os.kill(os.getpid(), signal.SIGUSR1)
    assert told.wait(10)
    assert tried == [True]


def test_a_thread_that_dies_stops_the_process_and_the_log_says_where_but_not_what(caplog):
    supervisor = Supervisor()
    other = supervisor.start("other", lambda: supervisor.stop.wait(10))
    supervisor.start("work", fails)
    assert supervisor.run() is False
    assert not other.is_alive()
    assert "thread_died thread=work error=ValueError" in caplog.text
    assert "test_threads.py" in caplog.text
    assert "Zebulon" not in caplog.text


@pytest.mark.parametrize("end", [SystemExit, lambda: SystemExit(0), GeneratorExit])
def test_no_way_to_die_is_silent(end, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _arguments: None)

    def dies() -> None:
        raise end()

    supervisor = Supervisor()
    supervisor.start("work", dies)
    assert supervisor.run() is False


def test_a_thread_that_ends_before_the_process_does_has_died(caplog):
    supervisor = Supervisor()
    supervisor.start("work", lambda: None)
    assert supervisor.run() is False
    assert "thread_ended_early thread=work" in caplog.text


def test_a_step_that_is_repeated_and_dies_stops_the_process(caplog):
    supervisor = Supervisor()
    steps = iter((None, None))
    supervisor.every("step", 0.001, lambda: next(steps))
    assert supervisor.run() is False
    assert "StopIteration" in caplog.text


def test_a_connection_may_end_and_is_forgotten():
    supervisor = Supervisor()
    for _ in range(20):
        supervisor.serve("one", lambda: None).join(10)
    assert supervisor._threads == []
    assert not supervisor.stop.is_set()
    supervisor.stop.set()
    assert supervisor.run() is True


def test_a_connection_that_fails_stops_the_process(caplog):
    supervisor = Supervisor()
    supervisor.serve("one", fails)
    assert supervisor.run() is False
    assert "Zebulon" not in caplog.text


def test_connections_one_after_the_other_are_all_served_by_one_thread():
    supervisor = Supervisor()
    served: list[int] = []
    for count in range(1, 21):
        supervisor.attend("one", lambda: served.append(threading.get_native_id()))
        rests(supervisor, 1)
        assert len(served) == count
    assert len(set(served)) == 1
    ends_well(supervisor)


def test_connections_at_the_same_time_are_served_at_the_same_time():
    supervisor, together = Supervisor(), threading.Barrier(3)
    for _ in range(2):
        for _ in range(3):
            supervisor.attend("one", lambda: together.wait(10))
        rests(supervisor, 3)
    assert len(supervisor._threads) == 3
    ends_well(supervisor)


def test_a_thread_that_served_before_and_fails_stops_the_process(caplog):
    supervisor = Supervisor()
    supervisor.attend("one", lambda: None)
    rests(supervisor, 1)
    supervisor.attend("one", fails)
    assert supervisor.run() is False
    assert "thread_died thread=one error=ValueError" in caplog.text
    assert "Zebulon" not in caplog.text


def rests(supervisor: Supervisor, count: int) -> None:
    """Wait until so many threads are free."""
    clock = Clock()
    patience = Stopwatch(clock)
    while len(supervisor._resting) != count:
        assert patience.seconds < 10
        clock.pause(0.001)


def ends_well(supervisor: Supervisor) -> None:
    supervisor.stop.set()
    assert supervisor.run() is True
    assert supervisor._threads == []


def test_a_thread_that_does_not_end_holds_the_process_up_for_its_patience_only():
    supervisor, free = Supervisor(), threading.Event()
    supervisor.start("stuck", lambda: free.wait(10))
    supervisor.stop.set()
    assert supervisor.run(patience=0.05) is True
    free.set()


def test_what_a_foreign_thread_raises_goes_no_further_and_is_not_quoted(caplog, capsys):
    ended: list[bool] = []
    contained("peer", fails, lambda: ended.append(True))()
    assert ended == [True]
    assert "foreign_thread_died thread=peer error=ValueError" in caplog.text
    assert "Zebulon" not in caplog.text + capsys.readouterr().err
    contained("peer", lambda: None, lambda: ended.append(False))()
    assert ended == [True]
    assert sys.exc_info() == (None, None, None)


def test_a_step_that_does_not_come_to_its_end_is_named_and_one_that_rests_is_not() -> None:
    clock, begun, go_on = FakeClock(), threading.Event(), threading.Event()
    supervisor = Supervisor(clock)

    def step() -> None:
        begun.set()
        go_on.wait()

    supervisor.every("rests", 60, lambda: None)
    supervisor.every("works", 60, step, longest_s=30.0)
    assert begun.wait(10)
    clock.move(29)
    assert supervisor.hanging() == ""
    clock.move(2)
    assert supervisor.hanging() == "works"
    go_on.set()
    while supervisor.hanging():
        Clock().pause(0.01)
    clock.move(3600)
    assert supervisor.hanging() == ""
    supervisor.stop.set()
    assert supervisor.run()
