"""Names the durable steps of a process and ends it at one of them, from below: os and sqlite3 are wrapped.

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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROLES = ("capture", "forward", "panel")
WHEN = ("before", "after")
_MADE = ("create", "write", "sync", "rename")
_BY_ROLE: dict[str, tuple[tuple[str, str], ...]] = {
    "capture": (
        *((kind, what) for what in ("still", "sidecar") for kind in _MADE),
        *((kind, what) for what in ("clip pictures", "clip index") for kind in _MADE),
        ("sync", "folder"),
        ("commit", "index"),
    ),
    "forward": (
        *((kind, what) for what in ("object", "seal", "exam") for kind in _MADE),
        ("remove", "still"),
        ("remove", "clip pictures"),
        ("sync", "folder"),
        ("commit", "index"),
    ),
    "panel": (
        ("make", "folder"),
        *((kind, what) for what in ("exam", "tombstone") for kind in _MADE),
        ("remove", "tombstone"),
        ("write", "audit"),
        ("sync", "audit"),
        ("sync", "folder"),
        ("commit", "index"),
    ),
}
STEPS: dict[str, list[str]] = {
    role: [f"{when} {kind} {what}" for kind, what in steps for when in WHEN] for role, steps in _BY_ROLE.items()
}
_SUFFIXES = {
    ".ljpg": "still",
    ".jpg": "still",
    ".json": "sidecar",
    ".frames": "clip pictures",
    ".index": "clip index",
    ".rejected": "tombstone",
    ".dcm": "object",
    ".seal": "seal",
    ".lock": "lock",
}
_ANY = 255  # whatever the next step is


class Orders:
    """Shared memory between who kills and who is killed: at which step of each role, and how many of them pass."""

    _FORM = struct.Struct("=BH")

    def __init__(self, memory: Any) -> None:
        self._memory = memory

    def kill(self, role: str, step: str = "", passing: int = 0) -> None:
        """End the role's process at this step, "" = at any."""
        number = STEPS[role].index(step) + 1 if step else _ANY
        self._FORM.pack_into(self._memory, self._place(role), number, passing)

    def forget(self, role: str) -> None:
        self._FORM.pack_into(self._memory, self._place(role), 0, 0)

    def due(self, role: str, step: str) -> bool:
        """Say whether this step, just reached, is the one."""
        number, passing = self._FORM.unpack_from(self._memory, self._place(role))
        if not number or (number != _ANY and STEPS[role][number - 1] != step):
            return False
        if passing:
            self._FORM.pack_into(self._memory, self._place(role), number, passing - 1)
            return False
        return True

    def _place(self, role: str) -> int:
        return ROLES.index(role) * self._FORM.size


def subject(path: Path) -> str:
    """Name what a path of the data folder is."""
    name = path.name.removesuffix(".part")
    if name == "exam.json":
        return "exam"
    if name.startswith("order"):
        return "order"
    if name.startswith("audit"):
        return "audit"
    if name.startswith("scopegate.db"):
        return "index"
    return _SUFFIXES.get(path.with_name(name).suffix, "folder" if path.is_dir() else "other")


class Watch:
    """Wraps the calls of this process below `root`, and ends it when `orders` say so."""

    def __init__(self, *, role: str, root: Path, orders: Orders, report: int) -> None:
        self._role = role
        self._root = str(root)
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

    def _ours(self, path: str) -> bool:
        return path.startswith(self._root)

    def _by_fd(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(fd: int, *words: Any) -> Any:
            path = ""
            with suppress(OSError):
                path = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - pathlib would come back here
            if not self._ours(path):
                return call(fd, *words)
            return self.step(kind, subject(Path(path)), lambda: call(fd, *words))

        return wrapped

    def _by_path(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Any, *words: Any, **more: Any) -> Any:
            if not isinstance(path, str | Path) or not self._ours(str(path)):
                return call(path, *words, **more)
            what = "folder" if kind == "make" else subject(Path(words[0] if kind == "rename" else path))
            return self.step(kind, what, lambda: call(path, *words, **more))

        return wrapped

    def _opening(self, call: Callable[..., int]) -> Callable[..., int]:
        def wrapped(path: Any, flags: int, *words: Any, **more: Any) -> int:
            if not flags & os.O_CREAT or not self._ours(str(path)):
                return call(path, flags, *words, **more)
            result: int = self.step("create", subject(Path(path)), lambda: call(path, flags, *words, **more))
            return result

        return wrapped


def watched_connection(watch: Callable[[], Watch | None]) -> type[sqlite3.Connection]:
    """Return a connection that meets its commits; `watch` is asked each time, as a fork may have set it."""

    class Watched(sqlite3.Connection):
        def commit(self) -> None:
            current = watch()
            if current is None:
                super().commit()
            else:
                current.step("commit", "index", super().commit)

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
