"""One event node (/dev/input/eventN): key changes with the kernel's time. Nothing else knows evdev's bytes."""

import errno
import fcntl
import os
import select
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from linuxpy.input.device import EVENT_SIZE, EVIOCGBIT, EVIOCGKEY, EVIOCGRAB, IOW
from linuxpy.input.raw import EventType, Key, Synchronization, input_event

from hardware.errors import DeviceMissing, DeviceRefused

EVIOCSCLOCKID = IOW(0xA0, "i")  # linux/input.h; linuxpy has no name for it
KEY_BYTES = Key.KEY_MAX // 8 + 2  # as linuxpy's EVIOCGKEY asks for them
EVIOCGBIT_KEY = EVIOCGBIT(EventType.KEY, KEY_BYTES)
_BATCH = 64  # events a read; a node keeps at least as many (evdev.c)


class Calls(Protocol):
    """The system calls of an event node: what a stand-in for the kernel answers. Each raises OSError."""

    def open(self, path: Path) -> int: ...

    def read(self, fd: int, size: int) -> bytes: ...

    def ioctl(self, fd: int, request: int, argument: int | bytes | bytearray) -> None: ...

    def close(self, fd: int) -> None: ...


class Kernel:
    """The kernel itself."""

    def open(self, path: Path) -> int:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def read(self, fd: int, size: int) -> bytes:
        return os.read(fd, size)

    def ioctl(self, fd: int, request: int, argument: int | bytes | bytearray) -> None:
        fcntl.ioctl(fd, request, argument)

    def close(self, fd: int) -> None:
        os.close(fd)


def ready(fds: Sequence[int], seconds: float) -> bool:
    """Wait until one of them has something to read or is gone; False when the time was over first."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyChange:
    """A key that went down or up, and when, as CLOCK_BOOTTIME in ns."""

    code: int
    down: bool
    time_ns: int


class Node:
    """An open event node. Raises DeviceMissing when it is not there, DeviceRefused when it may not be read."""

    def __init__(self, path: Path, *, calls: Calls) -> None:
        self.path = path
        self._calls = calls
        try:
            self.fd = calls.open(path)
        except OSError as error:
            raise self._failure(error) from error
        try:
            self._ask(EVIOCSCLOCKID, struct.pack("i", time.CLOCK_BOOTTIME))
            self.down = self._bits(EVIOCGKEY)
        except (DeviceMissing, DeviceRefused):
            self.close()
            raise
        self._dropped = False

    def has_keys(self) -> bool:
        """Say whether it has keys at all: some nodes of a pedal have lamps or axes only."""
        return bool(self._bits(EVIOCGBIT_KEY))

    def grab(self) -> None:
        """Keep its keys from everybody else, such as the screen."""
        self._ask(EVIOCGRAB, 1)

    def free(self) -> None:
        """Let others have its keys as well."""
        self._ask(EVIOCGRAB, 0)

    def read(self) -> list[KeyChange]:
        """Return what changed since the last read, at most one batch; never waits.

        Repetitions of a held key are none. When the kernel dropped events (SYN_DROPPED), the keys are looked at.
        """
        try:
            data = self._calls.read(self.fd, EVENT_SIZE * _BATCH)
        except BlockingIOError:
            return []
        except OSError as error:
            raise self._failure(error) from error
        if not data:
            raise self._gone()
        changes, time_ns = [], 0
        for at in range(0, len(data) - EVENT_SIZE + 1, EVENT_SIZE):
            event = input_event.from_buffer_copy(data, at)
            time_ns = event.time.secs * 1_000_000_000 + event.time.usecs * 1000
            if event.type == EventType.KEY and event.value in (0, 1):
                changes.append(self._changed(event.code, bool(event.value), time_ns))
            elif event.type == EventType.SYN and event.code == Synchronization.DROPPED:
                self._dropped = True
        if self._dropped:
            changes += self._looked_at(time_ns)
        return changes

    def close(self) -> None:
        """Let go of it, and of the grab with it; harmless when it is gone."""
        with suppress(OSError):
            self._calls.close(self.fd)

    def _looked_at(self, time_ns: int) -> list[KeyChange]:
        """Return the changes that nobody told."""
        self._dropped = False
        now = self._bits(EVIOCGKEY)
        return [self._changed(code, code in now, time_ns) for code in sorted(now ^ self.down)]

    def _changed(self, code: int, down: bool, time_ns: int) -> KeyChange:  # noqa: FBT001 - a key is down or up
        self.down = self.down | {code} if down else self.down - {code}
        return KeyChange(code=code, down=down, time_ns=time_ns)

    def _bits(self, request: int) -> frozenset[int]:
        bits = bytearray(KEY_BYTES)
        self._ask(request, bits)
        return frozenset(
            at * 8 + bit for at, byte in enumerate(bits) if byte for bit in range(8) if byte >> bit & 1
        )

    def _ask(self, request: int, argument: int | bytes | bytearray) -> None:
        try:
            self._calls.ioctl(self.fd, request, argument)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> DeviceMissing | DeviceRefused:
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            return self._gone()
        if error.errno == errno.EBUSY:
            return DeviceRefused(f"Another program has the keys of {self.path} for itself: end it.")
        return DeviceRefused(
            f"The keys of {self.path} cannot be read: check that it is a key device, and that this user is in "
            "the group input."
        )

    def _gone(self) -> DeviceMissing:
        return DeviceMissing(f"The pedal or keyboard on {self.path} was unplugged: plug it in again.")
