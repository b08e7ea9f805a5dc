"""The list of every screen: how the box comes into each, and how a browser gets there."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from tests.browser.conftest import Box

Made = Callable[[Box], str]
SCREENS: dict[str, Made] = {}
BEFORE: dict[str, Callable[[Box, Page], None]] = {}  # what a person did in this browser
AFTER: dict[str, Callable[[Page], Any]] = {}  # what a person does there


def screen(make: Made) -> Made:
    SCREENS[make.__name__] = make
    return make


def show(name: str, box: Box, page: Page) -> str:
    """Bring the box into a state and the page to its screen; return the address."""
    address = SCREENS[name](box)
    if before := BEFORE.get(name):
        before(box, page)
    look(name, address, box, page)
    return address


def look(name: str, address: str, box: Box, page: Page) -> None:
    """Go to a screen whose state the box is in, and wait until it stands still."""
    page.goto(f"{box.address}{address}")
    page.wait_for_selector("body.ready")
    if "/live/" in page.url:
        page.wait_for_selector(f"body[data-live={'on' if box.capture.script.signal == 'live' else 'off'}]")
    if after := AFTER.get(name):
        after(page)
        page.wait_for_function("() => !document.querySelector(':active')")  # a touched key is drawn pressed in


def at(name: str, address: str, before: Callable[[Box, Page], None] | None = None) -> None:
    def make(box: Box) -> str:
        del box
        return address

    make.__name__ = name
    screen(make)
    if before:
        BEFORE[name] = before
