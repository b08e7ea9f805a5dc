"""A box that is killed by the dozen: its three processes are forks of tests/crash/warm.py."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import Queue
from typing import Any

from tests.box import Box, until
from tests.crash.steps import ROLES

AT_RANDOM = "at a random moment"


class WarmBox(Box):
    """A box whose three processes are forks of tests/crash/warm.py."""

    def __init__(
        self, folder: Path, *, medium: Path, careless: bool = False, forgetful: bool = False, **words: Any
    ) -> None:
        """`careless`, `forgetful`: what is wrong with it, see watch.py."""
        super().__init__(folder, **words)
        self._medium = medium
        self._words = [*(["careless"] if careless else []), *(["forgetful"] if forgetful else [])]
        self._pids: dict[str, int] = {}
        self.deaths: dict[str, Queue[str]] = {role: Queue() for role in ROLES}  # of each role, the steps

    def start(self, *, wait: bool = True) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.crash.warm",
                    *map(str, (self.config, self.data, self._medium)),
                    *self._words,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()
        if wait:
            until("the box to be ready", self.is_ready)

    def stop(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        assert process.stdin
        process.stdin.close()
        try:
            process.wait(40)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
                for pid in self._pids.values():  # one that does not end keeps what we listen to
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            self._listener.join(30)  # ends with the last process that could say something
            assert process.stdout
            process.stdout.close()

    def pid(self, role: str) -> int:
        return self._pids.get(role, 0)

    def kill_at(self, role: str, steps: Sequence[str], passing: int) -> None:
        """Let the process die at one of these steps (steps.STEPS; none = any), when so many of them have passed."""
        self._tell({"do": "kill-at", "role": role, "steps": list(steps), "passing": passing})

    def kill_now(self, role: str) -> None:
        self._tell({"do": "kill-now", "role": role})

    def _tell(self, order: dict[str, object]) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        last: dict[str, str] = {}
        for line in process.stdout or ():
            said = json.loads(line)
            if "killed" in said:
                last[said["killed"]] = said["step"]
            elif "started" in said:
                self._pids[said["started"]] = said["pid"]
            else:
                role = said["ended"]
                self._pids.pop(role, None)
                how = AT_RANDOM if said["by"] == -9 else f"ended by itself ({said['by']})"
                self.deaths[role].put(last.pop(role, how))
