"""What a process says of itself: believed while it is fresh and its own."""

from pathlib import Path

from gateway.clock import FakeClock
from gateway.spool.files import Files
from gateway.spool.processes.live import STALE_S, LiveState


def live(folder: Path, clock: FakeClock) -> LiveState:
    return LiveState(folder=folder, process="capture", files=Files(), clock=clock)


def test_what_a_killed_process_said_does_not_speak_for_its_successor(tmp_path: Path, clock: FakeClock) -> None:
    live(tmp_path, clock).write({"sources": "ok"})
    successor = live(tmp_path, clock)
    assert successor.read() is not None
    successor.begin()
    assert successor.read() is None
    successor.begin()  # also when nobody said anything


def test_a_process_that_says_nothing_any_more_is_not_there(tmp_path: Path, clock: FakeClock) -> None:
    said = live(tmp_path, clock)
    said.write({"sources": "ok"})
    clock.move(STALE_S - 0.1)
    assert said.read() is not None
    clock.move(0.2)
    assert said.read() is None
