"""Whether the box's clock can be believed, and why. Decides from what was found; asks nothing itself.

A clock that nobody set since the start counts as wrong: a box without a battery clock begins anywhere.
"""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NTP = "ntp"
HAND = "hand"
RTC = "rtc"
NOBODY = "nobody"
_FIELDS = 14  # of `chronyc -c tracking`
_ADDRESS, _NAME, _STRATUM, _OFFSET, _LEAP = 0, 1, 2, 4, 13
_LIFETIME = timedelta(days=25 * 365)  # of a box: a battery clock beyond is as wrong as one before the image


@dataclass(frozen=True, kw_only=True, slots=True)
class Tracking:
    """What chrony follows. `offset_s`: how far the clock is from it."""

    server: str
    stratum: int
    offset_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockState:
    """`by`: what set the clock last since the start; it is believed unless that is nobody."""

    by: str
    server: str = ""
    offset_s: float = 0.0
    battery: bool = False  # there is a battery clock, and it was plausible at the start

    @property
    def trusted(self) -> bool:
        return self.by != NOBODY


def tracking(said: str) -> Tracking | None:
    """Read `chronyc -c tracking`; None when it follows nobody, or cannot be understood."""
    row = next(csv.reader(said.splitlines()), [])
    try:
        if len(row) < _FIELDS or row[_LEAP] == "Not synchronised":
            return None
        found = Tracking(
            server=row[_NAME] or row[_ADDRESS], stratum=int(row[_STRATUM]), offset_s=float(row[_OFFSET])
        )
    except ValueError:
        return None
    return found if found.stratum else None


def is_plausible(battery: datetime | None, built: datetime) -> bool:
    """Say whether a battery clock can be right: it is there, after the image was built, within a box's life."""
    return battery is not None and built <= battery <= built + _LIFETIME


def judged(*, follows: Tracking | None, before: ClockState | None, battery: bool, by_hand: bool) -> ClockState:
    """Return how the clock is. What set it once since the start counts on, though its server be gone now."""
    if follows:
        return ClockState(by=NTP, server=follows.server, offset_s=follows.offset_s, battery=battery)
    if before and before.by == NTP:
        return ClockState(by=NTP, battery=battery)
    if by_hand:
        return ClockState(by=HAND, battery=battery)
    return ClockState(by=RTC if battery else NOBODY, battery=battery)


def of_epoch(words: str) -> datetime | None:
    """Return the time that a battery clock says in seconds since 1970, None for none."""
    try:
        return datetime.fromtimestamp(int(words), UTC)
    except (ValueError, OverflowError, OSError):
        return None
