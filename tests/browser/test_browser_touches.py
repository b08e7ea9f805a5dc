"""How many touches each task of the day takes, counted on the glass; and an exam without any, by keyboard alone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from gateway.model import ExamState, Side
from tests.browser.conftest import SIZES, Box, open_first_patient, ready
from tests.browser.screens.states import away, sealed

pytestmark = pytest.mark.parametrize("size", [SIZES["front"]])
Count = Callable[[], int]


@pytest.fixture
def touches(page: Page) -> Count:
    """Return how often the glass was touched since the last time it was asked."""
    counted: list[None] = []
    page.expose_binding("countTouch", lambda _: counted.append(None))
    page.add_init_script("addEventListener('pointerdown', () => countTouch(), true)")

    def since() -> int:
        number = len(counted)
        counted.clear()
        return number

    return since


def touch(page: Page, what: Locator, leads_to: str = "") -> None:
    ready(page)
    what.tap()
    if leads_to:
        page.wait_for_url(leads_to)


def live_of(page: Page) -> None:
    page.wait_for_url("**/live/*")
    page.wait_for_selector("body[data-live=on].ready")


@pytest.mark.parametrize("stills", [1, 4])
def test_an_exam_from_the_list_takes_four_touches_and_one_a_still(
    page: Page, box: Box, touches: Count, stills: int
) -> None:
    page.goto(box.address)
    touch(page, page.locator(".row").first, "**/confirm?**")
    touch(page, page.get_by_role("button", name="Yes, start exam"))
    live_of(page)
    for number in range(1, stills + 1):
        page.locator("#capture").tap()
        expect(page.locator("#said")).to_have_text(f"✓ Picture {number} stored")
    touch(page, page.locator("#finish"), "**/finish/*")
    touch(page, page.get_by_role("button", name="Finish and send"), "**/exam/*")
    assert touches() == 4 + stills
    (exam,) = box.spool.exams.list()
    assert exam.state is ExamState.FINISHED
    assert len(box.spool.captures.of_exam(exam.id)) == stills


def test_without_patient_two_touches_bring_the_first_still(page: Page, box: Box, touches: Count) -> None:
    page.goto(box.address)
    touch(page, page.get_by_role("button", name="Start without patient"))
    live_of(page)
    page.locator("#capture").tap()
    expect(page.locator("#said")).to_have_text("✓ Picture 1 stored")
    assert touches() == 2


def test_a_clip_takes_a_touch_to_start_and_one_to_stop_and_a_side_takes_one(
    page: Page, box: Box, touches: Count
) -> None:
    exam = open_first_patient(page, box)
    touches()
    page.locator("#clip").tap()
    expect(page.locator("#rec")).to_be_visible()
    assert touches() == 1
    page.locator("#clip").tap()
    expect(page.locator("#tally")).to_have_text("1 clip")
    assert touches() == 1
    page.locator("[data-side=L]").tap()
    expect(page.locator("[data-side=L]")).to_have_attribute("aria-pressed", "true")
    assert touches() == 1
    assert box.spool.exams.get(exam).side is Side.LEFT


def test_a_picture_is_removed_with_three_touches_of_which_none_is_the_same(
    page: Page, box: Box, touches: Count
) -> None:
    exam = open_first_patient(page, box)
    page.locator("#capture").tap()
    expect(page.locator("#said")).to_have_text("✓ Picture 1 stored")
    touches()
    touch(page, page.locator("#thumbs a").first, "**/picture/*")
    touch(page, page.get_by_role("button", name="Remove"))
    touch(page, page.get_by_role("button", name="Touch again to remove"))
    expect(page.get_by_role("button", name="Bring back")).to_be_visible()
    assert touches() == 3
    assert box.spool.captures.of_exam(exam)[0].capture.state == "rejected"


def test_from_one_patient_to_the_next_it_takes_four_touches_and_one_that_shows_the_names(
    page: Page, box: Box, touches: Count
) -> None:
    first = open_first_patient(page, box)
    page.locator("#capture").tap()
    expect(page.locator("#said")).to_have_text("✓ Picture 1 stored")
    touches()
    touch(page, page.locator("#finish"), "**/finish/*")
    touch(page, page.get_by_role("button", name="Finish and send"), "**/exam/*")
    page.wait_for_url(lambda url: "/exam/" not in url, timeout=30_000)  # the list comes by itself
    row = page.locator(".row").nth(2)
    touch(page, row)  # names are covered after an exam: this touch chooses nobody
    expect(page.get_by_text("OKONKWO, Chidi")).to_be_visible()
    touch(page, row, "**/confirm?**")
    touch(page, page.get_by_role("button", name="Yes, start exam"))
    live_of(page)
    assert touches() == 5
    assert box.spool.exams.get(first).state is not ExamState.OPEN


def test_why_something_was_not_sent_takes_one_touch(page: Page, box: Box, touches: Count) -> None:
    sealed(box)
    away(box, 20)
    page.goto(box.address)
    touch(page, page.locator("#badge"), "**/delivery")
    expect(page.locator("#list .strip")).to_contain_text("NET-02")
    assert touches() == 1


# --- by keyboard alone -----------------------------------------------------------------------------------------

_FOCUSED = """(one) => {
  if (document.activeElement !== one) return '';
  const style = getComputedStyle(one);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 ? 'seen' : 'unseen';
}"""


def go_to(page: Page, what: Locator) -> None:
    """Press Tab until this has the focus, and everybody can see that it has."""
    ready(page)
    what.wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if found := what.evaluate(_FOCUSED):
            assert found == "seen", f"nobody sees that the focus is on {what}"
            return
    raise AssertionError(f"Tab never comes to {what}")


def test_a_whole_exam_is_made_by_keyboard_alone_and_the_focus_is_seen_in_each_step(
    page: Page, box: Box, touches: Count
) -> None:
    page.goto(box.address)
    go_to(page, page.locator(".row").first)
    page.keyboard.press("Enter")
    page.wait_for_url("**/confirm?**")
    go_to(page, page.get_by_role("button", name="Yes, start exam"))
    page.keyboard.press("Enter")
    live_of(page)
    page.keyboard.press("Space")
    expect(page.locator("#said")).to_have_text("✓ Picture 1 stored")
    go_to(page, page.locator("#capture"))
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("✓ Picture 2 stored")
    go_to(page, page.locator("[data-side=L]"))
    page.keyboard.press("Space")
    expect(page.locator("[data-side=L]")).to_have_attribute("aria-pressed", "true")
    go_to(page, page.locator("#clip"))
    page.keyboard.press("Enter")
    expect(page.locator("#clip-word")).to_have_text("Stop clip")
    page.keyboard.press("Enter")
    expect(page.locator("#tally")).to_have_text("2 images · 1 clip")
    go_to(page, page.locator("#thumbs a").last)
    page.keyboard.press("Enter")
    page.wait_for_url("**/picture/*")
    go_to(page, page.get_by_role("button", name="Remove"))
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Bring back")).to_be_visible()
    go_to(page, page.get_by_role("link", name="Back to live"))
    page.keyboard.press("Enter")
    live_of(page)
    go_to(page, page.locator("#finish"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/finish/*")
    go_to(page, page.get_by_role("button", name="Finish and send"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/exam/*")
    (exam,) = box.spool.exams.list()
    states = [each.capture.state for each in box.spool.captures.of_exam(exam.id)]
    assert sorted(states) == ["rejected", "saved", "saved"]
    assert touches() == 0
