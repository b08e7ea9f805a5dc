"""The ioctls of the fake grabber: what a driver would answer, structure by structure."""

import errno
import os
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from linuxpy.video import raw

from hardware.sources.v4l2.layouts import BY_NUMBER, ORDER, Kind
from hardware.sources.v4l2.node import Ready

if TYPE_CHECKING:
    from hardware.sources.v4l2.fake import FakeGrabber, FakeInput

_REQUESTS = {int(each): each.name.casefold() for each in raw.IOC if not each.name.startswith("SUBDEV")}
_LATE = 6  # buffers that a driver keeps for a slow reader


class _Memory(bytearray):
    def close(self) -> None:
        """Stand for an mmap."""


class FakeNode:
    """One opening of the fake, as `Node` has it. `Any` is a structure of linuxpy, which has no types."""

    def __init__(self, grabber: "FakeGrabber", *, asks_only: bool = False) -> None:
        self._it, self._asks_only = grabber, asks_only
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

    # --- what it is and what arrives ----------------------------------------------------------------------

    def _querycap(self, argument: Any) -> None:  # noqa: ANN401
        argument.driver, argument.card, argument.bus_info = b"fake", b"Fake grabber", b"usb-fake-1.4"
        argument.capabilities = raw.Capability.DEVICE_CAPS | raw.Capability.VIDEO_CAPTURE | raw.Capability.STREAMING
        argument.device_caps = self._it.abilities

    def _enuminput(self, argument: Any) -> int:  # noqa: ANN401
        if argument.index >= len(self._it.inputs):
            return errno.EINVAL
        told = self._it.inputs[argument.index]
        argument.name, argument.type, argument.std = told.name.encode(), 2, told.standards
        argument.capabilities = raw.InputCapabilities.STD if told.standards else 0
        if told.timings:
            argument.capabilities = raw.InputCapabilities.DV_TIMINGS
        argument.status = told.status if argument.index == self._it.input else 0
        return 0

    def _g_input(self, argument: Any) -> None:  # noqa: ANN401
        argument.value = self._it.input

    def _s_input(self, argument: Any) -> None:  # noqa: ANN401
        self._it.input = argument.value

    def _here(self) -> "FakeInput":
        return self._it.inputs[self._it.input]

    def _g_ctrl(self, argument: Any) -> int:  # noqa: ANN401
        if argument.id != raw.ControlID.DV_RX_POWER_PRESENT or not any(each.timings for each in self._it.inputs):
            return errno.EINVAL
        digital = [each for each in self._it.inputs if each.timings]
        argument.value = sum(each.powered << place for place, each in enumerate(digital))
        return 0

    def _querystd(self, argument: Any) -> int:  # noqa: ANN401
        if not self._here().standards:
            return errno.ENODATA
        argument.value = self._it.arriving
        return self._here().query_error

    def _g_std(self, argument: Any) -> int:  # noqa: ANN401
        argument.value = self._it.standard
        return 0 if self._here().standards else errno.ENODATA

    def _s_std(self, argument: Any) -> int:  # noqa: ANN401
        if self._it.streaming:
            return errno.EBUSY
        self._it.standard = argument.value
        return 0

    def _query_dv_timings(self, argument: Any) -> int:  # noqa: ANN401
        if self._here().timings is None:
            return errno.ENODATA
        _fill_timings(argument, self._here().timings or (0, 0, 0), self._it)
        return self._here().query_error

    def _s_dv_timings(self, argument: Any) -> int:  # noqa: ANN401
        if self._it.streaming:
            return errno.EBUSY
        if argument.bt.width > self._it.widest:
            return errno.EINVAL
        self._it.timings = self._here().timings or (0, 0, 0)
        self._it.size = (argument.bt.width, argument.bt.height)
        return 0

    def _g_dv_timings(self, argument: Any) -> None:  # noqa: ANN401
        _fill_timings(argument, self._it.timings, self._it)

    def _subscribe_event(self, _: Any) -> int:  # noqa: ANN401
        return 0 if any(each.timings for each in self._it.inputs) else errno.EINVAL

    def _dqevent(self, argument: Any) -> int:  # noqa: ANN401
        if not self._it.events:
            return errno.ENOENT
        argument.type, argument.pending = self._it.events.popleft(), len(self._it.events)
        return 0

    # --- its mode -----------------------------------------------------------------------------------------

    def _enum_fmt(self, argument: Any) -> int:  # noqa: ANN401
        words = list(self._it.offers)
        if argument.index >= len(words):
            return errno.EINVAL
        argument.pixelformat = ORDER[words[argument.index]].number
        return 0

    def _sizes(self, number: int) -> dict[tuple[int, int], tuple[int, ...]]:
        word = next((word for word, layout in ORDER.items() if layout.number == number), "")
        return self._it.offers.get(word, {})

    def _enum_framesizes(self, argument: Any) -> int:  # noqa: ANN401
        sizes = list(self._sizes(argument.pixel_format))
        if argument.index >= len(sizes) or self._here().timings or self._here().standards:
            return errno.EINVAL
        argument.type = raw.Frmsizetypes.DISCRETE
        argument.discrete.width, argument.discrete.height = sizes[argument.index]
        return 0

    def _enum_frameintervals(self, argument: Any) -> int:  # noqa: ANN401
        rates = self._sizes(argument.pixel_format).get((argument.width, argument.height), ())
        if argument.index >= len(rates):
            return errno.EINVAL
        argument.type = raw.Frmivaltypes.DISCRETE
        argument.discrete.numerator, argument.discrete.denominator = 1, rates[argument.index]
        return 0

    def _s_fmt(self, argument: Any) -> int:  # noqa: ANN401
        it, pix = self._it, argument.fmt.pix
        if it.streaming:
            return errno.EBUSY
        offered = BY_NUMBER.get(pix.pixelformat)
        if offered and any(ORDER[word] == offered for word in it.offers):
            it.word = next(word for word in it.offers if ORDER[word] == offered)
        if not self._here().timings:
            it.size = (pix.width, pix.height)
        if it.field == raw.Field.ALTERNATE:  # it scales a field to the lines that it is asked for, as vivid does
            it.size = (pix.width, pix.height * 2)
        it.size = it.gives or it.size
        self._tell(pix, it.size)
        return 0

    def _g_fmt(self, argument: Any) -> None:  # noqa: ANN401
        self._tell(argument.fmt.pix, self._it.is_set_to or self._it.size)

    def _tell(self, pix: Any, size: tuple[int, int]) -> None:  # noqa: ANN401
        it = self._it
        pix.width, pix.height = size[0], size[1] // (2 if it.field == raw.Field.ALTERNATE else 1)
        pix.pixelformat, pix.field = ORDER[it.word].number, it.field
        pix.bytesperline, pix.sizeimage = it.stride, it.buffer_size()
        pix.colorspace, pix.quantization, pix.ycbcr_enc = it.colorspace, it.quantization, it.ycbcr_enc

    def _g_parm(self, argument: Any) -> None:  # noqa: ANN401
        argument.parm.capture.capability = raw.Capability.TIMEPERFRAME
        argument.parm.capture.timeperframe.numerator = self._it.rate.denominator
        argument.parm.capture.timeperframe.denominator = self._it.rate.numerator

    def _s_parm(self, argument: Any) -> None:  # noqa: ANN401
        wanted = argument.parm.capture.timeperframe
        offered = self._sizes(ORDER[self._it.word].number).get(self._it.size, ())
        rate = Fraction(wanted.denominator, wanted.numerator)
        self._it.rate = min((Fraction(each) for each in offered), key=lambda each: abs(each - rate), default=rate)

    def _g_selection(self, argument: Any) -> int:  # noqa: ANN401
        it = self._it
        if it.compose is None:
            return errno.ENOTTY
        is_compose = argument.target == raw.SelectionTarget.COMPOSE
        argument.r.width, argument.r.height = it.compose if is_compose else it.size
        return 0

    def _s_selection(self, argument: Any) -> int:  # noqa: ANN401
        if self._it.compose is None:
            return errno.ENOTTY
        if argument.target == raw.SelectionTarget.COMPOSE and not self._it.keeps_compose:
            self._it.compose = (argument.r.width, argument.r.height)
        return 0

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


def _fill_timings(argument: Any, timings: tuple[int, int, int], grabber: "FakeGrabber") -> None:  # noqa: ANN401
    bt = argument.bt
    bt.width, bt.height, rate = timings
    bt.interlaced, bt.pixelclock = int(grabber.interlaced), bt.width * bt.height * rate
    if aspect := grabber.inputs[grabber.input].picture_aspect:
        bt.flags = raw.DVTimingsFlag.HAS_PICTURE_ASPECT
        bt.picture_aspect.numerator, bt.picture_aspect.denominator = aspect
