"""The three real processes, forked from a program that has imported everything: a start costs a tenth of a second.

`python -m tests.crash.warm CONFIG DATA MEDIUM [careless] [forgetful]`, driven by lines of JSON on its standard
input, tells what happens on its standard output. Each child runs the product's own command line; watch.py is how it
is killed.
"""

import json
import mmap
import os
import select
import signal
import sqlite3
import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path

from tests.crash import steps, watch

_current: watch.Watch | None = None  # of this process, once it is a child
sqlite3.Connection = watch.watched_connection(lambda: _current)  # type: ignore[misc]  # before the product is imported

_LATE_S = 0.5


class Warm:
    """Keeps the three roles alive and passes on who is to die where."""

    def __init__(self, config: Path, roots: Sequence[Path], *, faults: Collection[str]) -> None:
        self._config = config
        self._roots = roots  # the data folder, and where a medium is put
        self._faults = faults
        self._orders = watch.Orders(mmap.mmap(-1, 4096))
        self._roles: dict[int, str] = {}
        self._ending = False
        self._alive, self._life = os.pipe()  # its end tells the children that their parent is gone

    def run(self) -> None:
        """Start all three, then obey and watch until the input ends; then end all three."""
        for role in steps.ROLES:
            self._start(role)
        while not self._ending or self._roles:
            ready, _, _ = select.select([] if self._ending else [0], [], [], 0.01)
            if ready:
                self._obey(sys.stdin.buffer.readline())
            self._bury()

    def _obey(self, line: bytes) -> None:
        if not line:
            self._ending = True
            os.close(self._life)  # as `scopegate run` does first: a process waits for the end of it
            for pid in self._roles:
                os.kill(pid, signal.SIGTERM)
            return
        order = json.loads(line)
        if order["do"] == "kill-at":
            self._orders.kill(order["role"], order["steps"], order["passing"])
        elif order["do"] == "kill-now":
            self._orders.forget(order["role"])
            for pid, role in self._roles.items():
                if role == order["role"]:
                    os.kill(pid, signal.SIGKILL)

    def _bury(self) -> None:
        while self._roles:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            role = self._roles.pop(pid)
            if self._ending:
                continue
            self._orders.forget(role)
            say({"ended": role, "pid": pid, "by": os.waitstatus_to_exitcode(status)})
            self._start(role)

    def _start(self, role: str) -> None:
        pid = os.fork()
        if not pid:
            self._become(role)
        self._roles[pid] = role
        say({"started": role, "pid": pid})

    def _become(self, role: str) -> None:
        """Be that process until its end."""
        global _current  # noqa: PLW0603 - what a fork is
        os.setsid()
        os.close(self._life)
        os.environ["SCOPEGATE_PARENT_FD"] = str(self._alive)
        report = os.dup(1)
        os.dup2(2, 1)
        _current = watch.Watch(role=role, roots=self._roots, orders=self._orders, report=report)
        _current.install()
        if "careless" in self._faults and role == "capture":
            watch.rename_late(_LATE_S)
        if "forgetful" in self._faults and role == "forward":
            watch.forget_plans()
        from gateway.__main__ import main  # noqa: PLC0415 - imported before, see `warm_up`

        sys.argv = ["scopegate", role, "--config", str(self._config)]
        try:
            main()
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 0)
        os._exit(0)


def warm_up() -> None:
    """Import what the three need, and start nothing."""
    for name in ("__main__", "capture.service", "forward.service", "panel.service"):
        import_module(f"gateway.{name}")
    import_module("hardware.factory")


def say(what: dict[str, object]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    warm_up()
    config, data, medium, *more = sys.argv[1:]
    Warm(Path(config), [Path(data), Path(medium)], faults=more).run()
