"""What is carried out at the second touch: shown while it is waited for, and never by accident."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import SIZES, Box, ready
from tests.browser.every_screen import show

pytestmark = pytest.mark.parametrize("size", [SIZES["front"]])  # what it does is the same on the large screen


@pytest.fixture
def key(page: Page, box: Box) -> Locator:
    """The key "Remove" after its first touch."""
    show("picture_sure", box, page)
    sure = page.locator("[data-sure]")
    expect(sure).to_have_text("Touch again to remove")
    return sure


def is_removed(box: Box) -> bool:
    exam = box.open_exam()
    return any(each.capture.state == "rejected" for each in box.spool.captures.of_exam(exam.id))


def middle(key: Locator) -> tuple[float, float]:
    place = key.bounding_box()
    assert place
    return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


def test_two_touches_of_one_movement_remove_nothing(page: Page, box: Box) -> None:
    show("picture", box, page)
    key = page.locator("[data-sure]")
    spot = middle(key)
    page.touchscreen.tap(*spot)
    page.touchscreen.tap(*spot)
    expect(key).to_have_text("Touch again to remove")
    ready(page)
    assert not is_removed(box)
    key.tap()
    expect(page.get_by_role("button", name="Bring back")).to_be_visible()


def test_a_bar_shrinks_while_the_second_touch_is_waited_for_and_then_the_key_is_as_before(
    page: Page, box: Box
) -> None:
    page.clock.install(time=datetime(2026, 11, 21, 13, tzinfo=UTC))
    show("picture", box, page)
    page.clock.pause_at(datetime(2026, 11, 21, 14, tzinfo=UTC))
    key = page.locator("[data-sure]")
    spot = middle(key)
    page.touchscreen.tap(*spot)
    expect(key).to_have_text("Touch again to remove")
    wide = width_of_bar(key)
    page.clock.run_for(6000)
    assert 0 < width_of_bar(key) < wide / 2
    page.clock.run_for(3000)
    expect(key).to_have_text("Remove")
    expect(key.locator(".sure-left")).to_have_count(0)
    page.touchscreen.tap(*spot)  # too late: this is a first one
    expect(key).to_have_text("Touch again to remove")
    assert not is_removed(box)


def width_of_bar(key: Locator) -> float:
    return float(key.locator(".sure-left").evaluate("one => one.getBoundingClientRect().width"))


def test_a_touch_anywhere_else_takes_the_first_one_back(page: Page, box: Box, key: Locator) -> None:
    ready(page)
    page.locator(".stage").tap()
    expect(key).to_have_text("Remove")
    assert not is_removed(box)


def test_news_of_the_box_do_not_take_the_second_touch_away(page: Page, box: Box) -> None:
    show("exam_of_before", box, page)
    opens = page.locator("[data-sure]")
    opens.tap()
    expect(opens).to_have_text("Touch again to open it")
    ready(page)
    with page.expect_response(lambda answer: "/exam/" in answer.url and answer.request.method == "GET"):
        page.evaluate("wanted.add('exam'); refresh()")
    expect(opens).to_have_text("Touch again to open it")
    opens.tap()
    page.wait_for_url("**/live/*")
