"""Who may use the box: the first administrator, signing in, the people of the box."""

from typing import Any

from playwright.sync_api import Page

from tests.browser.conftest import Box
from tests.browser.screens.registry import AFTER, at

PIN = "402918"


def ask(box: Box, page: Page, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the API from this browser, whose cookies go along."""
    answer = page.request.post(f"{box.address}/api/v1{path}", data=body)
    assert answer.ok, answer.text()
    found: dict[str, Any] = answer.json()
    return found


def as_administrator(box: Box, page: Page, *others: tuple[str, str]) -> None:
    made = ask(box, page, "/people/first", {"name": "Dr. Huber", "pin": PIN})
    ask(box, page, "/people/recovery/confirm", {"last": made["recovery_code"][-4:]})
    for name, role in others:
        ask(box, page, "/people", {"name": name, "role": role, "pin": PIN})


def _signed_out(box: Box, page: Page, *others: tuple[str, str]) -> None:
    as_administrator(box, page, *others)
    ask(box, page, "/session/end", {})


def _unreadable(box: Box, page: Page) -> None:
    del page
    (box.settings.station.data_dir / "people.json").write_text("{")
    box.configure()  # a panel that begins with it


_MANY = [
    ("Rossi", "technician"),
    ("Wolfeschlegelsteinhausenbergerdo", "reviewer"),
    ("王小东", "service"),
    ("Technik Röntgen", "technician"),
    ("Meier", "administrator"),
]
at("first_administrator", "/first?name=Chris")
at("first_administrator_name", "/first/name")
at("sign_in", "/people", _signed_out)
at("sign_in_several", "/sign-in", lambda box, page: _signed_out(box, page, *_MANY))
at("sign_in_unreadable", "/people", _unreadable)
at("recover", "/recover", _signed_out)
at("people", "/people", lambda box, page: as_administrator(box, page, *_MANY))
at(
    "people_without_code",
    "/people",
    lambda box, page: (as_administrator(box, page), ask(box, page, "/people/recovery/renew", {})),
)
at("person_name", "/people/name", as_administrator)
at("person_add", "/people/add?name=Rossi", as_administrator)
at("person", "/people", lambda box, page: as_administrator(box, page, *_MANY))
at("own_pin", "/pin", as_administrator)
at("recovery_code", "/people/code", as_administrator)
at("recovery_code_confirm", "/people/code", as_administrator)
at("more_signed_in", "/more", as_administrator)


def _look_at_code(page: Page) -> None:
    page.locator("#entry [type=submit]").tap()
    page.locator("#code-shown").wait_for()


def _type_code(page: Page) -> None:
    _look_at_code(page)
    page.locator("#code-written").tap()


def _first_person(page: Page) -> None:
    page.locator(".row.person").nth(1).tap()
    page.wait_for_url("**/people/*")
    page.wait_for_selector("body.ready")


AFTER["recovery_code"] = _look_at_code
AFTER["recovery_code_confirm"] = _type_code
AFTER["person"] = _first_person
