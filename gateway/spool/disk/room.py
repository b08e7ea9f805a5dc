"""How much room the data folder has and what it is enough for. Arithmetic only; all bounds stand here.

As a disk fills, the box warns, then begins no clip, then takes no still, and what it has to write about pictures it
took before still finds the reserve. docs/decisions/0016-disk.md.
"""

from dataclasses import dataclass
from enum import StrEnum

MB = 1_000_000
FLOOR = 4 * MB  # so much is kept free for the next few records: exam.json, tombstones, audit, the index and its log
_FOR_STILLS, _FOR_STILLS_MOST = 0.15, 10_000 * MB  # of the disk, at most: what clips leave; thousands of stills
_LOW, _LOW_MOST = 0.20, 14_000 * MB  # of the disk, at most: early enough to do something before clips stop
_MOST_RESERVED = 8  # at most this part of a small disk
_CLIP_LEAVES = 64 * MB  # a clip's second copy leaves this for pictures taken meanwhile ...
_CLIP_LEAVES_SHARE = 0.05  # ... or this share of a small disk


class Level(StrEnum):
    """What the box still takes."""

    OK = "ok"
    LOW = "low"  # everything; somebody should act
    NO_CLIPS = "no-clips"  # stills
    FULL = "full"  # nothing new
    FAILED = "failed"  # nothing: the disk cannot be written


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """A disk in bytes. `held` is what the reserve file has at present of the `reserve` it should have."""

    total: int
    free: int
    reserve: int = 0
    held: int = 0
    read_only: bool = False

    @property
    def usable(self) -> int:
        """What pictures may take; giving the reserve up, and making it anew, does not change it."""
        return self.free + self.held - self.reserve


@dataclass(frozen=True, kw_only=True, slots=True)
class Typical:
    """How large recent pictures were: bytes of a still, of the largest one, and of a second of clip."""

    still: int = 3 * MB
    largest_still: int = 6 * MB
    clip_second: int = 3 * MB


def reserve_for(total: int, wanted: int) -> int:
    """Return how large the reserve is: as configured, but never more than an eighth of the disk."""
    return min(wanted, total // _MOST_RESERVED)


def still_fits(room: Room, typical: Typical, *, waiting: int = 0) -> bool:
    """Say whether a still, its records and, for a moment, its DICOM copy have room after `waiting` others."""
    return not room.read_only and room.usable >= (2 + waiting) * typical.largest_still + FLOOR


def clip_fits(room: Room, recorded: int = 0) -> bool:
    """Say whether a clip may begin, or go on after so many bytes: its DICOM copy will need them once more."""
    return not room.read_only and room.usable - recorded >= _for_stills(room)


def update_fits(room: Room, size: int) -> bool:
    """Say whether so many bytes that are no pictures may lie here for a while: the disk is not low with them."""
    return not room.read_only and room.usable - size >= _low(room)


def copy_fits(room: Room, size: int, *, clip: bool) -> bool:
    """Say whether a DICOM copy may be made, from the reserve if need be: it gives back as much when it is done."""
    leaves = min(_CLIP_LEAVES, int(room.total * _CLIP_LEAVES_SHARE)) if clip else FLOOR
    return room.free + room.held >= size + leaves


def stills_left(room: Room, typical: Typical) -> int:
    """Return for about how many stills there is room."""
    if not still_fits(room, typical):
        return 0
    return max(1, (room.usable - FLOOR - typical.largest_still) // typical.still)


def clip_seconds_left(room: Room, typical: Typical) -> int:
    """Return for how long a clip there is room."""
    return max(0, (room.usable - _for_stills(room)) // (2 * typical.clip_second)) if clip_fits(room) else 0


def seconds_more(room: Room, *, recorded: int, span_s: float) -> float:
    """Return for how long a clip that took so many bytes in so many seconds can go on at this pace."""
    left = room.usable - recorded - _for_stills(room)
    return max(0.0, left * span_s / (2 * recorded)) if clip_fits(room, recorded) else 0.0


def level(room: Room, typical: Typical) -> Level:
    """Return what the box still takes."""
    if room.read_only:
        return Level.FAILED
    if not still_fits(room, typical):
        return Level.FULL
    if not clip_fits(room):
        return Level.NO_CLIPS
    return Level.LOW if room.usable < _low(room) else Level.OK


def _low(room: Room) -> int:
    return int(min(room.total * _LOW, _LOW_MOST))


def _for_stills(room: Room) -> int:
    return int(min(room.total * _FOR_STILLS, _FOR_STILLS_MOST))
