"""What is plugged in, and what came or went. Looking every two seconds is the truth; udev only makes it prompt.

udev's messages may get lost in a burst, and its library then raises instead of going on; a container has none of
them. Neither does any harm here: the next look finds what happened.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyudev

from hardware.usb import usb_of

LOOK_S = 2.0
SYS = Path("/sys/class")
CLASSES = ("video4linux", "tty", "hidraw", "input", "sound")
_AGAIN_NS = 10_000_000_000  # between two tries to hear udev
_SETTLE_S = 0.05  # a device announces itself several times
_BURST_NS = 1_000_000_000  # the longest wait for its last word
_BUFFER = 1 << 20  # bytes for what nobody has read yet


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Plugged:
    """One device node. `port` and `identity` ("534d:2109") of the USB device that it belongs to, else empty."""

    kind: str  # a word of CLASSES
    node: str  # as in /dev
    port: str = ""
    identity: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What came or went."""

    came: bool
    what: Plugged


class Monitor(Protocol):
    """Says promptly that something happened."""

    def poll(self, timeout: float) -> object | None:
        """Wait at most `timeout` seconds; None when nothing happened. Raises OSError when it is of no more use."""


class Hotplug:
    """Looks for what is plugged in.

    `look` says what is there; `monitor` makes one that is prompt; `wait` holds the calling thread for some seconds.
    """

    def __init__(
        self,
        *,
        clock_ns: Callable[[], int],
        wait: Callable[[float], None],
        look: "Callable[[], frozenset[Plugged]] | None" = None,
        monitor: "Callable[[], Monitor] | None" = None,
    ) -> None:
        self._clock_ns, self._wait = clock_ns, wait
        self._look, self._make = look or plugged, monitor or udev
        self._monitor: Monitor | None = None
        self._deaf_ns: int | None = None  # since when udev is not heard
        self._there: frozenset[Plugged] | None = None
        self._count = 0

    @property
    def prompt(self) -> bool:
        """Whether udev is heard."""
        return self._monitor is not None

    def seen(self) -> int:
        """Return a number that grows whenever something may have changed."""
        return self._count

    def step(self) -> list[Change]:
        """Wait until something happens, at most two seconds; return what came and went since the last time."""
        if self._there is not None:
            self._hear()
        before, self._there = self._there, self._look()
        if before is None:
            return []
        changes = [Change(came=False, what=each) for each in sorted(before - self._there)]
        changes += [Change(came=True, what=each) for each in sorted(self._there - before)]
        self._count += bool(changes)
        return changes

    def _hear(self) -> None:
        monitor = self._listening()
        if monitor is None:
            self._wait(LOOK_S)
            return
        try:
            if monitor.poll(LOOK_S) is None:
                return
            enough = self._clock_ns() + _BURST_NS
            while monitor.poll(_SETTLE_S) is not None and self._clock_ns() < enough:
                pass
        except OSError:
            self._monitor, self._deaf_ns = None, self._clock_ns()
        self._count += 1  # a node that was there before may now have its rights

    def _listening(self) -> Monitor | None:
        deaf_ns = self._deaf_ns
        if self._monitor is None and (deaf_ns is None or self._clock_ns() - deaf_ns >= _AGAIN_NS):
            try:
                self._monitor = self._make()
            except OSError:
                self._deaf_ns = self._clock_ns()
        return self._monitor


def udev(kinds: Sequence[str] = CLASSES) -> Monitor:
    """Return what hears udev's own messages, which come after it set names and rights. Raises OSError."""
    try:
        monitor = pyudev.Monitor.from_netlink(pyudev.Context())
    except ImportError as error:  # without its library
        raise OSError("udev's library is missing") from error
    for kind in kinds:
        monitor.filter_by(subsystem=kind)
    monitor.start()
    with suppress(OSError):  # only a privileged process may have more than the usual one
        monitor.set_receive_buffer_size(_BUFFER)
    return monitor  # type: ignore[no-any-return]


def plugged(sys: Path = SYS) -> frozenset[Plugged]:
    """Return every node of CLASSES that belongs to a device, rather than to the kernel alone."""
    return frozenset(found for kind in CLASSES for found in _of(sys / kind))


def _of(folder: Path) -> Iterator[Plugged]:
    try:
        entries = list(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if (entry / "device").exists() and (node := _node(entry)):
            port, identity = _usb(entry)
            yield Plugged(kind=folder.name, node=node, port=port, identity=identity)


def _node(entry: Path) -> str:
    """Return the name below /dev; "" of what has no node."""
    try:
        lines = (entry / "uevent").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("DEVNAME=") for line in lines if line.startswith("DEVNAME=")), "")


def _usb(entry: Path) -> tuple[str, str]:
    try:
        usb = usb_of(entry)
    except OSError:
        return "", ""  # it goes while it is looked at
    return (usb.port, usb.identity) if usb else ("", "")
