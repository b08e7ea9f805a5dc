"""The calls of V4L2 that the product makes, with their answers told apart: done, not offered, gone.

What linuxpy's own `Device` does not reach (timings, selections, events beside pictures, what a driver answered) is
called through its structures; its `Device` is not used, so that one path serves all.
"""

import ctypes
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from linuxpy.video import raw

from hardware.errors import DeviceMissing, DeviceRefused
from hardware.sources.v4l2.node import GONE, Node

CAPTURE = int(raw.BufType.VIDEO_CAPTURE)
_NOT_OFFERED = frozenset({errno.ENOTTY, errno.EINVAL, errno.ENODATA})
_MOST = 256  # of a list that a driver never ends


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What a driver says of its device."""

    driver: str
    card: str
    bus: str


class Device:
    """One node and the name by which people know it. Raises DeviceMissing when it is gone, else OSError."""

    def __init__(self, node: Node, name: str) -> None:
        self.node = node
        self.name = name

    def call(self, request: int, argument: Any) -> Any:  # noqa: ANN401 - linuxpy's structures are not typed
        """Make one call and return its structure, as the driver changed it."""
        try:
            self.node.ioctl(request, argument)
        except OSError as error:
            if error.errno in GONE:
                raise DeviceMissing(f"The video adapter at {self.name} was unplugged: plug it in again.") from error
            raise
        return argument

    def ask(self, request: int, argument: Any) -> Any:  # noqa: ANN401 - linuxpy's structures are not typed
        """Make a call that a driver need not offer; None when it does not."""
        try:
            return self.call(request, argument)
        except OSError as error:
            if error.errno in _NOT_OFFERED:
                return None
            raise

    def every(self, request: int, make: Callable[[], Any]) -> Iterator[Any]:
        """Yield the elements of one of the driver's lists."""
        for index in range(_MOST):
            element = make()
            element.index = index
            if self.ask(request, element) is None:
                return
            yield element

    def identity(self) -> Identity:
        """Return what this is. Raises DeviceRefused when it takes no pictures."""
        found = self.call(raw.IOC.QUERYCAP, raw.v4l2_capability())
        wanted = raw.Capability.VIDEO_CAPTURE | raw.Capability.STREAMING
        if abilities(found) & wanted != wanted:
            raise DeviceRefused(f"{self.name} gives no pictures that this program can take: choose another node.")
        return Identity(driver=text(found.driver), card=text(found.card), bus=text(found.bus_info))

    def integer(self, request: int, value: int = 0) -> int:
        """Make a call whose argument is an int."""
        return int(self.call(request, ctypes.c_int(value)).value)

    def control(self, number: int) -> int | None:
        """Return the value of a control; None when the device has none of that number."""
        found = self.ask(raw.IOC.G_CTRL, raw.v4l2_control(id=number))
        return None if found is None else int(found.value)


def abilities(found: Any) -> int:  # noqa: ANN401 - linuxpy's structures are not typed
    """Return what this node can do, rather than the whole device."""
    whole = int(found.capabilities)
    return int(found.device_caps) if whole & raw.Capability.DEVICE_CAPS else whole


def text(value: bytes) -> str:
    """Return a name as a driver gives it; what is no UTF-8 in it is replaced."""
    return value.decode("utf-8", "replace").strip()
