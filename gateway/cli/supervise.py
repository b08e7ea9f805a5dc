"""`scopegate run`: the three processes as children. On the box systemd does this."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.clock import Clock, Stopwatch

PARENT_FD = "SCOPEGATE_PARENT_FD"  # names a pipe that ends when `scopegate run` does, however it went
PROCESSES = {"capture": 2.0, "forward": 30.0, "panel": 30.0}  # name: the longest wait before it starts again, s
_FIRST_WAIT_S = 1.0
_YOUNG_S = 5.0  # a child that dies so soon waits twice as long the next time
_PATIENCE_S = 20.0
_LOOK_S = 0.1


def wait_before(previous_s: float, lived_s: float, longest_s: float) -> float:
    """Return how long to wait before a dead child is started again, seconds."""
    if lived_s >= _YOUNG_S or not previous_s:
        return _FIRST_WAIT_S
    return min(previous_s * 2, longest_s)


@dataclass(kw_only=True, slots=True)
class _Child:
    name: str
    longest_s: float
    process: subprocess.Popen[bytes] | None = None
    since: Stopwatch | None = None
    wait_s: float = 0.0
    starts_in: Stopwatch | None = field(default=None)  # since its death


class Children:
    """Starts, watches and ends the three processes. `say` gets a line for whatever happens to one."""

    def __init__(self, config: Path, say: Callable[[str], None], clock: Clock | None = None) -> None:
        self._config = config
        self._say = say
        self._clock = clock or Clock()
        self._children = [_Child(name=name, longest_s=longest) for name, longest in PROCESSES.items()]
        self._end_of_us, self._our_end = os.pipe()

    @property
    def pids(self) -> dict[str, int]:
        """Return the process numbers of those that run."""
        return {child.name: child.process.pid for child in self._children if child.process}

    def start(self) -> None:
        """Start all three."""
        for child in self._children:
            self._start(child)

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set, then end all three."""
        while not self._clock.wait(stop, _LOOK_S):
            for child in self._children:
                self._look(child)
        self._end()

    def _start(self, child: _Child) -> None:
        command = [sys.executable, "-m", "gateway", child.name, "--config", str(self._config)]
        child.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            pass_fds=[self._end_of_us],
            env={**os.environ, PARENT_FD: str(self._end_of_us)},
            start_new_session=True,  # Ctrl-C reaches us alone: we end them in order
        )
        child.since = Stopwatch(self._clock)

    def _look(self, child: _Child) -> None:
        if child.process is None:
            assert child.starts_in
            if child.starts_in.seconds >= child.wait_s:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            return
        assert child.since
        child.wait_s = wait_before(child.wait_s, child.since.seconds, child.longest_s)
        child.process, child.starts_in = None, Stopwatch(self._clock)
        self._say(f"{child.name} ended {_words(code)}; it starts again in {child.wait_s:g} s")

    def _end(self) -> None:
        os.close(self._our_end)
        running = [child for child in self._children if child.process]
        for child in running:
            assert child.process
            child.process.terminate()
        patience = Stopwatch(self._clock)
        for child in running:
            assert child.process
            try:
                child.process.wait(max(0.1, _PATIENCE_S - patience.seconds))
            except subprocess.TimeoutExpired:
                self._say(f"{child.name} did not stop within {_PATIENCE_S:g} s and was killed")
                child.process.kill()
                child.process.wait()
        os.close(self._end_of_us)


def _words(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with {code}"
