"""What the wear of the disk means for pictures. Reads nothing: a disk is asked by the composition root, as root."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SUBJECT = "disk-life"  # of what root says (gateway/config/told.py)
WORN_PERCENT = 80  # of the life that a disk was made for
_OVER_PERCENT = 100


class Life(StrEnum):
    """How much is left of a disk."""

    UNKNOWN = "unknown"
    OK = "ok"
    WORN = "worn"
    ENDS = "ends"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """`what`, `code`, `action`: "" of a disk that is well. `measured`: the disk, and what is used of its life."""

    life: Life
    measured: str
    what: str = ""
    code: str = ""
    action: str = ""


def judge(said: Mapping[str, Any]) -> Judged:
    """Judge what was read of a disk: `disk`, `kind`, `used` (percent), `spare`, `failing` (hardware/wear.py)."""
    used, spare, kind = said.get("used"), said.get("spare", "unknown"), said.get("kind", "disk")
    measured = f"{kind} {said.get('disk', '')}".strip() + (f", {used} %" if used is not None else "")
    if said.get("failing") or spare == "none" or (used is not None and used >= _OVER_PERCENT):
        what = "The disk says that it fails." if said.get("failing") else "The life of the disk is over."
        do = "Let pictures leave for the archive now, and have the disk replaced."
        return Judged(life=Life.ENDS, measured=measured, what=what, code="disk-dying", action=do)
    if spare == "little" or (used is not None and used >= WORN_PERCENT):
        do = "Plan another disk, or another box, for the next visit of service."
        return Judged(life=Life.WORN, measured=measured, what="The disk is worn.", code="disk-worn", action=do)
    if used is None and spare == "unknown":
        if kind == "SD card":
            return Judged(life=Life.UNKNOWN, measured=measured, what="An SD card does not tell how worn it is.")
        return Judged(life=Life.UNKNOWN, measured=measured, what="This disk does not tell how worn it is.")
    return Judged(life=Life.OK, measured=measured)
