"""Keeps what a device shows without signal out of a clip: frames wait a moment until one after them was looked at.

Looking at each would cost more than recording it. So one in 0.2 s is looked at, and the others before it when it is
no picture, or the one before was not. What waits is not on the disk yet: a power cut or a kill costs so much more,
and salvages no card.
"""

from gateway.capture.developing import Developed, Made
from gateway.capture.watch import Watch
from hardware.errors import EncodingFailed
from hardware.looks import Look, Plain, unchanged

_WAIT_NS = 200_000_000
_MOST = 16  # frames wait, whatever their times say


class Sieve:
    """Takes the frames of one clip in order and gives back those that are pictures."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._held: list[Made] = []
        self._sure = True  # whether the frame before those is a picture
        self._bars: Look | None = None  # of the frame before those that are held

    @property
    def waiting(self) -> int:
        return len(self._held)

    def put(self, frame: Made) -> list[Made]:
        """Take the next frame; return what is known to be a picture now."""
        self._held.append(frame)
        if frame.time_ns - self._held[0].time_ns < _WAIT_NS and len(self._held) < _MOST:
            return []
        return self._judged(at_end=False)

    def rest(self) -> list[Made]:
        """Return what is a picture of those that wait, when none comes any more."""
        return self._judged(at_end=True)

    def is_card(self, frame: Made) -> bool:
        """Say whether this very frame is none, bars aside: whether they stand still takes two frames."""
        if isinstance(frame, Developed):
            return frame.card
        look = self._look(frame)
        return bool(look and look.plain in (Plain.ONE_COLOUR, Plain.CARD))

    def _judged(self, *, at_end: bool) -> list[Made]:
        held, self._held = self._held, []
        if not held:
            return []
        look = self._look(held[-1])
        sure, self._sure = self._sure, look is not None and not look.plain
        if sure and self._sure:
            self._bars = None
            return held
        looks = [self._look(frame) for frame in held[:-1]]
        return self._pictures(held, [*looks, look], at_end=at_end)

    def _pictures(self, held: list[Made], looks: list[Look | None], *, at_end: bool) -> list[Made]:
        """Return the frames that are pictures. Bars are while they move; the last one may wait for the next."""
        bars = [look if look and look.plain is Plain.BARS else None for look in (self._bars, *looks, None)]
        found = []
        for number, (frame, look) in enumerate(zip(held, looks, strict=True), 1):
            if bars[number]:
                if _stand(bars[number - 1], bars[number]) or _stand(bars[number], bars[number + 1]):
                    continue
                if frame is held[-1] and bars[number - 1] is None and not at_end:
                    self._held = [frame]
                    break
            elif self.is_card(frame) if look is None else look.plain:
                continue
            found.append(frame)
        self._bars = None if self._held else bars[-2]
        return found

    def _look(self, frame: Made) -> Look | None:
        """Look at a frame; None when it cannot be decoded: whoever develops it says so."""
        if isinstance(frame, Developed):
            return None
        try:
            return self._watch.look(frame.picture)
        except EncodingFailed:
            return None


def _stand(one: Look | None, other: Look | None) -> bool:
    return bool(one and other and unchanged(one, other))
