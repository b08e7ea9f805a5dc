"""Keeps the cached worklist fresh: every minute, and when somebody asks. A server that fails keeps its old list."""

import logging
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from gateway.clock import Clock
from gateway.config import settings
from gateway.dicom import order
from gateway.errors import ScopegateError, WorklistError
from gateway.log import event, warn
from gateway.model import WorklistItem
from gateway.net import worklist
from gateway.net.find import RawAnswer
from gateway.net.peers import Timeouts
from gateway.spool.requests import Request
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
REFRESH = "worklist-refresh"  # the kind of request that this module executes
_EVERY_S = 60.0
_DEADLINE_S = 20.0  # for one server


class Refresher:
    """Asks every configured worklist server in turn; those that failed the last time come last."""

    def __init__(
        self,
        *,
        spool: Spool,
        servers: Sequence[settings.Worklist],
        our_ae: str,
        clock: Clock,
        deadline_s: float = _DEADLINE_S,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._spool = spool
        self._servers = servers
        self._our_ae = our_ae
        self._clock = clock
        self._deadline_s = deadline_s
        self._timeouts = timeouts
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
        servers = sorted(self._servers, key=lambda server: server.name in self._problems)
        answer = {"servers": [self._refresh(server) for server in servers]}
        while self._asked:
            self._spool.requests.done(self._asked[-1], answer)
            self._asked.pop()
        return True

    def _refresh(self, server: settings.Worklist) -> dict[str, Any]:
        try:
            items = self._ask(server)
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

    def _ask(self, server: settings.Worklist) -> list[WorklistItem]:
        today = self._clock.now().local.date()
        answers = worklist.find(
            server, our_ae=self._our_ae, today=today, deadline_s=self._deadline_s, timeouts=self._timeouts
        )
        return understood(answers, server, worklist.days(server, today))


def understood(
    answers: Iterable[RawAnswer], server: settings.Worklist, days: tuple[date, date]
) -> list[WorklistItem]:
    """Return the items of these days among a server's answers. Raises WorklistError when it sent only garbage."""
    first, last = days
    items: dict[str, WorklistItem] = {}
    usable = unusable = 0
    for answer in answers:
        try:
            item = order.worklist_item(
                order.wrap_answer(answer.raw, answer.transfer_syntax_uid),
                server=server.name,
                fallback_charset=server.fallback_charset,
                issuer=server.issuer,
            )
        except ScopegateError:
            unusable += 1
            continue
        usable += 1
        if order.scheduled_within(item, first=first, last=last, modality=server.modality):
            items[item.id] = item
    if unusable:
        warn(_log, "worklist_items_unusable", server=server.name, count=unusable)
    if unusable and not usable:  # entries of other days say that the server works
        raise WorklistError(
            f"The worklist server {server.name} sent only entries that cannot be used.", code="worklist-garbage"
        )
    return list(items.values())
