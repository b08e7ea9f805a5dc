"""From a buffer to a `Picture`, or the reason why it is none. Joins fields that come by themselves."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from linuxpy.video import raw
from numpy.typing import NDArray

from hardware import colour, jpeg
from hardware.errors import PictureDamaged
from hardware.sources import Picture, PixelFormat, Scan
from hardware.sources.v4l2 import colours
from hardware.sources.v4l2.fields import Planes, weave
from hardware.sources.v4l2.layouts import Kind
from hardware.sources.v4l2.modes import Mode
from hardware.sources.v4l2.stream import Delivered
from hardware.sources.v4l2.timing import Count, Timing

_BOTTOM_FIRST_LINES = 525
_OPPOSITE = {raw.Field.TOP: raw.Field.BOTTOM, raw.Field.BOTTOM: raw.Field.TOP}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Field:
    """A field whose other one did not come yet."""

    delivered: Delivered
    planes: Planes
    time_ns: int


class Pictures:
    """Makes the pictures of one mode. Gives each its number and its time."""

    def __init__(self, *, mode: Mode, count: Count, timing: Timing) -> None:
        self._mode = mode
        self._count = count
        self._timing = timing
        self._waiting: _Field | None = None
        self._counts_fields = True  # until two fields come with one number

    def of(self, delivered: Delivered) -> Picture | None:
        """Return the picture; None when this is the first field of one. Raises PictureDamaged."""
        time_ns = self._timing.of(delivered.stamp_ns)
        if self._mode.field == raw.Field.ALTERNATE:
            return self._joined(delivered, time_ns)
        counter = self._count.of(delivered.sequence)
        planes = self._planes(delivered)
        scan = self._mode.scan
        if self._mode.field in {raw.Field.SEQ_TB, raw.Field.SEQ_BT}:
            first, second = _halves(planes)
            planes = weave(first, second) if self._mode.field == raw.Field.SEQ_TB else weave(second, first)
        elif self._mode.field == raw.Field.ANY:
            scan = colours.scan(delivered.field, self._mode.lines)
        return self._picture(counter, time_ns, planes, self._mode.height, scan)

    def _joined(self, delivered: Delivered, time_ns: int) -> Picture | None:
        """Return the picture of two fields; a field whose other one is missing is left out."""
        waiting, self._waiting = self._waiting, None
        field = delivered.field
        if field not in _OPPOSITE:
            self._count.of(self._frame_of(delivered))
            raise PictureDamaged("A field came without saying which one it is.")
        if waiting is None or not self._belong(waiting.delivered, delivered):
            self._waiting = _Field(delivered=delivered, planes=self._planes(delivered), time_ns=time_ns)
            return None
        counter = self._count.of(self._frame_of(delivered))
        second = self._planes(delivered)
        top_first = field == raw.Field.BOTTOM
        planes = weave(waiting.planes, second) if top_first else weave(second, waiting.planes)
        scan = Scan.TOP_FIRST if top_first else Scan.BOTTOM_FIRST
        return self._picture(counter, waiting.time_ns, planes, self._mode.height * 2, scan)

    def _belong(self, first: Delivered, second: Delivered) -> bool:
        """Say whether two fields are of one frame. V4L2 counts frames; some drivers count fields."""
        if second.field != _OPPOSITE.get(first.field):
            return False
        if second.sequence == first.sequence:
            self._counts_fields = False
            return True
        older = raw.Field.BOTTOM if self._mode.lines == _BOTTOM_FIRST_LINES else raw.Field.TOP
        return self._counts_fields and first.field == older and second.sequence == first.sequence + 1

    def _frame_of(self, delivered: Delivered) -> int:
        return delivered.sequence // 2 if self._counts_fields else delivered.sequence

    def _planes(self, delivered: Delivered) -> Planes:
        mode, samples = self._mode, delivered.samples
        if samples is None:
            raise PictureDamaged("The driver says that a picture is damaged.")
        if mode.layout.kind is Kind.JPEG:
            stream = jpeg.whole(samples.tobytes(), width=mode.width, height=mode.height)
            return (np.frombuffer(stream, np.uint8),)
        if len(samples) < mode.size:
            raise PictureDamaged(f"A picture of {len(samples)} bytes came where {mode.size} make a whole one.")
        planes = mode.layout.planes(samples, width=mode.width, height=mode.height, stride=mode.stride)
        if mode.layout.format is not PixelFormat.PLANAR_YUV and not mode.full_range:
            return tuple(colour.full_luma(plane) for plane in planes)
        return planes

    def _picture(self, counter: int, time_ns: int, planes: Planes, height: int, scan: Scan) -> Picture:
        mode = self._mode
        return Picture(
            counter=counter,
            time_ns=time_ns,
            format=mode.layout.format,
            width=mode.width,
            height=height,
            planes=planes,
            matrix=mode.matrix,
            full_range=mode.full_range or mode.layout.format is not PixelFormat.PLANAR_YUV,
            scan=scan,
            pixel_aspect=Fraction(mode.pixel_aspect),
        )


def _halves(planes: tuple[NDArray[np.uint8], ...]) -> tuple[Planes, Planes]:
    """Return the planes of both fields, which follow each other in each plane."""
    return (
        tuple(plane[: plane.shape[0] // 2] for plane in planes),
        tuple(plane[plane.shape[0] // 2 :] for plane in planes),
    )
