"""What the forward process says of itself in its live state. Contains no patient data."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gateway.clock import Clock
from gateway.errors import MediaAbsent, ScopegateError
from gateway.forward.follow import Follower
from gateway.forward.patience import Pause


class Sends(Protocol):
    """What empties one destination's queue."""

    @property
    def pause(self) -> Pause | None:
        """Why it gets nothing at present; None while it does."""

    def step(self) -> bool:
        """Send some; say whether there may be more to do now."""


class Status:
    """Builds the live state."""

    def __init__(
        self,
        *,
        clock: Clock,
        senders: Mapping[str, Sends],
        followers: Mapping[str, Follower],
        orphans: Sequence[str],
        port: int,
    ) -> None:
        self._clock = clock
        self._senders = senders
        self._followers = followers
        self._orphans = orphans  # destinations that left the configuration and have a queue still
        self._port = port

    def state(self) -> dict[str, Any]:
        troubles = {name: follower.trouble for name, follower in self._followers.items()}
        return {
            "destinations": [
                *(self._destination(name, sender) for name, sender in self._senders.items()),
                *({"name": name, "state": "not-configured"} for name in self._orphans),
            ],
            "wrapping": _said(troubles.get("wrap")),
            "troubles": {name: _said(trouble) for name, trouble in troubles.items() if trouble},
            "listening": self._port,
        }

    def _destination(self, name: str, sender: Sends) -> dict[str, Any]:
        pause = sender.pause
        if pause is None:
            return {"name": name, "state": "ok"}
        if isinstance(pause.error, MediaAbsent):  # as it should be most of the time: nobody is alarmed
            return {
                "name": name,
                "state": "absent",
                **(_said(pause.error) or {}),
                "since": pause.since.utc.isoformat(),
            }
        left_s = max(0.0, (pause.until_ns - self._clock.boottime_ns()) / 1e9)
        return {
            "name": name,
            "state": "paused",
            **(_said(pause.error) or {}),
            "since": pause.since.utc.isoformat(),
            "attempt": pause.attempt,
            "next_attempt_in_s": round(left_s),
        }


def _said(error: ScopegateError | None) -> dict[str, str] | None:
    return {"code": error.code, "what": error.what, "action": error.action} if error else None
