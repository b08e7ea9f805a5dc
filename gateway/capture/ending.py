"""Why a clip ends by itself, or when it was asked to. The room on the disk is not looked at here."""

from gateway.capture.developing import Developed, Made
from gateway.capture.grabber import Signal
from gateway.capture.recording import QUIET, End, Recording

_LOST_SIGNAL_S = 10.0
_HALF = 0.5  # of the time from frame to frame


def why(recording: Recording, last: Made, frame: Made | None, *, none: bool, now_ns: int) -> End | None:
    """Return why a clip ends before `frame`, or before the one that did not come; `last` is its last frame yet.

    none: it is no frame of a clip, so its size says nothing.
    """
    time_ns = frame.time_ns if frame else now_ns
    if recording.stopped_ns and _is_over(recording, last, frame):
        return End.ASKED
    if frame and not none and not fits(recording, frame):
        return End.SIZE
    if time_ns > recording.limit_ns:
        return End.LIMIT
    return End.SIGNAL if _signal_lost(recording, last, frame, now_ns) else None


def _is_over(recording: Recording, last: Made, frame: Made | None) -> bool:
    """Say whether no frame of before the stop can come any more; they arrive some time after theirs."""
    if frame:
        return frame.time_ns > recording.stopped_ns
    rate = recording.grabber.ring.rate()
    missing = rate and recording.stopped_ns - last.time_ns > _HALF * 1e9 / rate
    return not missing or recording.waited > QUIET


def lost_before(end: End | None, recording: Recording, came: Made, frame: Made) -> int:
    """Return how many frames that belong to a clip were lost between `came` and `frame`, the next that is there.

    One that ends at a time has those of before it: what was lost is taken to have come evenly.
    """
    gap = frame.sequence - came.sequence - 1
    if end not in {End.ASKED, End.LIMIT}:
        return gap
    over_ns = recording.stopped_ns if end is End.ASKED else recording.limit_ns
    between_ns = frame.time_ns - came.time_ns
    return (over_ns - came.time_ns) * (gap + 1) // between_ns if came.time_ns < over_ns < frame.time_ns else 0


def fits(recording: Recording, frame: Made) -> bool:
    """Say whether a frame has the size of this part, as delivered and as seen."""
    header = recording.header
    seen = frame.seen if isinstance(frame, Developed) else recording.grabber.view.size_seen(frame.picture)
    return frame.size == recording.first.size and seen == (header.columns, header.rows)


def _signal_lost(recording: Recording, last: Made, frame: Made | None, now_ns: int) -> bool:
    """Say whether there has been no picture for too long, or only the one of a device without signal."""
    signal = recording.grabber.state.signal
    if signal is Signal.CARD and recording.anyway:
        return False
    if signal is Signal.CARD:
        # The watch looks now and then: what it saw may be over, and pictures are written again.
        unwritten_s = (now_ns - recording.written_ns) / 1e9
        return min(recording.grabber.watch.plain_s, unwritten_s) > _LOST_SIGNAL_S
    return frame is None and signal is not Signal.LIVE and now_ns - last.time_ns > _LOST_SIGNAL_S * 1e9
