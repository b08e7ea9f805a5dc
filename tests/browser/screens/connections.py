"""Connections and certificates: before anybody asked, while others are asked, well, and with things to do."""

from typing import Any

from playwright.sync_api import Page

from gateway.net.refusals import AGAIN
from gateway.spool.processes.connections import REQUEST
from tests.browser.conftest import Box
from tests.browser.screens.people import as_administrator
from tests.browser.screens.registry import at
from tests.browser.screens.states import said_of_forward

_AT = "2026-11-21T12:31:00+00:00"
_RENEW = "Have it renewed; no restart is needed then."


def _line(what: str, says: str, *, ok: bool | None = True, action: str = "", code: str = "") -> dict[str, Any]:
    return {"what": what, "ok": ok, "says": says, "action": action, "code": code}


_FINE = [
    _line("second door", "open at 10.1.2.3:8443"),
    _line("listener", "listens at 0.0.0.0:11112"),
    _line("certificate /etc/scopegate/clinic-ca.pem", "holds until 2029-03-31"),
    _line("worklist ris", "answers"),
    _line("destination pacs", "answers"),
    _line("certificate of pacs", "holds until 2028-01-14"),
    _line("commitment pacs", "offers it"),
]
_WRONG = [
    _line(
        "configuration",
        "pacs must have pictures before they leave this box's disk, and never vouches for what it got, so what "
        "goes there never leaves to make room: say Yes to “It is asked to confirm what it stored”, or to “It is "
        "asked what it has” and “Its answer counts as proof”, or No to “Pictures stay here until it has them” if "
        "another archive has the pictures.",
        ok=None,
    ),
    _line(
        "metrics",
        "shut: the clinic's monitoring cannot read this box",
        ok=False,
        action="Look at “Address for monitoring”: is it this box's own, and its port free?",
    ),
    _line("certificate /etc/scopegate/box.pem", "holds until 2026-12-02, 11 days more", ok=False, action=_RENEW),
    _line(
        "worklist ris",
        "The worklist server ris did not answer: nothing listens at 10.1.2.9:104.",
        ok=False,
        action=f"{AGAIN}: check the program there, host and port.",
        code="unreachable",
    ),
]


def _asked(box: Box, page: Page, lines: list[dict[str, Any]], *, ended: bool = True) -> None:
    as_administrator(box, page)
    said_of_forward(box)
    box.spool.requests.ask(REQUEST, {"lan": None}, deadline_s=600)
    request = box.spool.requests.begin(REQUEST)
    assert request
    answer = {"at": _AT, "lines": lines, "early": False}
    (box.spool.requests.done if ended else box.spool.requests.progress)(request, answer)


def _running(box: Box, page: Page) -> None:
    _asked(box, page, _FINE[:4], ended=False)


def _gone(box: Box, page: Page) -> None:
    _running(box, page)
    (box.settings.station.runtime_dir / "forward.json").unlink()


def _well(box: Box, page: Page) -> None:
    _asked(box, page, _FINE)


def _wrong(box: Box, page: Page) -> None:
    _asked(box, page, [*(line for line in _FINE if line["what"] != "worklist ris"), *_WRONG])


at("connections", "/service/connections", as_administrator)
at("connections_running", "/service/connections", _running)
at("connections_gone", "/service/connections", _gone)
at("connections_well", "/service/connections", _well)
at("connections_wrong", "/service/connections", _wrong)
