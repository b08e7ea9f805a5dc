"""What `scopegate doctor` found: one thing that was looked at or asked."""

from dataclasses import dataclass
from datetime import datetime

from gateway.clock import Clock
from gateway.net import expiry


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at. `ok` None = nothing is wrong, but somebody should know."""

    what: str
    ok: bool | None
    says: str
    action: str = ""

    def __str__(self) -> str:
        mark = {True: "ok     ", False: "problem", None: "note   "}[self.ok]
        action = f"  -> {self.action}" if self.action else ""
        return f"{mark}  {self.what}: {self.says}{action}"


def until(what: str, end: datetime, clock: Clock, action: str) -> Finding:
    """Say until when a certificate holds; `action` is what to do when that is soon or over."""
    left = (end - clock.utc()).days
    if left < 0:
        return Finding(what=what, ok=False, says=f"expired on {end:%d-%b-%Y}", action=action)
    soon = left < expiry.SOON_DAYS
    says = f"holds until {end:%d-%b-%Y}{f', {left} days more' if soon else ''}"
    ok = False if left < expiry.NOW_DAYS else None if soon else True
    return Finding(what=what, ok=ok, says=says, action=action if soon else "")
