"""Every control can be seen and hit, on both screens, however much there is to show."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from gateway.model import Identity, Patient
from gateway.spool.subjects import Subject
from tests.browser.conftest import Box, ready
from tests.browser.every_screen import show
from tests.browser.screens.states import LONG
from tests.unit.panel.fake_capture import START

MM = {800: 5.2, 1280: 5.9}  # px a millimetre on the two screens
TARGETS = "a[href], button, input:not([type=radio], [type=hidden]), .choice"
_MEASURE = """(selector) => [...document.querySelectorAll(selector)].filter((e) => e.offsetParent).map((one) => {
  const box = one.getBoundingClientRect();
  const scroller = one.closest('.rows, .contact, .fields');
  const least = one.matches('.keyboard button') ? 60 : 64; // px: of letters there are many
  return { least, what: one.textContent.trim().slice(0, 30) || one.name, id: one.id,
           x: box.x, y: box.y, right: box.right, bottom: box.bottom, width: box.width, height: box.height,
           scrolls: Boolean(scroller) };
})"""


def measured(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(_MEASURE, TARGETS)
    assert found
    return found


def check(page: Page) -> None:
    """Assert that every control is large enough and on the screen; those in a scrolled list, within its width."""
    width, height = page.viewport_size["width"], page.viewport_size["height"]
    for one in measured(page):
        assert one["width"] >= one["least"], one
        assert one["height"] >= one["least"], one
        assert one["x"] >= 0, one
        assert one["right"] <= width + 0.5, one
        if not one["scrolls"]:
            assert one["y"] >= 0, one
            assert one["bottom"] <= height + 0.5, one
    overflow = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert overflow[0] <= width
    assert overflow[1] <= height
    for strip in page.locator(".strip:visible").all():
        place = strip.bounding_box()
        assert place
        assert place["y"] + place["height"] <= height


def exam_with(box: Box, pictures: int, name: str = "Meier^Anna") -> str:
    subject = Subject(
        identity=Identity.TYPED, patient=Patient(name=name, id="4711-0815", birth_date="19680314", sex="F")
    )
    exam, _ = box.spool.exams.open(subject)
    for _ in range(pictures):
        box.capture.store(exam, frame=START + 1)
    return exam.id


@pytest.mark.parametrize(("pictures", "name"), [(0, LONG), (1, "Meier^Anna"), (60, LONG)])
def test_live_and_finish_keep_their_keys_on_the_screen(page: Page, box: Box, pictures: int, name: str) -> None:
    exam = exam_with(box, pictures, name)
    page.goto(f"{box.address}/live/{exam}")
    ready(page)
    page.wait_for_selector("body[data-live=on]")
    check(page)
    millimetre = MM[page.viewport_size["width"]]
    for key, least in (("#capture", 20), ("#clip", 15), ("#finish", 15)):
        place = page.locator(key).bounding_box()
        assert place
        assert min(place["width"], place["height"]) >= least * millimetre - 0.5, key
    assert page.locator("#thumbs li").count() <= 12
    page.goto(f"{box.address}/finish/{exam}")
    ready(page)
    check(page)
    box.spool.exams.finish(exam)
    page.goto(f"{box.address}/exam/{exam}")
    ready(page)
    check(page)


def test_the_other_screens_keep_their_keys_on_the_screen(page: Page, box: Box) -> None:
    exam = exam_with(box, 2)
    (first, _) = box.spool.captures.of_exam(exam)
    item = f"confirm?item={box.spool.worklist.items()[0].id}"
    for path in (
        "",
        item,
        "confirm?item=item-4",
        "type",
        "delivery",
        f"picture/{first.capture.sop_instance_uid}",
        "confirm",
    ):
        page.goto(f"{box.address}/{path}")
        ready(page)
        check(page)


def test_a_screen_without_worklist_says_what_to_do(page: Page, box: Box) -> None:
    box.spool.worklist.replace("ris", [])
    page.goto(box.address)
    expect(page.locator(".empty")).to_contain_text("Type the patient, or start without patient.")
    check(page)


def test_an_unknown_exam_is_a_screen_with_a_way_out(page: Page, box: Box) -> None:
    page.goto(f"{box.address}/exam/0000000000")
    expect(page.locator("main .strip.bad")).to_contain_text("There is no such exam.")
    check(page)


@pytest.mark.parametrize("looks", [{"buttons": "left"}])
def test_keys_on_the_left_are_left_of_the_picture(page: Page, box: Box) -> None:
    show("live", box, page)
    key, picture = page.locator("#capture").bounding_box(), page.locator("#stage").bounding_box()
    assert key
    assert picture
    assert key["x"] + key["width"] <= picture["x"]


@pytest.mark.parametrize("looks", [{"screen_mm": 100}])
@pytest.mark.parametrize("size", ["front"], indirect=True)
def test_a_key_has_its_size_in_millimetres_of_the_screen_that_is_configured(page: Page, box: Box) -> None:
    show("live", box, page)
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--mm')") == "8px"
    key = page.locator("#capture").bounding_box()
    assert key
    assert key["height"] >= 20 * 8


_STICKS_OUT = """() => {
  const wrong = [];
  for (const row of document.querySelectorAll('.setup-row, .service-part')) {
    const box = row.getBoundingClientRect();
    const parts = [...row.children].map((one) => ({ one, at: one.getBoundingClientRect() }));
    for (const one of row.querySelectorAll('*')) {
      const at = one.getBoundingClientRect();
      if (at.top < box.top || at.bottom > box.bottom || at.left < box.left || at.right > box.right)
        wrong.push(`${one.textContent} sticks out`);
    }
    parts.forEach((a, n) => parts.slice(n + 1).forEach((b) => {
      const across = Math.min(a.at.right, b.at.right) - Math.max(a.at.left, b.at.left);
      const down = Math.min(a.at.bottom, b.at.bottom) - Math.max(a.at.top, b.at.top);
      if (across > 1 && down > 1)
        wrong.push(`${a.one.textContent} lies on ${b.one.textContent}`);
    }));
  }
  return wrong;
}"""


@pytest.mark.parametrize(
    "name", ["setup_summary", "setup_summary_test_picture", "setup_summary_much", "service_troubled"]
)
def test_what_a_row_says_stays_in_it_and_nothing_lies_on_another(page: Page, box: Box, name: str) -> None:
    show(name, box, page)
    assert page.locator(".setup-row, .service-part").count() > 3
    assert page.evaluate(_STICKS_OUT) == []


@pytest.mark.parametrize("size", ["front"], indirect=True)
@pytest.mark.parametrize("name", ["settings_station", "service_troubled", "setup_summary_much"])
def test_a_list_that_goes_on_below_says_so_until_its_end_is_seen(page: Page, box: Box, name: str) -> None:
    show(name, box, page)
    page.set_viewport_size({"width": 800, "height": 400})
    listed = page.locator("[data-more]")
    expect(listed).to_have_class(re.compile("cut"))
    listed.evaluate("one => one.scrollTo(0, one.scrollHeight)")
    expect(listed).not_to_have_class(re.compile("cut"))
