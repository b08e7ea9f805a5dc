"""When the frames of a clip were taken, as the Cine module says it: one frame time, or one for each frame."""

from collections.abc import Sequence

LONGEST_VECTOR = 65_534  # bytes; Explicit VR gives DS two bytes of length, an even number (PS3.5 7.1.2)
_WIDEST = 6  # characters of one value
_TOLERANCE = 0.1  # of a frame time: nearer to the even grid is even
_NS = 1_000_000  # in a millisecond


def frame_time(times: Sequence[int]) -> float:
    """Return the mean time between frames in ms. `times`: ns, one a frame; 0 for fewer than two."""
    return (times[-1] - times[0]) / (len(times) - 1) / _NS if len(times) > 1 else 0.0


def has_vector(times: Sequence[int]) -> bool:
    """Say whether a clip has a time for each frame: they wobble, and the element has room for it."""
    return len(times) > 1 and not is_even(times) and bool(vector(times))


def is_even(times: Sequence[int]) -> bool:
    """Say whether no frame lies further than a tenth of a frame time from an even grid."""
    step = frame_time(times) * _NS
    return all(abs(time - times[0] - index * step) <= _TOLERANCE * step for index, time in enumerate(times))


def vector(times: Sequence[int]) -> str:
    """Return a FrameTimeVector: 0, then ms since the frame before; "" when it would be too long or too wide.

    Rounding does not add up: each value carries the error of those before it.
    """
    values, written = ["0"], 0.0
    for time in times[1:]:
        text = _narrow((time - times[0]) / _NS - written)
        if not text:
            return ""
        values.append(text)
        written += float(text)
    joined = "\\".join(values)
    return joined if len(joined) <= LONGEST_VECTOR else ""


def _narrow(milliseconds: float) -> str:
    for digits in range(4, -1, -1):
        text = f"{max(milliseconds, 0.0):.{digits}f}"
        if len(text) <= _WIDEST:
            return text
    return ""
