"""The live picture for whoever watches: a downscaled copy, encoded once for all and only when asked for."""

import threading
from dataclasses import dataclass, field

from gateway.capture.ring import Frame, Ring
from hardware.errors import EncodingFailed
from hardware.pixels import preview_jpeg
from hardware.views import AS_DELIVERED, View, seen

WIDTHS = (320, 640, 960, 1280)  # a viewer gets the next one up, so that viewers share


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewPicture:
    """One preview picture: of which frame, its size and when it was on the wire (CLOCK_BOOTTIME, ns)."""

    sequence: int
    time_ns: int
    width: int
    height: int
    jpeg: bytes = field(repr=False)


class Preview:
    """The preview of one source."""

    def __init__(self, *, ring: Ring, view: View = AS_DELIVERED) -> None:
        self._ring = ring
        self._view = view
        self._encoding = threading.Lock()
        self._made: dict[int, PreviewPicture] = {}  # by width, the newest each
        self._unfit = 0  # sequence of the newest frame that nothing can be shown of

    def next(self, *, after: int, width: int, timeout: float) -> PreviewPicture | None:
        """Return the newest picture if it follows the sequence `after`, waiting at most `timeout` seconds for one.

        None as well for one that cannot be decoded, or not be shown: the next call waits for another one.
        """
        if self._ring.after(max(after, self._unfit), timeout) is None:
            return None
        fitting = next((w for w in WIDTHS if w >= width), WIDTHS[-1])
        with self._encoding:
            frame = self._ring.newest()
            assert frame
            made = self._made.get(fitting)
            if made and made.sequence == frame.sequence:
                return made
            try:
                made = self._made[fitting] = self._picture(frame, fitting)
            except EncodingFailed:
                self._unfit = frame.sequence
                return None
        return made

    def _picture(self, frame: Frame, width: int) -> PreviewPicture:
        picture = seen(frame.picture, self._view)
        return PreviewPicture(
            sequence=frame.sequence,
            time_ns=frame.time_ns,
            width=picture.width,
            height=picture.height,
            jpeg=preview_jpeg(picture, width),
        )
