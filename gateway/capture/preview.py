"""The live picture for whoever watches: a downscaled copy, encoded once for all and only when asked for."""

import threading
from dataclasses import dataclass, field

from gateway.capture.ring import Ring
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

    def next(self, *, after: int, width: int, timeout: float) -> PreviewPicture | None:
        """Return the newest picture if it follows the sequence `after`, waiting at most `timeout` seconds for one.

        Raises EncodingFailed.
        """
        if self._ring.after(after, timeout) is None:
            return None
        fitting = next((w for w in WIDTHS if w >= width), WIDTHS[-1])
        with self._encoding:
            frame = self._ring.newest()
            assert frame
            made = self._made.get(fitting)
            if made is None or made.sequence != frame.sequence:
                picture = seen(frame.picture, self._view)
                made = self._made[fitting] = PreviewPicture(
                    sequence=frame.sequence,
                    time_ns=frame.time_ns,
                    width=picture.width,
                    height=picture.height,
                    jpeg=preview_jpeg(picture, fitting),
                )
        return made
