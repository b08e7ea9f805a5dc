"""What was found out about one thing: a line of `scopegate doctor`, and of the screen where it is about others."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from gateway.clock import Clock
from gateway.net import expiry


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at. `ok` None = nothing is wrong, but somebody should know."""

    what: str
    ok: bool | None
    says: str
    action: str = ""
    code: str = ""
    in_file: str = ""  # what the configuration's file calls the settings in it: for who has that file

    def __str__(self) -> str:
        mark = {True: "ok     ", False: "problem", None: "note   "}[self.ok]
        action = f"  -> {self.action}" if self.action else ""
        in_file = f" In the file: {self.in_file}." if self.in_file else ""
        return f"{mark}  {self.what}: {self.said}{action}{in_file}"

    @property
    def said(self) -> str:
        """Return what it says, with its code: for who reads one line."""
        return f"{self.says} [{self.code}]" if self.code else self.says

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def until(what: str, end: datetime, clock: Clock, action: str) -> Finding:
    """Say until when a certificate holds; `action` is what to do when that is soon or over."""
    day, left = f"{end:%Y-%m-%d}", (end - clock.utc()).days
    if left < 0:
        return Finding(what=what, ok=False, says=f"expired on {day}", action=action)
    if left >= expiry.SOON_DAYS:
        return Finding(what=what, ok=True, says=f"holds until {day}")
    ok = False if left < expiry.NOW_DAYS else None
    return Finding(what=what, ok=ok, says=f"holds until {day}, {left} days more", action=action)
