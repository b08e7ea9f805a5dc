"""The worklist servers of this box and how each is asked: for a day's list, and for what a person looks for."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from gateway.clock import Clock
from gateway.config.settings import Worklist
from gateway.dicom import order
from gateway.errors import ScopegateError, WorklistError
from gateway.log import warn
from gateway.model import WorklistItem
from gateway.net import worklist
from gateway.net.find import RawAnswer
from gateway.net.peers import Timeouts

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Servers:
    """Everybody who knows whom this box expects. `timeouts`: None = the usual ones."""

    every: Sequence[Worklist]
    our_ae: str
    clock: Clock
    timeouts: Timeouts | None = None

    def ask(
        self,
        server: Worklist,
        *,
        deadline_s: float,
        most: int = worklist.MOST_ANSWERS,
        sought: Mapping[str, str] | None = None,
    ) -> list[WorklistItem]:
        """Return what a server has for the days of the list, or for what is sought. Raises WorklistError."""
        today = self.clock.now().local.date()
        answers = worklist.find(
            server,
            our_ae=self.our_ae,
            today=today,
            deadline_s=deadline_s,
            most=most,
            timeouts=self.timeouts,
            sought=sought,
        )
        return understood(answers, server, worklist.days(server, today, searching=bool(sought)))


def understood(answers: Iterable[RawAnswer], server: Worklist, days: tuple[date, date]) -> list[WorklistItem]:
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
