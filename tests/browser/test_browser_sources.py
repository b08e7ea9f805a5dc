"""Several sources: one is large, the others are small beside it, and a touch changes that on the same screen."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SIZES, Box, open_first_patient, until

pytestmark = pytest.mark.parametrize("size", [SIZES["front"]])  # what it does is the same on the large screen
WIDTH = "one => one.width"
PAINTED = """one => {
  const shown = one.getContext('2d').getImageData(0, 0, one.width, one.height).data;
  return shown.some((value, place) => place % 4 !== 3 && value > 40);
}"""


def test_a_touch_on_a_small_picture_makes_it_the_large_one_and_captures_are_of_it(page: Page, box: Box) -> None:
    box.connect("endoscope", "room")
    exam = open_first_patient(page, box)
    tiles = page.locator("#sources button")
    expect(tiles.locator("bdi")).to_have_text(["endoscope", "room"])
    until(lambda: all(tile.locator("canvas").evaluate(PAINTED) for tile in tiles.all()))
    assert page.locator("#picture").evaluate(WIDTH) == 480, "the first source has the large picture"
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")
    page.evaluate("window.sameDocument = true")
    tiles.first.tap()
    expect(tiles.locator("bdi")).to_have_text(["ultrasound", "room"])
    expect(page.locator("#which")).to_have_text("endoscope")
    until(lambda: page.locator("#picture").evaluate(WIDTH) == 240)
    page.wait_for_selector("body[data-live=on]")
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("2 images")
    assert [one.capture.source for one in box.spool.captures.of_exam(exam)] == ["ultrasound", "endoscope"]
    assert page.evaluate("window.sameDocument"), "the page was not left: the exam's keys were there all the time"
    page.reload()
    expect(page.locator("#which")).to_have_text("endoscope")


def test_a_source_without_a_picture_says_so_and_is_not_live_when_it_is_large(page: Page, box: Box) -> None:
    box.connect("endoscope")
    open_first_patient(page, box)
    tile = page.locator("#sources button")
    expect(tile).to_have_attribute("data-state", "on")
    box.capture.lost.add("endoscope")
    expect(tile.locator("b")).to_have_text("No picture")
    tile.tap()
    expect(page.locator("#over")).to_contain_text("VID-04")
    page.locator("#capture").tap(force=True)
    expect(page.locator("#said")).to_contain_text("NOT stored")
    expect(page.locator("#tally")).to_have_text("0 images")
    box.capture.lost.clear()
    page.wait_for_selector("body[data-live=on]")


def test_a_small_picture_that_is_not_renewed_is_marked_until_it_is(page: Page, box: Box) -> None:
    box.connect("endoscope")
    open_first_patient(page, box)
    tile = page.locator("#sources button")
    expect(tile).to_have_attribute("data-state", "on")
    box.capture.script.frozen.set()
    expect(tile.locator("b")).to_have_text("Picture stopped")
    expect(tile).to_have_attribute("data-state", "off")
    box.capture.script.frozen.clear()
    expect(tile).to_have_attribute("data-state", "on")
    expect(tile.locator("b")).to_be_empty()


def test_a_clip_goes_on_while_another_source_is_looked_at_and_the_screen_says_of_which_it_is(
    page: Page, box: Box
) -> None:
    box.connect("endoscope")
    exam = open_first_patient(page, box)
    page.locator("#clip").tap()
    expect(page.locator("#stage")).to_have_class("stage recording")
    page.locator("#sources button").tap()
    expect(page.locator("#sources button")).to_contain_text("ultrasoundREC")
    expect(page.locator("#stage")).to_have_class("stage")
    expect(page.locator("#rec")).to_contain_text("REC ultrasound:")
    expect(page.locator("#clip-word")).to_have_text("Stop clip")
    page.locator("#clip").tap()
    expect(page.locator("#tally")).to_have_text("1 clip")
    assert [one.capture.source for one in box.spool.captures.of_exam(exam)] == ["ultrasound"]
