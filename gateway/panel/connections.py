"""Everything between this box and the others, as the screen has it looked at: by forward, the panel calls nobody.

Of what was found the newest is kept, for a day. Blocks: reads and writes the index.
"""

from dataclasses import dataclass, replace
from typing import Any

from gateway.config.settings import Settings
from gateway.messages import N_
from gateway.model import RequestState
from gateway.spool.processes.connections import REQUEST
from gateway.spool.processes.live import LiveState
from gateway.spool.processes.requests import Request
from gateway.spool.spool import Spool

_BEGINS_S = 30.0  # until forward must have begun
_GONE = N_("The delivery process does not run.")
_RUNNING = (RequestState.WAITING, RequestState.RUNNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A look as it stands. `lines`: as gateway/forward/connections/finding.py has them, problems first."""

    state: RequestState
    at: str  # when it was begun, ISO 8601; "" before
    early: bool  # it ended before everything was looked at: a changed setting is taken
    lines: tuple[dict[str, Any], ...]
    what: str = ""  # why it came to no end
    gone: bool = False  # forward does not run: it comes to none yet

    @property
    def runs(self) -> bool:
        return self.state in _RUNNING

    @property
    def problems(self) -> int:
        return sum(line["ok"] is False for line in self.lines)


class Connections:
    """Those of one box. `forward`: what the process says of itself that looks."""

    def __init__(self, spool: Spool, settings: Settings, forward: LiveState) -> None:
        self._spool = spool
        self._forward = forward
        self._lan = settings.panel.lan

    def begin(self, person: str) -> None:
        """Have everything looked at; a look that waits or runs goes on. Raises DiskFull, DiskFailed."""
        newest = self._spool.requests.newest(REQUEST)
        if newest and newest.state is RequestState.WAITING:  # forward takes it up, also when it comes back
            return
        if newest and newest.state is RequestState.RUNNING and self._forward.read() is not None:
            return
        lan = {"certificate": str(self._lan.certificate), "key": str(self._lan.key)} if self._lan else None
        self._spool.audit.note("connections-check", by="panel", **({"person": person} if person else {}))
        self._spool.requests.ask(REQUEST, {"lan": lan}, deadline_s=_BEGINS_S)

    def seen(self) -> Seen | None:
        """Return how the last look stands; None when there was none for a day."""
        newest = self._spool.requests.newest(REQUEST)
        if newest is None:
            return None
        seen = _seen(newest)
        if seen.runs and self._forward.read() is None:
            return replace(seen, state=RequestState.FAILED, what=_GONE, gone=True)
        return seen


def _seen(request: Request) -> Seen:
    found = request.answer
    return Seen(
        state=request.state,
        at=str(found.get("at", "")),
        early=bool(found.get("early")),
        lines=tuple(sorted(found.get("lines", ()), key=lambda line: (False, None, True).index(line["ok"]))),
        what=str(found.get("what", "")),
    )
