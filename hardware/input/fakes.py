"""A machine into which pedals are plugged: sysfs in a folder, and event nodes that behave as evdev does."""

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

from linuxpy.input.device import EVENT_SIZE, EVIOCGKEY, EVIOCGRAB
from linuxpy.input.raw import EventType, Synchronization, input_event

from hardware.input.attached import Attached
from hardware.input.node import EVIOCGBIT_KEY, EVIOCSCLOCKID

_KEPT = 64  # events that a node keeps for a reader (evdev.c)
_REPEAT_S = 0.033
_BOOTTIME = 7  # time.h


class FakeMachine:
    """The kernel as far as key devices go, `Calls` and all. root: a folder for its /sys and /dev."""

    def __init__(self, root: Path, *, clock_ns: Callable[[], int], wait: Callable[[float], None]) -> None:
        self._root = root
        self.clock_ns = clock_ns
        self.wait = wait
        self.attached = Attached(sys=root / "sys", dev=root / "dev")
        self._nodes: dict[Path, FakeNode] = {}
        self._open: dict[int, _Reader] = {}
        self._numbered = 0
        self.reads = 0
        (root / "sys/class/input").mkdir(parents=True)
        (root / "dev/input").mkdir(parents=True)

    def plug(
        self, *, port: str = "1-1.4", identity: str = "0c45:7403", name: str = "HID pedal", nodes: int = 2
    ) -> "FakePedal":
        """Plug a device in at a port of USB; "" = a device that hangs on no bus."""
        pedal = FakePedal(self)
        device = self._root / "sys/devices/usb1" / port if port else self._root / "sys/devices/virtual"
        device.mkdir(parents=True, exist_ok=True)
        if port:
            for file, word in zip(("idVendor", "idProduct"), identity.split(":"), strict=True):
                (device / file).write_text(f"{word}\n")
        for _ in range(nodes):
            self.add_node(pedal, device, identity, name)
        return pedal

    def add_node(self, pedal: "FakePedal", device: Path, identity: str, name: str) -> None:
        """Let one more event node of that device appear."""
        number, self._numbered = self._numbered, self._numbered + 1
        keys = device / f"input/input{number}"
        (keys / f"event{number}").mkdir(parents=True)
        (keys / "id").mkdir()
        for file, word in zip(("vendor", "product"), identity.split(":"), strict=True):
            (keys / "id" / file).write_text(f"{word}\n")
        (keys / "name").write_text(f"{name}\n")
        entry = self._root / f"sys/class/input/event{number}"
        entry.symlink_to(keys / f"event{number}")
        node = FakeNode(self, self._root / f"dev/input/event{number}")
        self._nodes[node.path] = node
        pedal.place = (device, identity, name)
        pedal.nodes.append(node)
        pedal.entries.append(entry)

    # --- the calls ----------------------------------------------------------------------------------------

    def open(self, path: Path) -> int:
        if path not in self._nodes:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        fd = max(self._open, default=99) + 1
        self._open[fd] = _Reader(self._nodes[path])
        return fd

    def read(self, fd: int, size: int) -> bytes:
        self.reads += 1
        reader = self._reader(fd)
        if not reader.queue:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        count = size // EVENT_SIZE
        data, reader.queue = reader.queue[:count], reader.queue[count:]
        return b"".join(data)

    def ioctl(self, fd: int, request: int, argument: int | bytes | bytearray) -> None:
        reader = self._reader(fd)
        if request == EVIOCSCLOCKID and argument != struct.pack("i", _BOOTTIME):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if request == EVIOCGRAB:
            if argument and reader.node.holder not in {None, reader}:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            reader.node.holder = reader if argument else None
        if isinstance(argument, bytearray):
            keys = (
                reader.node.down if request == EVIOCGKEY else reader.node.keys if request == EVIOCGBIT_KEY else ()
            )
            for code in keys:
                argument[code // 8] |= 1 << code % 8
        if request == EVIOCGKEY:  # the kernel takes what the answer contains out of the queue
            reader.queue = [data for data in reader.queue if _event(data).type != EventType.KEY]

    def close(self, fd: int) -> None:
        reader = self._open.pop(fd)
        if reader.node.holder is reader:
            reader.node.holder = None

    def ready(self, fds: list[int], seconds: float) -> bool:
        """Wait as poll(2) does; nobody presses meanwhile."""
        if any(reader.queue or not reader.node.plugged for reader in map(self._open.__getitem__, fds)):
            return True
        self.wait(seconds)
        return False

    def readers(self, node: "FakeNode") -> list["_Reader"]:
        """Return who gets the events of a node."""
        return [r for r in self._open.values() if r.node is node and node.holder in {None, r}]

    def forget(self, node: "FakeNode") -> None:
        """Take a node away; who has it open is told so."""
        node.plugged = False
        self._nodes.pop(node.path, None)

    def _reader(self, fd: int) -> "_Reader":
        reader = self._open[fd]
        if not reader.node.plugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return reader


class FakePedal:
    """A device with keys, in the hands or under the foot of somebody. Its keys come on its last node."""

    def __init__(self, machine: FakeMachine) -> None:
        self._machine = machine
        self.nodes: list[FakeNode] = []
        self.entries: list[Path] = []
        self.place = (Path(), "", "")

    def press(self, code: int) -> None:
        """Close the contact."""
        self.nodes[-1].change(code, down=True)

    def release(self, code: int) -> None:
        """Open it."""
        self.nodes[-1].change(code, down=False)

    def hold(self, code: int, seconds: float) -> None:
        """Keep it closed: the kernel repeats the key."""
        for _ in range(round(seconds / _REPEAT_S)):
            self._machine.wait(_REPEAT_S)
            self.nodes[-1].send(EventType.KEY, code, 2)

    def type(self, codes: list[int], *, every_s: float = 0.002) -> None:
        """Type as a scanner does."""
        for code in codes:
            self.press(code)
            self._machine.wait(every_s / 2)
            self.release(code)
            self._machine.wait(every_s / 2)

    def grow(self) -> None:
        """Let another node appear, as slow devices do."""
        self._machine.add_node(self, *self.place)

    def wait_for_somebody(self, *, waits: bool = True) -> None:
        """Let nobody hear it, as an appliance does with what nobody let in."""
        for entry in self.entries:
            (entry.resolve().parent / "inhibited").write_text(f"{int(waits)}\n")

    def unplug(self) -> None:
        """Pull it out."""
        for node, entry in zip(self.nodes, self.entries, strict=True):
            entry.unlink()
            self._machine.forget(node)


class FakeNode:
    """One event node: what is pressed on it, and who has it for himself."""

    def __init__(self, machine: FakeMachine, path: Path) -> None:
        self._machine = machine
        self.path = path
        self.plugged = True
        self.keys = frozenset(range(1, 0x200))
        self.down: set[int] = set()
        self.holder: _Reader | None = None

    def change(self, code: int, *, down: bool) -> None:
        """Press or release a key; the kernel tells no change that is none."""
        if down != (code in self.down):
            (self.down.add if down else self.down.discard)(code)
            self.send(EventType.KEY, code, int(down))

    def send(self, kind: int, code: int, value: int) -> None:
        """Tell every reader; one who is too slow loses what waited, and is told that."""
        for reader in self._machine.readers(self):
            for event in ((kind, code, value), (EventType.SYN, Synchronization.REPORT, 0)):
                data = self._packed(*event)
                if len(reader.queue) >= _KEPT - 1:
                    reader.queue = [self._packed(EventType.SYN, Synchronization.DROPPED, 0)]
                reader.queue.append(data)

    def _packed(self, kind: int, code: int, value: int) -> bytes:
        event = input_event(type=kind, code=code, value=value)
        seconds, rest = divmod(self._machine.clock_ns(), 1_000_000_000)
        event.time.secs, event.time.usecs = seconds, rest // 1000
        return bytes(event)


class _Reader:
    def __init__(self, node: FakeNode) -> None:
        self.node = node
        self.queue: list[bytes] = []


def _event(data: bytes) -> input_event:
    return input_event.from_buffer_copy(data)
