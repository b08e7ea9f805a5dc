"""Ends a process at one of its named steps, from below: os and sqlite3 are wrapped.

Only a process that a test started may be `watched`. Nothing of the product is touched: it calls os.fsync and finds
that it does not come back.
"""

import json
import os
import signal
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.crash.steps import ROLES, STEPS, rows, subject

NUMBERS = {role: {step: number for number, step in enumerate(steps)} for role, steps in STEPS.items()}


class Orders:
    """Shared memory between who kills and who is killed: at which steps of each role, and how many of them pass."""

    _FORM = struct.Struct("=32sH")  # a bit for each of at most 256 steps
    _ANY = bytes([255]) * 32

    def __init__(self, memory: Any) -> None:
        self._memory = memory

    def kill(self, role: str, steps: Sequence[str] = (), passing: int = 0) -> None:
        """End the role's process at the first of these steps that comes, none named = at any."""
        wanted = sum(1 << STEPS[role].index(step) for step in set(steps)).to_bytes(32, "little")
        self._FORM.pack_into(self._memory, self._place(role), wanted if steps else self._ANY, passing)

    def forget(self, role: str) -> None:
        self._FORM.pack_into(self._memory, self._place(role), bytes(32), 0)

    def due(self, role: str, step: str) -> bool:
        """Say whether this step, just reached, is the one."""
        wanted, passing = self._FORM.unpack_from(self._memory, self._place(role))
        if wanted != self._ANY:
            number = NUMBERS[role].get(step)
            if number is None or not wanted[number // 8] >> number % 8 & 1:
                return False
        if passing:
            self._FORM.pack_into(self._memory, self._place(role), wanted, passing - 1)
            return False
        return True

    def _place(self, role: str) -> int:
        return ROLES.index(role) * self._FORM.size


class Watch:
    """Wraps the calls of this process below `roots`, and ends it when `orders` say so. The first is the box's."""

    def __init__(self, *, role: str, roots: Sequence[Path], orders: Orders, report: int) -> None:
        self._role = role
        self._roots = tuple(f"{root}/" for root in roots)
        self._orders = orders
        self._report = report

    def install(self) -> None:
        """Wrap os and sqlite3. Before the product is imported: it subclasses sqlite3.Connection."""
        for name, kind in (("write", "write"), ("fsync", "sync"), ("ftruncate", "cut")):
            setattr(os, name, self._by_fd(kind, getattr(os, name)))
        for name, kind in (("replace", "rename"), ("unlink", "remove"), ("mkdir", "make")):
            setattr(os, name, self._by_path(kind, getattr(os, name)))
        os.open = self._opening(os.open)  # type: ignore[assignment]

    def step(self, kind: str, what: str, act: Callable[[], Any]) -> Any:
        """Do one step, and end before or after it if that is wanted."""
        self._meet(f"before {kind} {what}")
        result = act()
        self._meet(f"after {kind} {what}")
        return result

    def _meet(self, step: str) -> None:
        if self._orders.due(self._role, step):
            # os.write is wrapped; a line below PIPE_BUF is written in one piece.
            with open(self._report, "wb", buffering=0, closefd=False) as file:
                file.write(json.dumps({"killed": self._role, "step": step}).encode() + b"\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def _what(self, path: str) -> str:
        """Name a path of ours, "" when it is none."""
        if path.startswith("/proc/self/fd/"):  # the product holds a medium by its descriptor
            fd, _, rest = path.removeprefix("/proc/self/fd/").partition("/")
            with suppress(OSError):
                path = f"{os.readlink(f'/proc/self/fd/{fd}')}/{rest}"  # noqa: PTH115 - pathlib would come back here
        if not f"{path}/".startswith(self._roots):
            return ""
        what = subject(Path(path))
        return f"medium {what}" if what == "folder" and not f"{path}/".startswith(self._roots[0]) else what

    def _by_fd(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(fd: int, *words: Any) -> Any:
            path = ""
            with suppress(OSError):
                path = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - pathlib would come back here
            what = self._what(path)
            return self.step(kind, what, lambda: call(fd, *words)) if what else call(fd, *words)

        return wrapped

    def _by_path(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Any, *words: Any, **more: Any) -> Any:
            named = words[0] if kind == "rename" else path.parent if kind == "make" else path
            what = self._what(str(named)) if isinstance(named, str | Path) else ""
            return self.step(kind, what, lambda: call(path, *words, **more)) if what else call(path, *words, **more)

        return wrapped

    def _opening(self, call: Callable[..., int]) -> Callable[..., int]:
        def wrapped(path: Any, flags: int, *words: Any, **more: Any) -> int:
            what = self._what(str(path)) if flags & os.O_CREAT else ""
            if not what:
                return call(path, flags, *words, **more)
            result: int = self.step("create", what, lambda: call(path, flags, *words, **more))
            return result

        return wrapped


def watched_connection(watch: Callable[[], Watch | None]) -> type[sqlite3.Connection]:
    """Return a connection that meets its commits, named by what they change.

    `watch` is asked each time, as a fork may have set it.
    """

    class Watched(sqlite3.Connection):
        changed = ""  # what the transaction changed first

        def execute(self, sql: str, *words: Any) -> sqlite3.Cursor:
            self.changed = self.changed or rows(sql)
            return super().execute(sql, *words)

        def executemany(self, sql: str, *words: Any) -> sqlite3.Cursor:
            self.changed = self.changed or rows(sql)
            return super().executemany(sql, *words)

        def rollback(self) -> None:
            self.changed = ""
            super().rollback()

        def commit(self) -> None:
            current, changed, self.changed = watch(), self.changed, ""
            if current is None:
                super().commit()
            else:
                current.step("commit", changed or "nothing", super().commit)

    return Watched


def rename_late(seconds: float) -> None:
    """Make this process careless: pictures and sidecars get their names after it said that they are stored."""
    real = os.replace

    def late(old: Any, new: Any, **more: Any) -> None:
        if subject(Path(new)) not in {"still", "sidecar"}:
            real(old, new, **more)
            return

        def in_a_while() -> None:
            time.sleep(seconds)
            with suppress(FileNotFoundError):
                real(old, new, **more)

        threading.Thread(target=in_a_while, daemon=True).start()

    os.replace = late  # type: ignore[assignment]


def forget_plans() -> None:
    """Make this process forgetful: of what it makes of a clip it keeps no plan."""
    real = os.replace

    def lost(old: Any, new: Any, **more: Any) -> None:
        real(old, new, **more)
        if subject(Path(new)) == "key still plan":
            Path(new).unlink()

    os.replace = lost  # type: ignore[assignment]
