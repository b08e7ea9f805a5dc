"""The check of what is stored: before it, on its way, resting, well, and with troubles."""

import json
from typing import Any

from playwright.sync_api import Page

from gateway.panel.stored_data.troubles import TROUBLES
from tests.browser.conftest import Box
from tests.browser.screens.people import as_administrator
from tests.browser.screens.registry import BEFORE, at, screen

_EXAM = "3bd7cbffc7"


def _trouble(code: str, count: int, *places: tuple[str, str]) -> dict[str, Any]:
    what, safe, action = TROUBLES[code]
    named = [{"name": name, "what": said} for name, said in places]
    return {"code": code, "what": what, "safe": safe, "action": action, "count": count, "places": named}


_TROUBLES = [
    _trouble("audit-changed", 1, ("audit.jsonl:1041", "was changed, or the mark of line 1042")),
    _trouble(
        "spool-damaged",
        23,
        (f"{_EXAM}/2.25.293536428427284638780592794016082383943.dcm", "was changed after it was sealed"),
        (f"{_EXAM}/2.25.296776616834305855244604564395682716121.ljpg", "is not what was captured"),
    ),
]


def _record(box: Box, page: Page, **changes: object) -> None:
    record = {
        "at": "2026-11-21T12:31:00+00:00",
        "phase": "ended",
        "rests": False,
        "lines": 2204,
        "unmarked": 0,
        "pictures": 18412,
        "of": 18412,
        "troubles": [],
        **changes,
    }
    box.spool.layout.stored_data.write_text(json.dumps(record))
    as_administrator(box, page)


def _well(box: Box, page: Page) -> None:
    _record(box, page)


def _troubled(box: Box, page: Page) -> None:
    _record(box, page, troubles=_TROUBLES)


def _stopped(box: Box, page: Page) -> None:
    _record(box, page, phase="stopped", pictures=612, unmarked=12)


@screen
def stored_data(box: Box) -> str:
    del box
    return "/service/stored-data"


BEFORE["stored_data"] = as_administrator
at("stored_data_well", "/service/stored-data", _well)
at("stored_data_troubled", "/service/stored-data", _troubled)
at("stored_data_stopped", "/service/stored-data", _stopped)
