"""Who is signed in. Kept in memory: a restart signs everybody out. Holds SHA-256s of tokens, never a token.

A panel that starts anew to take a changed setting hands its sessions over: nobody types a PIN for each change.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from gateway.clock import Clock
from gateway.panel.people.roles import Door

IDLE_S = 600.0  # without a touch; at the box of pages that ask for a person: a technician's own touches are none
LONGEST_S = {Door.FRONT: 2 * 3600.0, Door.LAN: 12 * 3600.0}  # however busy
_DIGITS = 64  # hexadecimal, of a token: 256 bits
_MOST_OF_ONE = 16  # browsers of one person; the one that was used longest ago is signed out
_HANDED_OVER_S = 60.0  # a successor that comes later asks everybody again
COOKIE = {Door.FRONT: "scopegate-front", Door.LAN: "__Host-scopegate"}


@dataclass(kw_only=True, slots=True)
class Session:
    """One sign-in of one browser. Times are seconds of the clock that runs since boot."""

    person: str  # id
    door: Door
    began: float
    touched: float


class Sessions:
    """Every sign-in that still counts. Used on the event loop only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, Session] = {}

    def begin(self, person: str, door: Door) -> str:
        """Return the token of a new session."""
        token, now = self._clock.token(_DIGITS), self._now()
        self._forget_ended(now)
        theirs = [key for key, session in self._open.items() if session.person == person]
        for key in sorted(theirs, key=lambda key: self._open[key].touched)[
            : max(0, len(theirs) - _MOST_OF_ONE + 1)
        ]:
            del self._open[key]
        self._open[digest(token)] = Session(person=person, door=door, began=now, touched=now)
        return token

    def find(self, token: str, door: Door, *, touch: bool = False) -> str | None:
        """Return whose session a token is, None when it is none or has ended. `touch`: a person did something."""
        session, now = self._open.get(digest(token)), self._now()
        if session is None or session.door is not door or _has_ended(session, now):
            return None
        if touch:
            session.touched = now
        return session.person

    def end(self, token: str) -> None:
        """Sign this browser out; without a session that is no error."""
        self._open.pop(digest(token), None)

    def end_of(self, person: str) -> None:
        """Sign a person out everywhere."""
        self._open = {key: session for key, session in self._open.items() if session.person != person}

    def hand_over(self) -> bytes:
        """Return what a successor needs to know; no token is in it."""
        self._forget_ended(self._now())
        sessions = {key: asdict(session) for key, session in self._open.items()}
        return json.dumps({"boot_id": self._clock.boot_id, "at": self._now(), "sessions": sessions}).encode()

    def take_over(self, raw: bytes) -> None:
        """Go on with a predecessor's sessions, if it ended just now; what cannot be read is nobody's."""
        try:
            said = json.loads(raw)
            if said["boot_id"] != self._clock.boot_id or not 0 <= self._now() - said["at"] < _HANDED_OVER_S:
                return
            found = {
                key: Session(**{**session, "door": Door(session["door"])})
                for key, session in said["sessions"].items()
            }
        except (ValueError, TypeError, KeyError, AttributeError):
            return
        self._open = found

    def _forget_ended(self, now: float) -> None:
        self._open = {key: session for key, session in self._open.items() if not _has_ended(session, now)}

    def _now(self) -> float:
        return self._clock.boottime_ns() / 1e9


def _has_ended(session: Session, now: float) -> bool:
    return now - session.touched >= IDLE_S or now - session.began >= LONGEST_S[session.door]


def digest(token: str) -> str:
    """Return under what a session is known; no token can be made of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
