"""Watches what a source shows: a picture without signal, one that stands still, levels that are cut.

What a device calls a picture need not be the scanner's: many grabbers send a card when their cable is out.
"""

import logging

from gateway.capture.ring import Ring
from gateway.clock import Clock
from gateway.log import Sparingly
from hardware.errors import EncodingFailed
from hardware.looks import Look, Plain, look_at, unchanged
from hardware.sources import Picture

_log = logging.getLogger(__name__)
_STANDS_NS = 1_000_000_000  # bars that stand still for so long are a card
_FOR_CERTAIN = (Plain.ONE_COLOUR, Plain.CARD)


class Watch:
    """Looks at the newest frame of a ring now and then; `card`: the one that was learned of this grabber."""

    def __init__(self, *, ring: Ring, clock: Clock, name: str = "", card: bytes = b"") -> None:
        self._name = name
        self._said = Sparingly(burst=20, every_s=30)
        self._ring = ring
        self._clock = clock
        self._card = card
        self._last: Look | None = None
        self._sequence = 0
        self._since_ns = 0  # when the picture changed last
        self.plain = Plain.NO
        self.plain_since = clock.now()  # when it became so
        self.cut = False
        self.noise = False

    @property
    def unchanged_s(self) -> float:
        """Return for how many seconds the picture has stood still; 0 while it moves."""
        stands_ns = self._clock.boottime_ns() - self._since_ns
        return stands_ns / 1e9 if self._last and self._since_ns and stands_ns > _STANDS_NS else 0

    @property
    def plain_s(self) -> float:
        """Return for how many seconds the device has shown that it has no signal; 0 while it shows a picture."""
        return (self._clock.boottime_ns() - self.plain_since.boottime_ns) / 1e9 if self.plain else 0

    def step(self) -> None:
        """Look at the newest frame; nothing is changed when there is no new one."""
        frame = self._ring.newest()
        if frame is None or frame.sequence == self._sequence:
            return
        self._sequence = frame.sequence
        try:
            look = self.look(frame.picture)
        except EncodingFailed:
            return  # said where it is used
        if self._last is None or not unchanged(self._last, look):
            self._since_ns = self._clock.boottime_ns()
            self._last = look  # compared with the one from which it has not changed, or a slow change is never seen
        plain = look.plain if look.plain in _FOR_CERTAIN or self.unchanged_s else Plain.NO
        if plain and not self.plain:
            self.plain_since = self._clock.now()
        self.plain = plain
        if (look.cut, look.noise) != (self.cut, self.noise):
            self.cut, self.noise = look.cut, look.noise
            now_ns = self._clock.boottime_ns()
            self._said.event(now_ns, _log, "picture_odd", source=self._name, noise=look.noise, levels_cut=look.cut)

    def look(self, picture: Picture) -> Look:
        """Look at a picture, knowing this grabber's card. Raises EncodingFailed."""
        return look_at(picture, self._card)

    def is_no_picture(self, picture: Picture) -> bool:
        """Say whether this very picture is one that a device shows without signal. Raises EncodingFailed."""
        plain = self.look(picture).plain
        return plain in _FOR_CERTAIN or (plain is Plain.BARS and self.plain is Plain.BARS)
