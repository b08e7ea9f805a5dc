"""Role locks: one process a role. Held for life, given back by the kernel however the process ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gateway.errors import SpoolLocked
from gateway.spool.files import disk_error
from gateway.spool.paths import Layout

ROLES = ("capture", "forward", "panel")


@contextmanager
def role(layout: Layout, name: str) -> Iterator[None]:
    """Hold the lock of one role. Raises SpoolLocked with the holder's process number."""
    with _held(layout.role_lock(name), name):
        yield


@contextmanager
def every_role(layout: Layout) -> Iterator[None]:
    """Hold the locks of all roles, as a rebuild must. Raises SpoolLocked."""
    with ExitStack() as stack:
        for name in ROLES:
            stack.enter_context(role(layout, name))
        yield


@contextmanager
def _held(path: Path, name: str) -> Iterator[None]:
    fd = _opened(path)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 20).decode(errors="replace").strip() or "unknown"
            raise SpoolLocked(
                f"The {name} process of this data folder is running already (process {holder})."
            ) from None
        with suppress(OSError):  # the name of the holder is for people: a full disk keeps nobody from starting
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def _opened(path: Path) -> int:
    """Open a lock's file, which needs no writing. Raises DiskFull or DiskFailed when it cannot be created."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    except OSError as error:
        with suppress(OSError):  # a disk that is read-only locks all the same
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        raise disk_error(error) from error
