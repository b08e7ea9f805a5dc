"""`scopegate day`: what became of a day's pictures, and whether the archives have them."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

from gateway.clock import Clock, Stopwatch
from gateway.errors import BadValue, TryLater
from gateway.model import RequestState
from gateway.spool.spool import Spool

_PATIENCE_S = 120.0
_COUNTS = {
    "captured": "captured",
    "removed": "removed",
    "sealed": "sealed",
    "on_this_box": "On this box",
    "sending": "Sending",
    "sent": "Sent",
    "found": "Found in PACS",
    "safe": "Safe in PACS",
    "problems": "cannot be prepared",
    "held": "stopped",
    "let_go": "let go by this box",
}


def look(config: Path, day: str, *, ask: bool, as_json: bool) -> int:
    """Print one line an exam and the verdict; return 0 when everything of that day is in the archives for good."""
    from gateway.cli.opened import spool_of
    from gateway.panel.shown.days import report
    from gateway.spool import days

    with spool_of(config) as (settings, spool):
        wanted = _date(day) if day else Clock().now().local.date()
        asked = _ask(spool, wanted) if ask else None
        required = frozenset(each.name for each in settings.destinations if each.required)
        found = report(wanted.isoformat(), days.of(spool, wanted), required, asked)
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        _print(found)
    return 0 if found["all_safe"] or not found["total"]["kept"] else 1


def _print(found: dict[str, Any]) -> None:
    for line in found["exams"]:
        opened = datetime.fromisoformat(line["opened_at"]).astimezone()
        counts = ", ".join(f"{line[key]} {words}" for key, words in _COUNTS.items() if line[key])
        check = f" (check the patient: {line['please_check']})" if line["please_check"] else ""
        print(f"{line['exam']}  {opened:%H:%M}  {line['state']}{check}: {counts or 'no pictures'}")
        for each in line["archives"]:
            has = f"has {each['found']} of {each['given']}" if each["asked"] else each["what"]
            print(f"    {each['destination']}: {has}")
            for uid in each["lost"]:
                print(f"    {each['destination']} DOES NOT HAVE {uid}")
    print(found["verdict"])


def _ask(spool: Spool, day: date) -> dict[str, Any]:
    """Have the forward process ask the archives. Raises TryLater when it does not run or takes too long."""
    from gateway.spool import days

    clock = Clock()
    watch = Stopwatch(clock)
    identifier = spool.requests.ask(days.REQUEST, {"date": day.isoformat()}, deadline_s=_PATIENCE_S)
    while watch.seconds < _PATIENCE_S:
        request = spool.requests.get(identifier)
        if request.state is RequestState.DONE:
            return request.answer
        if request.state is RequestState.FAILED:
            raise TryLater(request.answer["what"], code=request.answer["code"])
        clock.pause(0.25)
    raise TryLater(
        "The archives were not asked in time.", code="too-late", action="Look whether the forward process runs."
    )


def _date(words: str) -> date:
    try:
        return date.fromisoformat(words)
    except ValueError:
        raise BadValue("This is no date; write it as 2026-11-21.") from None
