"""Where a clip gets its frames from: the ring, or what the pre-record has of them compressed already."""

from itertools import dropwhile

from gateway.capture.developing import Developed, Made, Shot, last_of
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
        if not anyway:
            since_ns = self._kept.pictures_from(first, since_ns)
        developed = self._kept.before(first, since_ns)
        late: list[Frame] = []  # what the pre-record has not come to yet
        for frame in reversed(self._grabber.ring.between(last_of(developed), first.sequence)):
            if frame.size != first.size or frame.time_ns < since_ns:
                developed = []
                break
            late.append(frame)
        late.reverse()
        return [*developed, *(late if developed else dropwhile(self._is_torn, late))]

    def after(self, sequence: int, timeout: float) -> Made | None:
        """Return the first frame that follows `sequence`, waiting for it at most `timeout` seconds."""
        kept = self._kept
        frame = self._grabber.ring.after(sequence, 0 if kept and kept.after(sequence) else timeout)
        if kept is None or (frame and frame.sequence == sequence + 1):
            return frame
        made = kept.after(sequence)  # after the ring, which may have lost one while it was waited for
        if made is None or (frame and frame.sequence <= made.sequence):
            return frame  # as delivered, while it is there: more can be known of it
        return made

    def ready(self, shot: Shot) -> Developed | None:
        """Return what the pre-record has made of this frame already, if it was beside the same ones."""
        if isinstance(shot.frame, Developed):
            return shot.frame
        made = self._kept.get(shot.frame.sequence) if self._kept else None
        return made if made and made.beside == shot.beside else None

    def _is_torn(self, frame: Frame) -> bool:
        """Say whether no clip can begin with this frame."""
        try:
            self._grabber.watch.look(frame.picture)
        except EncodingFailed:
            return True
        return False
