"""Keeps the cached worklist fresh: every minute, and when somebody asks. A server that fails keeps its old list."""

import logging
from typing import Any

from gateway.config.settings import Worklist
from gateway.errors import WorklistError
from gateway.forward.asking import Servers
from gateway.log import event, warn
from gateway.spool.processes.requests import Request
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
REFRESH = "worklist-refresh"  # the kind of request that this module executes
_EVERY_S = 60.0
_DEADLINE_S = 20.0  # for one server


class Refresher:
    """Asks every configured worklist server in turn; those that failed the last time come last."""

    def __init__(self, *, spool: Spool, servers: Servers, deadline_s: float = _DEADLINE_S) -> None:
        self._spool = spool
        self._servers = servers
        self._clock = servers.clock
        self._deadline_s = deadline_s
        self._due_ns = 0
        self._asked: list[Request] = []  # begun and not answered yet
        self._problems: dict[str, str] = {}

    def step(self) -> bool:
        """Refresh when it is time or asked for; say whether anything was done.

        Everybody who asked before it began gets the same answer. Raises SpoolError; who asked then waits for the
        next step.
        """
        while request := self._spool.requests.begin(REFRESH):
            self._asked.append(request)
        if not self._asked and self._clock.boottime_ns() < self._due_ns:
            return False
        self._due_ns = self._clock.boottime_ns() + int(_EVERY_S * 1e9)
        servers = sorted(self._servers.every, key=lambda server: server.name in self._problems)
        answer = {"servers": [self._refresh(server) for server in servers]}
        while self._asked:
            self._spool.requests.done(self._asked[-1], answer)
            self._asked.pop()
        return True

    def _refresh(self, server: Worklist) -> dict[str, Any]:
        try:
            items = self._servers.ask(server, deadline_s=self._deadline_s)
        except WorklistError as error:
            if self._problems.get(server.name) != error.code:
                warn(_log, "worklist_failed", server=server.name, code=error.code)
            self._problems[server.name] = error.code
            self._spool.worklist.failed(server.name, error)
            return {"server": server.name, "ok": False, "code": error.code, "what": error.what}
        if self._problems.pop(server.name, ""):
            event(_log, "worklist_answers_again", server=server.name)
        self._spool.worklist.replace(server.name, items)
        return {"server": server.name, "ok": True, "items": len(items)}
