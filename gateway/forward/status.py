"""What the forward process says of itself in its live state. Contains no patient data."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.clock import Clock
from gateway.errors import ScopegateError
from gateway.forward.follow import Follower
from gateway.forward.patience import Pause
from gateway.forward.sender import Sender
from gateway.forward.step_sender import StepSender


class Status:
    """Builds the live state."""

    def __init__(
        self,
        *,
        clock: Clock,
        senders: Mapping[str, Sender],
        tellers: Mapping[str, StepSender],
        followers: Mapping[str, Follower],
        orphans: Sequence[str],
        port: int,
    ) -> None:
        self._clock = clock
        self._senders = senders
        self._tellers = tellers
        self._followers = followers
        self._orphans = orphans  # destinations that left the configuration and have a queue still
        self._port = port

    def state(self) -> dict[str, Any]:
        troubles = {name: follower.trouble for name, follower in self._followers.items()}
        return {
            "destinations": [
                *(self._line(name, sender.pause) for name, sender in self._senders.items()),
                *({"name": name, "state": "not-configured"} for name in self._orphans),
            ],
            "procedure_steps": [self._line(name, teller.pause) for name, teller in self._tellers.items()],
            "wrapping": _said(troubles.get("wrap")),
            "troubles": {name: _said(trouble) for name, trouble in troubles.items() if trouble},
            "listening": self._port,
        }

    def _line(self, name: str, pause: Pause | None) -> dict[str, Any]:
        if pause is None:
            return {"name": name, "state": "ok"}
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
