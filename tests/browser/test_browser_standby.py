"""The dark screen of the box: it comes by itself, and everything lights it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Box

pytestmark = [
    pytest.mark.parametrize("looks", [{"kiosk": True}], ids=["kiosk"]),
    pytest.mark.parametrize("size", ["front"], indirect=True),
]


@pytest.fixture
def dark(page: Page, box: Box) -> Page:
    """Standby, a minute later."""
    page.clock.install()
    page.goto(f"{box.address}/standby")
    page.wait_for_selector("body.standby")
    page.clock.run_for(62_000)
    expect(page.locator("body")).to_have_class("standby ready dark")
    return page


def test_the_first_touch_only_lights_the_screen(dark: Page) -> None:
    dark.touchscreen.tap(400, 240)
    expect(dark.locator("body.dark")).to_have_count(0)
    assert dark.url.endswith("/standby")
    dark.touchscreen.tap(400, 240)
    dark.wait_for_url(lambda url: not url.endswith("/standby"))


def test_a_scan_lights_the_screen(dark: Page) -> None:
    dark.keyboard.press("4")
    expect(dark.locator("body.dark")).to_have_count(0)


def test_a_press_of_the_pedal_lights_the_screen(dark: Page) -> None:
    for number in (1, 2):
        dark.evaluate(
            "n => dispatchEvent(new CustomEvent('box-source', { detail: { last: { number: n } } }))", number
        )
    expect(dark.locator("body.dark")).to_have_count(0)


def test_the_list_goes_to_standby_when_nobody_touches_it_and_no_exam_is_open(page: Page, box: Box) -> None:
    page.clock.install()
    page.goto(box.address)
    page.wait_for_selector("body.choose")
    page.clock.run_for(602_000)
    page.wait_for_url("**/standby")
