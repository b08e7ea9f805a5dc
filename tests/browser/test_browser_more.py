"""What the screen does besides exams: names hidden from passers-by, no touch while it is wiped, its language."""

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SIZES, Box, ready
from tests.browser.every_screen import show
from tests.browser.screens.states import LONG, exam


def test_after_an_exam_the_list_shows_no_names_until_somebody_touches_it(page: Page, box: Box) -> None:
    show("choose_covered", box, page)
    row = page.locator(".row").first
    expect(row).to_contain_text("M. A.")
    expect(page.get_by_text("Touch to show names")).to_be_visible()
    expect(page.get_by_text("MEIER, Anna")).to_be_hidden()
    expect(page.get_by_text("4711-0815")).to_be_hidden()
    row.tap()
    expect(page.get_by_text("MEIER, Anna")).to_be_visible()
    expect(page.get_by_text("Touch to show names")).to_be_hidden()
    assert "/confirm" not in page.url  # this touch chose nobody
    row.tap()
    page.wait_for_url("**/confirm?**")


_PLACES = """() => [...document.querySelectorAll('#list .row, #list .row-strip')].map((one) => {
  const { y, bottom } = one.getBoundingClientRect();
  return [y, bottom];
})"""


def test_rows_stay_where_they_are_when_their_names_are_shown(page: Page, box: Box) -> None:
    items = box.spool.worklist.items()
    long = replace(items[0], id="long", patient=replace(items[0].patient, name=LONG, id="4711-" + "9" * 40))
    box.spool.worklist.replace("ris", [long, *items])
    show("choose_covered_while_open", box, page)
    strip = page.locator(".row-strip")
    expect(strip).to_contain_text("W. M. is still open")
    expect(page.get_by_text("Maria-Theresia").first).to_be_hidden()
    covered = page.evaluate(_PLACES)
    page.locator(".row").first.tap()
    expect(page.get_by_text("Maria-Theresia").first).to_be_visible()
    assert len(covered) == 8
    page.wait_for_function("() => !document.querySelector('.row:active')")  # it stays pressed a moment
    assert page.evaluate(_PLACES) == covered


def test_a_key_beside_the_covered_list_does_what_it_says_at_the_first_touch(page: Page, box: Box) -> None:
    show("choose_covered", box, page)
    page.get_by_role("button", name="Start without patient").tap()
    page.wait_for_url("**/live/*")


def test_a_list_that_nobody_touches_for_half_a_minute_covers_its_names(page: Page, box: Box) -> None:
    page.clock.install()
    page.goto(box.address)
    page.clock.run_for(1000)
    expect(page.get_by_text("MEIER, Anna")).to_be_visible()
    page.clock.run_for(31_000)
    expect(page.get_by_text("MEIER, Anna")).to_be_hidden()


def test_while_the_screen_is_wiped_no_touch_counts_and_the_pedal_works(page: Page, box: Box) -> None:
    opened = exam(box, 1)
    page.clock.install()
    page.goto(f"{box.address}/more")
    page.clock.run_for(400)
    page.locator("#clean-key").tap()
    expect(page.locator("#clean")).to_be_visible()
    for spot in ((100, 100), (400, 300), (page.viewport_size["width"] - 40, page.viewport_size["height"] - 40)):
        page.touchscreen.tap(*spot)
    page.keyboard.press("Enter")
    assert page.url.endswith("/more")
    box.capture.store(opened, frame=(7 << 32) + 1)
    assert len(box.spool.captures.of_exam(opened.id)) == 2
    page.clock.run_for(31_000)
    expect(page.locator("#clean")).to_be_hidden()
    page.get_by_role("link", name="Back to live").tap()
    page.wait_for_url("**/live/*")


def test_the_language_is_chosen_with_one_touch_and_stays(page: Page, box: Box) -> None:
    page.goto(f"{box.address}/language")
    ready(page)
    page.get_by_role("button", name="Deutsch").tap()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.goto(box.address)
    expect(page.locator("h1")).to_have_text("Patient wählen")


def test_a_bright_screen_is_chosen_in_more_without_a_pin_and_stays(page: Page, box: Box) -> None:
    page.goto(f"{box.address}/more")
    ready(page)
    page.get_by_role("button", name="Bright screen").tap()
    page.get_by_role("button", name="Dark screen").wait_for()
    page.goto(f"{box.address}/")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_standby_shows_the_time_and_nobody_s_name(page: Page, box: Box) -> None:
    opened = exam(box, 1)
    show("standby", box, page)
    expect(page.locator("body")).not_to_contain_text("MEIER")
    page.locator(".wake").tap()
    page.wait_for_url(f"{box.address}/live/{opened.id}")  # it goes on where it was


def test_a_list_with_nobody_on_it_hides_nothing_and_offers_to_show_nothing(page: Page, box: Box) -> None:
    box.spool.worklist.replace("ris", [])
    show("choose_covered", box, page)
    expect(page.locator("#list .empty")).to_be_visible()
    expect(page.get_by_text("Touch to show names")).to_be_hidden()


def test_a_date_and_an_id_stay_in_one_line_of_their_row(page: Page, box: Box) -> None:
    box.spool.worklist.replace(
        "ris",
        [
            replace(each, patient=replace(each.patient, id="DEMO-20261127-0001"))
            for each in box.spool.worklist.items()
        ],
    )
    page.goto(box.address)
    ready(page)
    page.evaluate("() => document.querySelector('#list').style.width = '400px'")
    lines = "all => all.map((one) => one.getClientRects().length)"
    found = page.locator(".row .facts b").evaluate_all(lines)
    assert len(found) > 10
    assert set(found) == {1}


@pytest.mark.parametrize("size", [SIZES["front"]])
def test_a_sign_of_three_lines_leaves_the_bar_as_high_as_one_of_one(page: Page, box: Box) -> None:
    page.goto(box.address)
    ready(page)
    height = "() => document.querySelector('.bar').offsetHeight"
    before = page.evaluate(height)
    sign = page.locator("#badge")
    sign.evaluate("one => { one.style.display = 'block'; one.innerHTML = 'one<br>two<br>three'; }")
    assert sign.evaluate("one => one.scrollHeight - one.clientHeight") == 0
    assert page.evaluate(height) == before
