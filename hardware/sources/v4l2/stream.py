"""Buffers that the driver fills, and their way out of it: each is copied once and given back at once."""

import ctypes
import errno
from dataclasses import dataclass
from typing import Any

import numpy as np
from linuxpy.video import raw
from numpy.typing import NDArray

from hardware.errors import DeviceError, DeviceRefused
from hardware.sources.v4l2.calls import CAPTURE, Device

_BUFFERS = 6  # a tenth of a second at 60 pictures a second, for a reader that is held up
_FEWEST = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """One buffer as it came. `samples` is None when the driver says that it is damaged, or when it is empty."""

    samples: NDArray[np.uint8] | None
    sequence: int
    stamp_ns: int | None  # CLOCK_MONOTONIC; None when the driver keeps another clock
    field: int


class Stream:
    """A running stream. Raises OSError as the kernel answers, DeviceMissing when the device is gone."""

    def __init__(self, device: Device) -> None:
        """Start it. Raises DeviceRefused when the driver has no memory for it."""
        self._device = device
        self._memory: list[Any] = []
        try:
            self._start()
        except (DeviceError, OSError):
            self.stop()
            raise

    def take(self) -> Delivered | None:
        """Return the next buffer that is full, None when there is none yet."""
        try:
            buffer = self._device.call(raw.IOC.DQBUF, _buffer())
        except BlockingIOError:
            return None
        index = int(buffer.index)
        if index >= len(self._memory):
            raise OSError(errno.EIO, "a buffer that nobody has")
        delivered = Delivered(
            samples=self._copied(index, int(buffer.bytesused), int(buffer.flags)),
            sequence=int(buffer.sequence),
            stamp_ns=_stamp(buffer),
            field=int(buffer.field),
        )
        self._device.call(raw.IOC.QBUF, _buffer(index))
        return delivered

    def stop(self) -> None:
        """Stop it and give the memory back; harmless when the device is gone."""
        self._silently(raw.IOC.STREAMOFF, ctypes.c_int(CAPTURE))
        memory, self._memory = self._memory, []
        for each in memory:
            each.close()
        self._silently(raw.IOC.REQBUFS, _request(0))

    def _start(self) -> None:
        granted = self._device.call(raw.IOC.REQBUFS, _request(_BUFFERS))
        if granted.count < _FEWEST:
            raise DeviceRefused(f"{self._device.name} has no memory for pictures: unplug another video adapter.")
        for index in range(granted.count):
            found = self._device.call(raw.IOC.QUERYBUF, _buffer(index))
            self._memory.append(self._device.node.map(int(found.length), int(found.m.offset)))
        for index in range(granted.count):
            self._device.call(raw.IOC.QBUF, _buffer(index))
        self._device.call(raw.IOC.STREAMON, ctypes.c_int(CAPTURE))

    def _copied(self, index: int, used: int, flags: int) -> NDArray[np.uint8] | None:
        if flags & raw.BufferFlag.ERROR or used == 0:
            return None
        memory = np.frombuffer(self._memory[index], np.uint8)
        return memory[: min(used, len(memory))].copy()

    def _silently(self, request: int, argument: Any) -> None:  # noqa: ANN401 - linuxpy's structures are not typed
        try:
            self._device.call(request, argument)
        except (DeviceError, OSError):
            return  # it is gone, or did not run


def _buffer(index: int = 0) -> Any:  # noqa: ANN401 - linuxpy's structures are not typed
    return raw.v4l2_buffer(type=CAPTURE, memory=raw.Memory.MMAP, index=index)


def _request(count: int) -> Any:  # noqa: ANN401 - linuxpy's structures are not typed
    return raw.v4l2_requestbuffers(type=CAPTURE, memory=raw.Memory.MMAP, count=count)


def _stamp(buffer: Any) -> int | None:  # noqa: ANN401 - a v4l2_buffer
    if int(buffer.flags) & raw.BufferFlag.TIMESTAMP_MASK != raw.BufferFlag.TIMESTAMP_MONOTONIC:
        return None
    return int(buffer.timestamp.secs) * 1_000_000_000 + int(buffer.timestamp.usecs) * 1000
