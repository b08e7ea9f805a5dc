"""What the fake grabber answers about itself, its signal and its mode: as a driver does, structure by structure."""

import errno
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from linuxpy.video import raw

from hardware.sources.v4l2.layouts import BY_NUMBER, ORDER

if TYPE_CHECKING:
    from hardware.sources.v4l2.fake import FakeGrabber, FakeInput


class Answers:
    """The ioctls that move no pictures, by their names. Each returns an error number, or nothing."""

    def __init__(self, grabber: "FakeGrabber") -> None:
        self._it = grabber

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

    def _cropcap(self, argument: Any) -> int:  # noqa: ANN401
        if self._it.told_aspect is None:
            return errno.ENOTTY
        argument.defrect.width, argument.defrect.height = 720, 576
        argument.pixelaspect.numerator, argument.pixelaspect.denominator = self._it.told_aspect
        return 0

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


def _fill_timings(argument: Any, timings: tuple[int, int, int], grabber: "FakeGrabber") -> None:  # noqa: ANN401
    bt = argument.bt
    bt.width, bt.height, rate = timings
    bt.interlaced, bt.pixelclock = int(grabber.interlaced), bt.width * bt.height * rate
    if aspect := grabber.inputs[grabber.input].picture_aspect:
        bt.flags = raw.DVTimingsFlag.HAS_PICTURE_ASPECT
        bt.picture_aspect.numerator, bt.picture_aspect.denominator = aspect
