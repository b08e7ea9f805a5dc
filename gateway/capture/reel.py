"""Where a clip gets its frames from: the ring, or what the pre-record has of them compressed already."""

from gateway.capture.developing import Developed, Made, last_of
from gateway.capture.grabber import Grabber
from gateway.capture.prerecord import PreRecord
from gateway.capture.ring import Frame
from hardware.errors import EncodingFailed


class Reel:
    """The frames of one source. The ring is the truth; the pre-record may be behind it, or reach further back."""

    def __init__(self, *, grabber: Grabber, kept: PreRecord | None) -> None:
        self._grabber = grabber
        self._kept = kept

    def before(self, first: Frame, *, since_ns: int, anyway: bool) -> list[Made]:
        """Return what is kept of the time before a press, from `since_ns` on, in the size of its frame.

        Pictures of a device without signal end it, unless `anyway`.
        """
        if self._kept is None:
            return []
        since_ns = max(since_ns, first.time_ns - self._kept.span_ns)
        developed = self._kept.before(first, since_ns, anyway=anyway)
        late: list[Made] = []  # what the pre-record has not come to yet
        for frame in reversed(self._grabber.ring.between(last_of(developed), first.sequence)):
            if frame.size != first.size or frame.time_ns < since_ns or (not anyway and self._is_card(frame)):
                return late[::-1]
            late.append(frame)
        return [*developed, *late[::-1]]

    def after(self, sequence: int, timeout: float) -> Made | None:
        """Return the first frame that follows `sequence`, waiting for it at most `timeout` seconds."""
        developed = self._kept.after(sequence) if self._kept else None
        frame = self._grabber.ring.after(sequence, 0 if developed else timeout)
        if developed is None or (frame is not None and frame.sequence <= developed.sequence):
            return frame  # as delivered, while it is there: more can be known of it
        return developed

    def ready(self, frame: Made) -> Developed | None:
        """Return what the pre-record has made of this frame already."""
        if isinstance(frame, Developed):
            return frame
        return self._kept.get(frame.sequence) if self._kept else None

    def _is_card(self, frame: Frame) -> bool:
        try:
            return self._grabber.watch.is_no_picture(frame.picture)
        except EncodingFailed:
            return True
