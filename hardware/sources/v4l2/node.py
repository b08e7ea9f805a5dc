"""One opened V4L2 node: the four things that the kernel does for it. The seam at which tests put a fake."""

import errno
import fcntl
import math
import mmap
import os
import select
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hardware.errors import DeviceMissing, DeviceRefused

GONE = frozenset({errno.ENODEV, errno.ENXIO})
_PRESSED = 3  # an ioctl may be interrupted by a signal; a driver that always says so is broken


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """What a node has for its reader."""

    picture: bool = False
    event: bool = False
    trouble: bool = False  # the node is gone, or its stream stands still


class Node(Protocol):
    """What the product asks of the kernel. Every call raises OSError as the kernel answers."""

    def ioctl(self, request: int, argument: Any) -> None:  # noqa: ANN401 - linuxpy's structures are not typed
        """Make one call; `argument` is a structure of `linuxpy.video.raw`, changed in place."""

    def map(self, length: int, offset: int) -> Any:  # noqa: ANN401 - an mmap, or what stands for it
        """Return the memory of one buffer: something with the buffer protocol and `close`."""

    def wait(self, seconds: float, *, pictures: bool) -> Ready:
        """Wait at most so long for an event, and for a picture if `pictures`: without a stream none can come."""

    def close(self) -> None:
        """Let go of the node."""


class KernelNode:
    """A node of /dev, opened so that no call waits for a picture."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises DeviceMissing or DeviceRefused."""
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in {*GONE, errno.ENOENT}:
                raise DeviceMissing(f"There is no video adapter at {path}: check its plug.") from error
            raise DeviceRefused(
                f"The video adapter at {path} cannot be opened ({error.strerror}): check that no other program "
                "uses it, and that this user is in the group video."
            ) from error

    def ioctl(self, request: int, argument: Any) -> None:  # noqa: ANN401 - linuxpy's structures are not typed
        for _ in range(_PRESSED):
            try:
                fcntl.ioctl(self._fd, request, argument)
            except InterruptedError:
                continue
            return
        raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))

    def map(self, length: int, offset: int) -> mmap.mmap:
        return mmap.mmap(self._fd, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)

    def wait(self, seconds: float, *, pictures: bool) -> Ready:
        asked = select.poll()
        asked.register(self._fd, select.POLLPRI | (select.POLLIN if pictures else 0))
        found = dict(asked.poll(max(0, math.ceil(seconds * 1000)))).get(self._fd, 0)
        return Ready(
            picture=bool(found & select.POLLIN),
            event=bool(found & select.POLLPRI),
            trouble=bool(found & (select.POLLERR | select.POLLHUP | select.POLLNVAL)),
        )

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
