"""What the forward process says of itself in its live state. Contains no patient data."""

from typing import Any

from gateway.forward.sender import Sender
from gateway.forward.wrap import Wrapper
from gateway.spool.spool import Spool


class Status:
    """Builds the live state."""

    def __init__(self, *, spool: Spool, senders: dict[str, Sender], wrapper: Wrapper, port: int) -> None:
        self._spool = spool
        self._senders = senders
        self._wrapper = wrapper
        self._port = port

    def state(self) -> dict[str, Any]:
        trouble = self._wrapper.trouble
        return {
            "destinations": [self._destination(name, sender) for name, sender in self._senders.items()],
            "wrapping": {"code": trouble.code, "what": trouble.what} if trouble else None,
            "listening": self._port,
        }

    def _destination(self, name: str, sender: Sender) -> dict[str, Any]:
        pause = sender.pause
        if pause is None:
            return {"name": name, "state": "ok"}
        left_s = max(0.0, (pause.until_ns - self._spool.clock.boottime_ns()) / 1e9)
        return {
            "name": name,
            "state": "paused",
            "code": pause.error.code,
            "what": pause.error.what,
            "action": pause.error.action,
            "since": pause.since.utc.isoformat(),
            "next_attempt_in_s": round(left_s),
        }
