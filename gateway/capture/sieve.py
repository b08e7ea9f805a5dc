"""Tells pictures from what a device shows without signal: frames wait a moment until one after them was looked at.

Looking at each would cost more than recording it. So one in 0.2 s is looked at, both beside a gap, and what may be
of one colour; and all that wait when one of these is no picture, or the one before was not. What waits is not on
the disk yet: a power cut or a kill costs so much more, and salvages no card.
"""

from collections.abc import Sequence
from copy import copy

from gateway.capture.developing import Developed, Made
from gateway.capture.watch import Watch
from hardware.errors import EncodingFailed
from hardware.looks import Look, Plain, may_be_one_colour, unchanged

_WAIT_NS = 200_000_000
_MOST = 16  # frames wait, whatever their times say
_GAP_NS = 100_000_000  # without a frame: what was shown before it and after it need not be alike

Judged = tuple[Made, bool]  # a frame, and whether it is a picture


class Sieve:
    """Takes the frames of one source in order and gives them back judged. A copy goes on by itself."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.held: tuple[Made, ...] = ()  # those that wait
        self.decided = 0  # sequence of the last frame that was judged
        self._last_ns = 0  # time of the last frame that was put
        self._sure = True  # whether the frame before those is a picture
        self._bars: Look | None = None  # of the frame before those that are held

    @property
    def waiting(self) -> int:
        return len(self.held)

    def put(self, frame: Made) -> list[Made]:
        """Take the next frame; return what is known to be a picture now."""
        return _pictures(self.judge(frame))

    def rest(self) -> list[Made]:
        """Return what is a picture of those that wait, when none comes any more."""
        return _pictures(self.judge_rest())

    def judge(self, frame: Made) -> list[Judged]:
        """Take the next frame; return what is known now."""
        gap = self._last_ns and frame.time_ns - self._last_ns > _GAP_NS
        before = self._judged(at_end=False) if gap else []
        self._last_ns = frame.time_ns
        self.held = (*self.held, frame)
        if not gap and frame.time_ns - self.held[0].time_ns < _WAIT_NS and len(self.held) < _MOST:
            return []
        return [*before, *self._judged(at_end=False)]

    def judge_rest(self) -> list[Judged]:
        """Judge those that wait, when none comes any more."""
        return self._judged(at_end=True)

    def leading_to(self, first: Made, frames: Sequence[Made]) -> list[Judged]:
        """Judge `frames`, all that were not judged yet and that `first` follows. Nothing is put by that."""
        if not frames:
            return []
        sieve = copy(self)
        sieve.held = ()
        judged = [each for frame in (*frames, first) for each in sieve.judge(frame)]
        return [each for each in (*judged, *sieve.judge_rest()) if each[0] is not first]

    def is_card(self, frame: Made) -> bool:
        """Say whether this very frame is none, bars aside: whether they stand still takes two frames."""
        if isinstance(frame, Developed):
            return frame.card
        look = self._look(frame)
        return bool(look and look.plain in (Plain.ONE_COLOUR, Plain.CARD))

    def _judged(self, *, at_end: bool) -> list[Judged]:
        held, self.held = self.held, ()
        if not held:
            return []
        look = self._look(held[-1])
        sure, self._sure = self._sure, look is not None and not look.plain
        if sure and self._sure and not any(map(self._is_one_colour, held[:-1])):
            self._bars = None
            judged = [(frame, True) for frame in held]
        else:
            judged = self._each(held, [*map(self._look, held[:-1]), look], at_end=at_end)
        self.decided = judged[-1][0].sequence if judged else self.decided
        return judged

    def _each(self, held: tuple[Made, ...], looks: list[Look | None], *, at_end: bool) -> list[Judged]:
        """Judge frame by frame. Bars are pictures while they move; the last one may wait for the next."""
        bars = [look if look and look.plain is Plain.BARS else None for look in (self._bars, *looks, None)]
        judged: list[Judged] = []
        for number, (frame, look) in enumerate(zip(held, looks, strict=True), 1):
            if bars[number]:
                stands = _stand(bars[number - 1], bars[number]) or _stand(bars[number], bars[number + 1])
                if not stands and frame is held[-1] and bars[number - 1] is None and not at_end:
                    self.held = (frame,)
                    break
                judged.append((frame, not stands))
            else:
                judged.append((frame, not (self.is_card(frame) if look is None else look.plain)))
        self._bars = None if self.held else bars[-2]
        return judged

    def _is_one_colour(self, frame: Made) -> bool:
        """Say whether a frame that was not looked at is one for certain, at hardly any cost for all others."""
        if isinstance(frame, Developed) or not may_be_one_colour(frame.picture):
            return False
        return self.is_card(frame)

    def _look(self, frame: Made) -> Look | None:
        """Look at a frame; None when it cannot be decoded: whoever develops it says so."""
        if isinstance(frame, Developed):
            return None
        try:
            return self._watch.look(frame.picture)
        except EncodingFailed:
            return None


def _pictures(judged: list[Judged]) -> list[Made]:
    return [frame for frame, picture in judged if picture]


def _stand(one: Look | None, other: Look | None) -> bool:
    return bool(one and other and unchanged(one, other))
