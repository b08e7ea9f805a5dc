"""A pedal, keyboard or scanner with keys. Its keys belong to this trigger alone while it is open."""

from collections.abc import Callable, Hashable
from pathlib import Path

from linuxpy.input.raw import Key

from hardware.errors import DeviceError, DeviceMissing
from hardware.input.attached import Attached
from hardware.input.node import Calls, Kernel, Node, ready
from hardware.triggers import Press
from hardware.triggers.edges import Edges
from hardware.triggers.words import actions_of, number_of

_PAUSE_S = 0.005  # between two batches: a device that types garbage takes no more of the processor than that
_LOOK_NS = 2_000_000_000  # between two looks for event nodes that came later than the first


class InputTrigger:
    """Presses from the keys of one device, all of its event nodes together.

    device: as `Attached.find` takes it, with `identity`. still, clip: "key:0xB7", or "" for none. A press is a key
    that goes down (`Edges`); its time is the kernel's. A key that is held when the device is opened has to go up
    first. Raises DeviceRefused for other words.
    """

    def __init__(
        self,
        *,
        device: str,
        clock_ns: Callable[[], int],
        wait: Callable[[float], None],
        still: str = "",
        clip: str = "",
        identity: str = "",
        attached: Attached | None = None,
        calls: Calls | None = None,
        ready: Callable[[list[int], float], bool] = ready,
    ) -> None:
        self._device = device
        self._identity = identity
        self._clock_ns = clock_ns
        self._wait = wait
        self._attached = attached or Attached()
        self._calls = calls or Kernel()
        self._ready = ready
        self._edges = Edges(actions_of(device, still=still, clip=clip, meaning=_key))
        self._nodes: dict[Path, Node] = {}
        self._looked_ns = 0

    def open(self) -> None:
        self.close()
        try:
            self._look()
        except DeviceError:
            self.close()
            raise
        self._edges.begin({code for node in self._nodes.values() for code in node.down})

    def read(self, timeout: float) -> Press | None:
        give_up = self._clock_ns() + round(timeout * 1e9)
        while (press := self._edges.next()) is None:
            if not self._nodes:
                raise DeviceMissing(f"The pedal {self._device} is not open.")
            left = max(0.0, (give_up - self._clock_ns()) / 1e9)
            came = self._ready([node.fd for node in self._nodes.values()], left)
            self._read()
            if (press := self._edges.next()) is not None:
                return press
            if self._clock_ns() - self._looked_ns > _LOOK_NS:
                self._look()
            if self._clock_ns() >= give_up or not came:
                return None
            self._wait(_PAUSE_S)
        return press

    def close(self) -> None:
        self._edges.begin()
        for node in self._nodes.values():
            node.close()
        self._nodes = {}

    def _read(self) -> None:
        """Note what the keys did."""
        for node in self._nodes.values():
            for change in node.read():
                self._edges.level(change.code, closed=change.down, time_ns=change.time_ns)

    def _look(self) -> None:
        """Open and grab the nodes of the device that are not open yet."""
        self._looked_ns = self._clock_ns()
        for path in self._attached.find(self._device, identity=self._identity).nodes:
            if path not in self._nodes:
                self._nodes[path] = node = Node(path, calls=self._calls)
                node.grab()


def _key(word: str) -> Hashable:
    return number_of(word, "key", Key.KEY_MAX)
