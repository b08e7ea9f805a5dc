"""What the forward process says of itself in its live state. Contains no patient data."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.clock import Clock
from gateway.errors import ScopegateError
from gateway.forward.follow import Follower
from gateway.forward.proving import Proving
from gateway.forward.sender import Sender


class Status:
    """Builds the live state."""

    def __init__(
        self,
        *,
        clock: Clock,
        senders: Mapping[str, Sender],
        followers: Mapping[str, Follower],
        proving: Proving,
        orphans: Sequence[str],
        port: int,
    ) -> None:
        self._clock = clock
        self._senders = senders
        self._followers = followers
        self._proving = proving
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

    def _destination(self, name: str, sender: Sender) -> dict[str, Any]:
        pause, proof = sender.pause, {"proof": self._proving.state(name)}
        if pause is None:
            return {"name": name, "state": "ok", **proof}
        left_s = max(0.0, (pause.until_ns - self._clock.boottime_ns()) / 1e9)
        return {
            "name": name,
            "state": "paused",
            **(_said(pause.error) or {}),
            "since": pause.since.utc.isoformat(),
            "attempt": pause.attempt,
            "next_attempt_in_s": round(left_s),
            **proof,
        }


def _said(error: ScopegateError | None) -> dict[str, str] | None:
    return {"code": error.code, "what": error.what, "action": error.action} if error else None
