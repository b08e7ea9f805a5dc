"""Looks at everything between this box and the others, when somebody asks for it on the screen. Changes nothing.

`scopegate doctor` finds the same, and what only a command may look at. No patient is in it.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.config.remarks import remarks
from gateway.config.settings import Lan, Settings
from gateway.errors import SpoolError
from gateway.forward.connections import doors, others, secured
from gateway.forward.connections.finding import Finding
from gateway.log import event
from gateway.spool.processes import connections
from gateway.spool.processes.requests import Request
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
Json = dict[str, Any]


def remarked(settings: Settings) -> Iterator[Finding]:
    """Say what the configuration leads to that its author may not see."""
    for each in remarks(settings):
        yield Finding(what="configuration", ok=None, says=each.says, in_file=each.in_file)


def connected(settings: Settings, lan: Lan | None, clock: Clock) -> Iterator[Finding]:
    """Look at the doors and the files of this box and ask the other systems; each finding as it is made.

    `lan`: the second door as the panel has it, whose settings are nobody else's.
    """
    yield from doors.second_door(settings, lan, clock)
    yield from doors.monitoring(settings, clock)
    yield from doors.listener(settings, clock)
    yield from secured.certificates(settings, lan, clock)
    yield from secured.secrets(settings, lan)
    yield from others.peers(settings, clock)
    yield from others.proofs(settings)
    yield from others.audit(settings, clock)


class Looking:
    """The requests of kind `connections`. `rest`: when set, it ends before it says what follows."""

    def __init__(
        self, *, spool: Spool, settings: Settings, rest: threading.Event, give_way: Callable[[], None]
    ) -> None:
        self._spool = spool
        self._settings = settings
        self._rest = rest
        self._give_way = give_way
        self._answer: Callable[[], None] | None = None  # of a request whose end could not be written yet

    def step(self) -> bool:
        """Execute one request; say whether there was one. Raises SpoolError; the answer is then written later."""
        if self._answer is None:
            request = self._spool.requests.begin(connections.REQUEST)
            if request is None:
                return False
            self._give_way()
            self._answer = partial(self._spool.requests.done, request, self._looked(request))
        self._answer()
        self._answer = None
        return True

    def _looked(self, request: Request) -> Json:
        at, lines = self._spool.clock.utc().isoformat(timespec="seconds"), list[Json]()
        rests = False
        for finding in self._findings(_lan(request)):
            if rests:  # only now is it known that something followed: a look that had all is whole
                return {"at": at, "lines": lines, "early": True}
            lines.append(finding.to_json())
            rests = self._rest.is_set()
            with suppress(SpoolError):
                self._spool.requests.progress(request, {"at": at, "lines": lines})
        event(_log, "connections_looked_at", lines=len(lines), problems=sum(line["ok"] is False for line in lines))
        return {"at": at, "lines": lines, "early": False}

    def _findings(self, lan: Lan | None) -> Iterator[Finding]:
        yield from remarked(self._settings)
        yield from connected(self._settings, lan, self._spool.clock)


def _lan(request: Request) -> Lan | None:
    """Return the second door of whoever asks."""
    said = request.arguments.get("lan")
    return Lan(certificate=Path(said["certificate"]), key=Path(said["key"])) if said else None
