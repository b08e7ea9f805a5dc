"""The exams on this box, and a clip that is played."""

from playwright.sync_api import Page

from tests.browser.conftest import Box
from tests.browser.screens.registry import AFTER, screen
from tests.browser.screens.states import LONG, exam, said_of_forward, sealed


@screen
def archive(box: Box) -> str:
    for name in ("Meier^Anna", LONG, "Okonkwo^Chidi"):
        sealed(box, 2, name)
    said_of_forward(box)
    return "/archive"


@screen
def archive_nothing(box: Box) -> str:
    del box
    return "/archive"


@screen
def archive_find(box: Box) -> str:
    del box
    return "/archive/find"


@screen
def archive_found(box: Box) -> str:
    sealed(box, 2, "Meier^Anna")
    return "/archive/find"


@screen
def play(box: Box) -> str:
    opened = exam(box)
    uid = box.capture._call_clip_start({"exam": opened.id, "request": None, "source": "ultrasound"})["clip"]
    box.capture._call_clip_stop({"clip": uid})
    return f"/play/{uid}"


def _find(page: Page) -> None:
    page.fill("[name=text]", LONG.partition("^")[0])
    page.press("[name=text]", "Enter")
    page.wait_for_url("**/archive")


AFTER["archive_found"] = _find
AFTER["play"] = lambda page: page.wait_for_selector("#frames[data-drawn='5']")
