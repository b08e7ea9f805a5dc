"""One opening of the fake grabber: its buffers, and time passing until they are full."""

import errno
import os
from collections import deque
from typing import TYPE_CHECKING, Any

from linuxpy.video import raw

from hardware.sources.v4l2.fake_answers import Answers
from hardware.sources.v4l2.layouts import ORDER, Kind
from hardware.sources.v4l2.node import Ready

if TYPE_CHECKING:
    from hardware.sources.v4l2.fake import FakeGrabber

_REQUESTS = {int(each): each.name.casefold() for each in raw.IOC if not each.name.startswith("SUBDEV")}
_LATE = 6  # buffers that a driver keeps for a slow reader


class _Memory(bytearray):
    def close(self) -> None:
        """Stand for an mmap."""


class FakeNode(Answers):
    """One opening of the fake, as `Node` has it. `Any` is a structure of linuxpy, which has no types."""

    def __init__(self, grabber: "FakeGrabber", *, asks_only: bool = False) -> None:
        super().__init__(grabber)
        self._asks_only = asks_only
        self._memory: list[_Memory] = []
        self._queued: deque[int] = deque()

    def ioctl(self, request: int, argument: Any) -> None:  # noqa: ANN401
        self._it.calls += 1
        if not self._it.plugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        answer = getattr(self, f"_{_REQUESTS[int(request)]}", None)
        error = errno.ENOTTY if answer is None else answer(argument)
        if error:
            raise OSError(error, os.strerror(error))

    def map(self, length: int, offset: int) -> _Memory:
        assert offset == len(self._memory)
        self._memory.append(_Memory(length))
        return self._memory[-1]

    def wait(self, seconds: float, *, pictures: bool) -> Ready:
        it = self._it
        if not it.plugged:
            return Ready(event=True, trouble=True)
        if it.promises:
            it.promises -= 1
            return Ready(picture=bool(it.promises % 2), event=True)
        if it.events:
            return Ready(event=True)
        if pictures and not it.streaming:
            return Ready(trouble=True)
        until_due = (it.next_ns - it.clock_ns()) / 1e9
        if not pictures or it.stalled or until_due > seconds:
            it.wait(seconds)
            return Ready()
        if until_due > 0:
            it.wait(until_due)
        return Ready(picture=True)

    def close(self) -> None:
        self._it.streaming = self._it.streaming and self._asks_only

    # --- its buffers --------------------------------------------------------------------------------------

    def _reqbufs(self, argument: Any) -> int:  # noqa: ANN401
        self._memory, self._queued = [], deque()
        argument.count = min(argument.count, 4)
        return 0

    def _querybuf(self, argument: Any) -> None:  # noqa: ANN401
        argument.length, argument.m.offset = self._it.buffer_size(), argument.index

    def _qbuf(self, argument: Any) -> None:  # noqa: ANN401
        self._queued.append(argument.index)

    def _streamon(self, _: Any) -> int:  # noqa: ANN401
        it = self._it
        if it.no_room and ORDER[it.word].kind is not Kind.JPEG:
            return errno.ENOSPC
        it.streaming, it.next_ns = True, it.clock_ns() + it.period_ns
        it.sequence = it.delivered = 0
        return 0

    def _streamoff(self, _: Any) -> None:  # noqa: ANN401
        self._it.streaming = False

    def _dqbuf(self, argument: Any) -> int:  # noqa: ANN401
        it = self._it
        if not it.streaming:
            return errno.EINVAL
        if it.stalled or it.promises or not self._queued or it.clock_ns() < it.next_ns:
            return errno.EAGAIN
        missed = max(0, (it.clock_ns() - it.next_ns) // it.period_ns - _LATE) if it.period_ns else 0
        it.sequence += missed
        taken = it.next_ns + missed * it.period_ns
        index = self._queued.popleft()
        data = it.samples(it.delivered)
        used = max(0, min(len(data), len(self._memory[index])) - it.shortened)
        self._memory[index][:used] = data[:used]
        argument.index, argument.bytesused, argument.flags = index, used, it.flags
        argument.sequence, argument.field = it.sequence % (1 << 32), it.field
        if it.field == raw.Field.ALTERNATE:
            argument.field = raw.Field.TOP if (it.delivered % 2 == 0) == it.top_first else raw.Field.BOTTOM
        argument.timestamp.secs, argument.timestamp.usecs = divmod(taken // 1000, 1_000_000)
        it.delivered += 1
        whole = it.field != raw.Field.ALTERNATE or it.counts_fields or not it.delivered % 2
        it.sequence += it.sequence_step if whole else 0
        it.next_ns = taken + it.period_ns
        return 0
