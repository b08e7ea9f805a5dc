"""Why a clip ends by itself, or when it was asked to. The room on the disk is not looked at here."""

from gateway.capture.grabber import Signal
from gateway.capture.recording import End, Made, Recording

LIMIT_S = 600.0  # a forgotten clip ends by itself
_LOST_SIGNAL_S = 10.0


def why(recording: Recording, last: Made, frame: Made | None, *, now_ns: int) -> End | None:
    """Return why a clip ends before `frame`, or before the one that did not come; `last` is its last frame yet."""
    time_ns = frame.time_ns if frame else now_ns
    if recording.stopped_ns and (frame is None or time_ns > recording.stopped_ns):
        return End.ASKED
    if frame and frame.size != recording.first.size:
        return End.SIZE
    if time_ns - recording.started_ns > LIMIT_S * 1e9:
        return End.LIMIT
    return End.SIGNAL if _signal_lost(recording, last, frame, now_ns) else None


def _signal_lost(recording: Recording, last: Made, frame: Made | None, now_ns: int) -> bool:
    """Say whether there has been no picture for too long, or only the one of a device without signal."""
    signal = recording.grabber.state.signal
    if signal is Signal.CARD:
        return recording.grabber.watch.plain_s > _LOST_SIGNAL_S
    return frame is None and signal is not Signal.LIVE and now_ns - last.time_ns > _LOST_SIGNAL_S * 1e9
