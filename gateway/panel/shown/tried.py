"""Which other systems have answered this box, and what the last trial of each found. Asks nobody."""

from collections.abc import Mapping
from typing import Any

from gateway.messages import N_
from gateway.model import DeliveryState, RequestState
from gateway.panel.shown.answers import Json
from gateway.panel.shown.health import OK
from gateway.spool.processes import trials
from gateway.spool.spool import Spool

NEVER_SENT, TRIED = "never-sent", "tried"
_ADDRESS = ("host", "port", "url", "ae_title")  # by which an entry is the one that was tried, whatever its name
_TOOK = (DeliveryState.SENT, DeliveryState.COMMITTED)


def last(spool: Spool, table: str, entry: Mapping[str, Any]) -> list[Json] | None:
    """Return the lines of the last trial of an entry, None where none is known any more: trials are kept a day."""
    for asked in spool.requests.finished(trials.REQUEST):
        values = asked.arguments.get("values", {})
        same = asked.arguments.get("table") == table and all(values.get(k) == entry.get(k) for k in _ADDRESS)
        if same and asked.state is RequestState.DONE:
            return list(asked.answer.get("lines", []))
    return None


def failed(lines: list[Json] | None) -> Json | None:
    """Return what a trial found to be wrong first, None for a good one and for none."""
    return next((line for line in lines or [] if line["ok"] is False), None)


def honest(spool: Spool, table: str, line: Json, entry: Mapping[str, Any]) -> Json:
    """Return the line of a system that nothing is known against, as far as it is known to answer."""
    if line["state"] != OK or _took(spool, table, line["name"]):
        return line
    lines = last(spool, table, entry)
    if bad := failed(lines):
        what, action = bad["what"], bad["action"]
        return {**line, "state": "failed", "code": bad["code"], "what": what, "action": action}
    if lines:
        return {**line, "state": TRIED}
    return {**line, "state": NEVER_SENT, "what": N_("Not tried yet: nothing was sent to it so far."), "action": ""}


def _took(spool: Spool, table: str, name: str) -> bool:
    """Say whether a system ever took something from this box."""
    if table == "procedure_step":
        return name in spool.steps.told()
    counts = spool.deliveries.counts()
    return any(counts.get((name, state)) for state in _TOOK)
