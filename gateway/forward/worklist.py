"""Keeps the cached worklist fresh: every minute, and when somebody asks."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from gateway.clock import Clock
from gateway.config import settings
from gateway.dicom import order
from gateway.errors import ScopegateError, WorklistError
from gateway.log import event, warn
from gateway.model import WorklistItem
from gateway.net import worklist
from gateway.spool.spool import Spool

_log = logging.getLogger(__name__)
REFRESH = "worklist-refresh"  # the kind of request that this module executes
_EVERY_S = 60.0


class Refresher:
    """Asks every configured worklist server in turn."""

    def __init__(self, *, spool: Spool, servers: Sequence[settings.Worklist], our_ae: str, clock: Clock) -> None:
        self._spool = spool
        self._servers = servers
        self._our_ae = our_ae
        self._clock = clock
        self._due_ns = 0
        self._problems: dict[str, str] = {}

    def step(self) -> bool:
        """Refresh when it is time or asked for; say whether anything was done."""
        request = self._spool.requests.begin(REFRESH)
        if request is None and self._clock.boottime_ns() < self._due_ns:
            return False
        answer = {"servers": [self._refresh(server) for server in self._servers]}
        self._due_ns = self._clock.boottime_ns() + int(_EVERY_S * 1e9)
        if request:
            self._spool.requests.done(request, answer)
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
        first, last = _days(server, today)
        items: dict[str, WorklistItem] = {}
        unusable = 0
        for answer in worklist.find(server, our_ae=self._our_ae, today=today):
            if not worklist.scheduled_within(answer, first=first, last=last, modality=server.modality):
                continue
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
            items[item.id] = item
        if unusable:
            warn(_log, "worklist_items_unusable", server=server.name, count=unusable)
        return list(items.values())


def _days(server: settings.Worklist, today: date) -> tuple[date, date]:
    return today - timedelta(days=server.days_back), today + timedelta(days=server.days_ahead)
