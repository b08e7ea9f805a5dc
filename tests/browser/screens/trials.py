"""Another system that is tried: what it answers."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route

from tests.browser.conftest import Box

LINES = {
    "good": [
        {"part": "answers", "ok": True, "what": "It answers.", "action": "", "code": ""},
        {
            "part": "kinds",
            "ok": True,
            "what": "It takes what this box makes: stills and clips.",
            "action": "",
            "code": "",
        },
    ],
    "untrusted": [
        {
            "part": "answers",
            "ok": False,
            "what": "The audit repository audit.klinik.example closed the connection before anything was sent.",
            "action": "It is tried again by itself. If it lasts, call IT: check that audit.klinik.example trusts "
            "the certificate of this box.",
            "code": "dropped",
        },
    ],
    "bad": [
        {"part": "answers", "ok": True, "what": "It answers.", "action": "", "code": ""},
        {
            "part": "kinds",
            "ok": False,
            "what": "It does not take clips.",
            "action": "Call IT: the archive must be set to take them, or another format be chosen here.",
            "code": "no-context",
        },
        {
            "part": "commitment",
            "ok": True,
            "what": "It takes the question whether it keeps pictures (storage commitment).",
            "action": "",
            "code": "",
        },
        {
            "part": "way-back",
            "ok": False,
            "what": "It took the question, and its answer did not come back within 20 seconds.",
            "action": "Call IT: the archive must know SCOPEGATE with this box's address and port 11112. "
            "Some archives answer later; then test again.",
            "code": "no-way-back",
        },
    ],
}


def tried(lines: list[dict[str, Any]]) -> Callable[[Box, Page], None]:
    """Let whatever is tried end with these lines, in the words of the page's language."""

    def answered(box: Box, page: Page) -> None:
        def begun(route: Route) -> None:
            answer = route.fetch()
            asked = box.spool.requests.begin("trial")
            assert asked is not None
            box.spool.requests.done(asked, {"lines": lines})
            route.fulfill(response=answer)

        page.route(f"{box.address}/api/v1/trials", begun)

    return answered


def until_tried(page: Page) -> None:
    page.locator("#setup-retry:not([disabled])").wait_for()
