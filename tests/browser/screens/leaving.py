"""What leaves the box, what waits and why."""

from playwright.sync_api import Page

from tests.browser.conftest import Box
from tests.browser.screens.registry import AFTER, screen
from tests.browser.screens.states import LONG, away, exam, refused, said_of_forward, sealed, set_deliveries


@screen
def delivery(box: Box) -> str:
    for name in ("Meier^Anna", "Okonkwo^Chidi", LONG):
        box.spool.exams.finish(exam(box, 2, name=name).id)
    return "/delivery"


@screen
def delivery_nothing(box: Box) -> str:
    del box
    return "/delivery"


@screen
def delivery_away(box: Box) -> str:
    sealed(box)
    away(box, 20)
    return "/delivery"


@screen
def delivery_asked(box: Box) -> str:
    return delivery_away(box)


def _ask(page: Page) -> None:
    page.locator("[data-answer]").tap()
    page.wait_for_selector("#answer:not([hidden])")


AFTER["delivery_asked"] = _ask


@screen
def delivery_away_for_hours(box: Box) -> str:
    sealed(box)
    away(box, 200)
    return "/delivery"


@screen
def delivery_refused(box: Box) -> str:
    refused(box)
    return "/delivery"


@screen
def delivery_not_confirmed(box: Box) -> str:
    sealed(box)
    what = "The archive pacs took the pictures but does not confirm that it keeps them."
    action = "It is asked again by itself. Call IT: can the archive reach this box to report?"
    proof = {"state": "silent", "code": "commitment-silent", "what": what, "action": action}
    said_of_forward(box, destinations=[{"name": "pacs", "state": "ok", "proof": proof}])
    for name in ("pacs", "backup"):
        set_deliveries(box, name, state="sent", attempts=1)
    return "/delivery"


@screen
def details_refused(box: Box) -> str:
    return f"/delivery/{refused(box).id}"


@screen
def details_kept(box: Box) -> str:
    opened = refused(box)
    box.spool.exams.keep(opened.id, keep=True)
    return f"/delivery/{opened.id}"


@screen
def details_away(box: Box) -> str:
    opened = sealed(box, 12, name=LONG)
    away(box, 20)
    return f"/delivery/{opened.id}"


@screen
def details_nothing(box: Box) -> str:
    opened = exam(box, 1)
    box.spool.exams.finish(opened.id)
    return f"/delivery/{opened.id}"
