"""One at a time among root's processes: a lock on a file that nobody else opens, and that ends with its process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import Refused

DISK = Path("/run/scopegate-keys.lock")  # its keys, what is erased, rescued or installed, and a restart


class DiskBusy(Refused):
    """The box is at work on its keys or its disk already."""

    code = "keys-busy"
    action = "Wait until that is done, and try again."


@contextmanager
def alone(path: Path, *, patient: bool = True) -> Iterator[bool]:
    """Hold a lock; without patience say False when somebody else has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield _locked(fd, patient=patient)
    finally:
        os.close(fd)


@contextmanager
def at_the_disk(lock: Path = DISK) -> Iterator[None]:
    """Change keys, erase, rescue or install, and nobody else does meanwhile. Raises DiskBusy."""
    with alone(lock, patient=False) as ours:
        if not ours:
            raise DiskBusy
        yield


def _locked(fd: int, *, patient: bool) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX if patient else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
