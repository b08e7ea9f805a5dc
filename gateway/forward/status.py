"""What the forward process says of itself in its live state. Contains no patient data."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from gateway.clock import Clock
from gateway.errors import MediaAbsent, ScopegateError
from gateway.forward.auditing.teller import NAME as AUDIT
from gateway.forward.auditing.teller import AuditTeller
from gateway.forward.follow import Follower
from gateway.forward.making.progress import Progress
from gateway.forward.media.sender import MediaSender
from gateway.forward.notices import Found, Notices
from gateway.forward.patience import Pause
from gateway.forward.proving.parts import Proving
from gateway.forward.sending.sender import Sender
from gateway.forward.sending.step_sender import StepSender


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
        tellers: Mapping[str, StepSender],
        followers: Mapping[str, Follower],
        encoding: Callable[[], Progress | None] = lambda: None,
        listening: Callable[[], ScopegateError | None] = lambda: None,
        notices: Notices,
        proving: Proving,
        auditing: AuditTeller | None = None,
    ) -> None:
        self._clock = clock
        self._senders = senders
        self._tellers = tellers
        self._followers = followers
        self._encoding = encoding
        self._listening = listening
        self._notices = notices
        self._proving = proving
        self._auditing = auditing

    def state(self) -> dict[str, Any]:
        troubles = {name: follower.trouble for name, follower in self._followers.items()}
        notices = self._notices.look()
        return {
            "destinations": [
                *(self._destination(name, sender, notices) for name, sender in self._senders.items()),
                *_orphans(notices.orphans),
            ],
            "procedure_steps": [
                *(self._line(name, teller.pause) for name, teller in self._tellers.items()),
                *_orphans(notices.servers),
            ],
            "listener": _said(self._listening()),
            **self._audit(),
            **self._film(),
            "troubles": {name: _said(trouble) for name, trouble in troubles.items() if trouble},
        }

    def _audit(self) -> dict[str, Any]:
        """Say how the audit repository is and how many lines wait for it, if there is one."""
        if self._auditing is None:
            return {}
        return {"audit": {**self._line(AUDIT, self._auditing.pause), "waiting": self._auditing.left}}

    def _film(self) -> dict[str, Any]:
        """Say of which clip something is made that takes long, into what, and how far it is in percent."""
        at = self._encoding()
        if at is None:
            return {}
        return {"film": {"exam": at.exam, "sop_instance_uid": at.uid, "into": at.into, "percent": at.percent}}

    def _destination(self, name: str, sender: Sends, notices: Found) -> dict[str, Any]:
        line = self._line(name, sender.pause)
        if isinstance(sender, MediaSender) and sender.capacity:
            line["medium"] = asdict(sender.capacity)
        if isinstance(sender, Sender) and sender.pace.bytes_per_s:
            line["bytes_per_s"] = sender.pace.bytes_per_s
        if proof := self._proving.state(name):
            line["proof"] = proof
        if count := notices.elsewhere.get(name):
            line["sent_to_the_one_before"] = count
        return line

    def _line(self, name: str, pause: Pause | None) -> dict[str, Any]:
        told: dict[str, Any] = {"name": name}
        if pause is None:
            return {**told, "state": "ok"}
        if isinstance(pause.error, MediaAbsent):  # as it should be most of the time: nobody is alarmed
            return {
                **told,
                "state": "absent",
                **(_said(pause.error) or {}),
                "since": pause.since.utc.isoformat(),
            }
        left_s = max(0.0, (pause.until_ns - self._clock.boottime_ns()) / 1e9)
        return {
            **told,
            "state": "paused",
            **(_said(pause.error) or {}),
            "since": pause.since.utc.isoformat(),
            "attempt": pause.attempt,
            "next_attempt_in_s": round(left_s),
        }


def _orphans(waiting: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"name": name, "state": "not-configured", "waiting": count} for name, count in waiting.items()]


def _said(error: ScopegateError | None) -> dict[str, str] | None:
    return {"code": error.code, "what": error.what, "action": error.action} if error else None
