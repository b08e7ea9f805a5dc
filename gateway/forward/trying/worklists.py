"""Tries a worklist server: how many patients it has for today, and if none, whether what is asked for is why."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from gateway.config.settings import Worklist
from gateway.errors import WorklistError
from gateway.forward.asking import understood
from gateway.net import worklist
from gateway.net.peers import Timeouts
from gateway.spool.processes.trials import Line

_PART = "worklist"
_DEADLINE_S = 12.0


def tried(server: Worklist, *, our_ae: str, today: date, timeouts: Timeouts | None = None) -> Iterator[Line]:
    """Yield what one question shows, and of an empty list a second one without its filters."""
    try:
        count = _count(replace(server, days_back=0, days_ahead=0), our_ae, today, timeouts)
        if count:
            yield Line(part=_PART, ok=True, what=f"It answers. Entries for today: {count}.")
            return
        yield Line(part=_PART, ok=True, what="It answers. It has nobody for today.")
        yield from _why_nobody(server, our_ae, today, timeouts)
    except WorklistError as error:
        yield Line(part=_PART, ok=False, what=error.what, action=error.action, code=error.code)


def _why_nobody(server: Worklist, our_ae: str, today: date, timeouts: Timeouts | None) -> Iterator[Line]:
    if server.modality or server.station_ae_title:
        every = replace(server, modality="", station_ae_title="", days_back=0, days_ahead=0)
        if count := _count(every, our_ae, today, timeouts):
            yield Line(
                part=_PART,
                ok=None,
                what=f"Without modality and station it has entries for today: {count}.",
                action="Ask IT under which modality and station this room is planned.",
                code="worklist-filtered",
            )
            return
    count = _count(server, our_ae, today, timeouts)
    yield Line(
        part=_PART,
        ok=None,
        what=f"In all days that are asked for it has entries: {count}.",
        action="If there should be some today, ask IT whether this room is planned in it.",
        code="worklist-empty",
    )


def _count(server: Worklist, our_ae: str, today: date, timeouts: Timeouts | None) -> int:
    answers = worklist.find(server, our_ae=our_ae, today=today, deadline_s=_DEADLINE_S, timeouts=timeouts)
    return len(understood(answers, server, worklist.days(server, today)))
