"""Finds out which device a person presses, and with what: a key, a byte or a line. For enrolling a pedal."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from linuxpy.input.raw import Key

from hardware.errors import DeviceError, DeviceMissing, DeviceRefused
from hardware.input.attached import KeyDevice, waiting
from hardware.input.node import Calls, Node
from hardware.serial_port import Connect

_LOOK_S = 0.005
_SETTLE_S = 1.0  # opening a port restarts some pedals, and they say so
_WHOLE_S = 0.3  # a pedal may send several keys, or a line of bytes
_MODIFIERS = {
    f"key:0x{key:X}"
    for key in (
        Key.KEY_LEFTCTRL,
        Key.KEY_RIGHTCTRL,
        Key.KEY_LEFTSHIFT,
        Key.KEY_RIGHTSHIFT,
        Key.KEY_LEFTALT,
        Key.KEY_RIGHTALT,
        Key.KEY_LEFTMETA,
        Key.KEY_RIGHTMETA,
    )
}

_SCREEN = range(0x140, 0x150)  # BTN_DIGI: who touches the box's own screen presses no pedal


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A device that may be the pedal, in the words of a configuration."""

    kind: str  # "input" or "serial"
    device: str
    identity: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What one press sent. words: all of it, in order; word: what is it known by."""

    candidate: Candidate
    words: tuple[str, ...]

    @property
    def word(self) -> str:
        """Return the first word that is no Ctrl, Shift or the like, which only go with others."""
        return next((word for word in self.words if word not in _MODIFIERS), self.words[0])


class Ear(Protocol):
    """An open candidate."""

    def listen(self) -> Iterable[str]:
        """Return what was pressed since the last time, never waiting. Raises DeviceMissing."""

    def close(self) -> None:
        """Let go of it."""


class KeyEar:
    """The keys of one device; others go on getting them, so that whoever started this can stop it."""

    def __init__(self, device: KeyDevice, *, calls: Calls) -> None:
        self._nodes: list[Node] = []
        if device.waits:
            raise waiting(device.word)
        try:
            for path in device.nodes:
                self._nodes.append(Node(path, calls=calls))
                self._nodes[-1].grab()  # refused when another program has them
                self._nodes[-1].free()
            if not any(node.has_keys() for node in self._nodes):
                raise DeviceRefused("It has no keys.")
        except DeviceError:
            self.close()
            raise

    def listen(self) -> Iterator[str]:
        for node in self._nodes:
            changes = (change for change in node.read() if change.down and change.code not in _SCREEN)
            yield from (f"key:0x{change.code:X}" for change in changes)

    def close(self) -> None:
        for node in self._nodes:
            node.close()


class SerialEar:
    """The bytes of one port, and its lines when it has any."""

    def __init__(self, device: str, *, connect: Connect) -> None:
        self._port = connect(device)
        self._on: frozenset[str] = frozenset()
        self._has_lines = True
        self._went_on()

    def listen(self) -> Iterator[str]:
        yield from (f"byte:0x{byte:02X}" for byte in dict.fromkeys(self._port.received(0)))
        yield from self._went_on()

    def close(self) -> None:
        self._port.close()

    def _went_on(self) -> list[str]:
        before = self._on
        if self._has_lines:
            try:
                self._on = self._port.lines()
            except DeviceRefused:
                self._has_lines = False
        return sorted(self._on - before)


@dataclass(kw_only=True)
class Listening:
    """All candidates at once. deaf: those that cannot be listened to, and why."""

    clock_ns: Callable[[], int]
    wait: Callable[[float], None]
    ears: dict[Candidate, Ear] = field(default_factory=dict)
    deaf: dict[Candidate, str] = field(default_factory=dict)

    def add(self, candidate: Candidate, make: Callable[[], Ear]) -> None:
        """Open a candidate."""
        try:
            self.ears[candidate] = make()
        except DeviceError as error:
            self.deaf[candidate] = str(error)

    def settle(self) -> None:
        """Let pass what devices say when they are opened or let go, and whatever is pressed now."""
        for _ in self._during(_SETTLE_S):
            pass

    def hear(self, seconds: float) -> Heard | None:
        """Return the first press on any device, None when nobody pressed within `seconds`."""
        for said in self._during(seconds):
            if said:
                candidate, words = next(iter(said.items()))
                for more in self._during(_WHOLE_S):
                    words += more.get(candidate, [])
                return Heard(candidate=candidate, words=tuple(dict.fromkeys(words)))
        return None

    def close(self) -> None:
        """Let go of everything."""
        for ear in self.ears.values():
            ear.close()

    def _during(self, seconds: float) -> Iterator[dict[Candidate, list[str]]]:
        """Yield who said what, time and again for so long."""
        until = self.clock_ns() + round(seconds * 1e9)
        while self.clock_ns() < until:
            yield self._said()
            self.wait(_LOOK_S)

    def _said(self) -> dict[Candidate, list[str]]:
        said = {}
        for candidate, ear in list(self.ears.items()):
            try:
                if words := list(ear.listen()):
                    said[candidate] = words
            except DeviceMissing:
                self.deaf[candidate] = "It was unplugged."
                self.ears.pop(candidate).close()
        return said


def ports(*, sys: Path = Path("/sys"), dev: Path = Path("/dev")) -> list[Candidate]:
    """Return the serial ports that are there, each by the link that says where it is plugged in."""
    names: dict[Path, Path] = {}
    for link in sorted((dev / "serial" / "by-path").glob("*")):
        names.setdefault(link.resolve(), link)
    for pattern in ("ttyUSB*", "ttyACM*"):
        for node in sorted(dev.glob(pattern)):
            names.setdefault(node, node)
    for entry in sorted((sys / "class" / "tty").glob("ttyS*")):
        with suppress(OSError):  # no such file: not a port of this kind
            if (entry / "type").read_text().strip() != "0":  # 0: the chip was not found (serial_core.h)
                names.setdefault(dev / entry.name, dev / entry.name)
    return [Candidate(kind="serial", device=str(name), name=node.name) for node, name in names.items()]
