"""What a technician does with pictures after taking them, by hand: their side, their exam, out and back again."""

import pytest
from playwright.sync_api import Page, Route, expect

from gateway.model import Exam, Identity, Patient, Side
from gateway.spool.subjects import Subject
from tests.browser.conftest import SIZES, Box, open_first_patient, ready, until
from tests.browser.screens.states import LONG
from tests.browser.screens.states import exam as exam_with
from tests.unit.panel.fake_capture import START

front = pytest.mark.parametrize("size", [SIZES["front"]])  # what it does is the same on the large screen


def sides(box: Box, exam: str) -> list[str]:
    return [each.capture.side for each in box.spool.captures.of_exam(exam)]


def press(page: Page, images: str) -> None:
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text(images)


@front
def test_one_touch_says_the_side_of_the_picture_just_taken_and_of_those_that_follow(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    press(page, "1 image")
    left = page.locator("[data-side=L]")
    left.tap()
    expect(left).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#said")).to_have_text("Left from now on, and picture 1")
    expect(page.locator("#thumbs b").first).to_have_text("Left")
    press(page, "2 images")
    page.locator("[data-side=R]").tap()
    expect(page.locator("[data-side=R]")).to_have_attribute("aria-pressed", "true")
    expect(left).to_have_attribute("aria-pressed", "false")
    press(page, "3 images")
    expect(page.locator("#thumbs b")).to_have_text(["Right", "Left", "Left"])
    page.locator("[data-side=R]").tap()
    expect(page.locator("[data-side=R]")).to_have_attribute("aria-pressed", "false")
    press(page, "4 images")
    assert sides(box, exam) == [Side.LEFT, Side.LEFT, Side.RIGHT, Side.NOT_SAID]


@front
def test_a_side_that_was_said_on_another_screen_is_shown(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    box.spool.sides.from_now_on(exam, Side.LEFT)
    expect(page.locator("[data-side=L]")).to_have_attribute("aria-pressed", "true")
    press(page, "1 image")
    assert sides(box, exam) == [Side.LEFT]


@front
def test_a_press_right_after_a_side_is_of_that_side_though_the_box_has_not_answered(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/laterality", hold)
    page.locator("[data-side=R]").tap()
    press(page, "1 image")
    assert sides(box, exam) == [Side.RIGHT]
    expect(page.locator("[data-side=R]")).to_have_attribute("aria-pressed", "false")
    waiting[0].continue_()
    expect(page.locator("[data-side=R]")).to_have_attribute("aria-pressed", "true")


@front
def test_a_side_is_changed_on_the_page_of_the_picture_and_taken_back_there(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    press(page, "1 image")
    page.locator("#thumbs a").first.tap()
    page.wait_for_url("**/picture/*")
    for word, side in (("Both", Side.BOTH), ("No side", Side.UNPAIRED), ("No side", Side.NOT_SAID)):
        ready(page)
        page.locator(".side-key", has_text=word).tap()
        until(lambda side=side: sides(box, exam) == [side])
        pressed = page.locator(".side-key[aria-pressed=true]")
        expect(pressed).to_have_text([word] if side else [])


@front
def test_one_touch_marks_a_key_image_and_another_takes_it_back_and_the_finish_sheet_counts(
    page: Page, box: Box
) -> None:
    exam = open_first_patient(page, box)
    press(page, "1 image")
    page.locator("#thumbs a").first.tap()
    page.wait_for_url("**/picture/*")
    for marked in (True, False, True):
        ready(page)
        page.locator(".key-image").tap()
        until(lambda marked=marked: [each.key for each in box.spool.captures.of_exam(exam)] == [marked])
        expect(page.locator(".key-image")).to_have_attribute("aria-pressed", str(marked).lower())
    ready(page)
    page.get_by_text("Back to live").tap()
    expect(page.locator("#tally")).to_have_text("1 image · 1 key")
    expect(page.get_by_role("img", name="key image")).to_be_visible()
    ready(page)
    page.locator("#finish").tap()
    page.wait_for_url("**/finish/*")
    expect(page.locator(".sum")).to_contain_text("1 image · 1 key")
    expect(page.locator(".contact")).to_contain_text("key image")


@front
def test_a_mark_that_was_set_on_another_screen_shows_on_the_live_screen(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    press(page, "1 image")
    (taken,) = box.spool.captures.of_exam(exam)
    box.spool.key_images.mark(taken.capture.sop_instance_uid, key=True)
    expect(page.locator("#tally")).to_have_text("1 image · 1 key")


@front
def test_finish_asks_for_the_sides_that_are_missing_and_one_touch_answers(page: Page, box: Box) -> None:
    opened = exam_with(box, 2)
    box.capture.store(opened, frame=START + 1, side=Side.RIGHT)
    page.goto(f"{box.address}/finish/{opened.id}")
    ready(page)
    expect(page.locator(".side-asked")).to_contain_text("Pictures without a side: 2")
    page.locator(".side-asked .side-key", has_text="Left").tap()
    expect(page.locator(".side-asked")).to_have_count(0)
    assert sides(box, opened.id) == [Side.LEFT, Side.LEFT, Side.RIGHT]


@front
def test_a_removed_picture_comes_back_from_the_finish_sheet(page: Page, box: Box) -> None:
    opened = exam_with(box, 2)
    first, _ = box.spool.captures.of_exam(opened.id)
    box.spool.captures.reject(first.capture.sop_instance_uid, "removed on the panel")
    page.goto(f"{box.address}/finish/{opened.id}")
    ready(page)
    page.locator(".contact .rejected").tap()
    page.wait_for_url("**/picture/*")
    ready(page)
    page.get_by_role("button", name="Bring back").tap()
    until(lambda: [each.capture.state for each in box.spool.captures.of_exam(opened.id)] == ["saved", "saved"])


def closed_by_another(box: Box) -> tuple[Exam, Exam]:
    first = exam_with(box, 3)
    other = Subject(identity=Identity.TYPED, patient=Patient(name="Okonkwo^Chidi", id="4712-0031"))
    return first, box.spool.exams.open(other, close_open=True)[0]


@front
def test_what_was_taken_of_the_next_patient_goes_to_that_patient_in_four_touches(page: Page, box: Box) -> None:
    first, second = closed_by_another(box)
    page.goto(f"{box.address}/exam/{first.id}")
    ready(page)
    page.locator(".contact a").nth(1).tap()
    page.wait_for_url("**/picture/*")
    ready(page)
    page.get_by_role("link", name="Wrong patient", exact=True).tap()
    page.wait_for_url("**/move/*")
    ready(page)
    row = page.locator("button.row")
    row.tap()
    expect(row).to_contain_text("Touch again to move here: 2 images")
    expect(row).to_contain_text("OKONKWO, Chidi")
    assert len(box.spool.captures.of_exam(first.id)) == 3
    ready(page)
    row.tap()
    page.wait_for_url(f"**/exam/{second.id}")
    assert [len(box.spool.captures.of_exam(each.id)) for each in (first, second)] == [1, 2]
    expect(page.locator("#answer")).to_have_text("Moved to OKONKWO, Chidi: 2 images")
    page.reload()
    expect(page.locator("#answer")).to_be_hidden()  # it is told once


@front
def test_the_next_exam_of_a_patient_takes_one_touch(page: Page, box: Box) -> None:
    first = exam_with(box, 1)
    box.spool.exams.finish(first.id)
    page.goto(f"{box.address}/exam/{first.id}")
    ready(page)
    page.get_by_role("button", name="Next exam, same patient").tap()
    page.wait_for_url("**/live/*")
    opened = box.open_exam()
    assert opened.patient == first.patient
    assert opened.id != first.id


@front
def test_an_exam_that_left_is_opened_again_with_two_touches(page: Page, box: Box) -> None:
    first = exam_with(box, 1)
    box.spool.exams.finish(first.id)
    box.spool.exams.release(first.id)
    page.goto(f"{box.address}/exam/{first.id}")
    ready(page)
    page.get_by_role("button", name="Open again").tap()
    assert box.spool.exams.open_one() is None
    ready(page)
    page.get_by_role("button", name="Touch again to open it").tap()
    page.wait_for_url(f"**/live/{first.id}")
    assert box.open_exam().id == first.id


@front
def test_from_the_live_screen_the_name_leads_to_giving_the_exam_another_patient_and_nothing_is_changed_before_yes(
    page: Page, box: Box
) -> None:
    open_first_patient(page, box)
    press(page, "1 image")
    press(page, "2 images")
    exam = box.open_exam()
    expect(page.locator("#banner .wrong")).to_have_text("Wrong patient?")
    page.locator("#banner").tap()
    page.wait_for_url("**/wrong/*")
    ready(page)
    page.get_by_role("link", name="The whole exam").tap()
    page.wait_for_url("**/?assign=*")
    ready(page)
    expect(page.locator("#list .row", has_text="MEIER")).to_have_count(0)  # whom one wants to leave
    page.locator(".row", has_text="OKONKWO").tap()
    page.wait_for_url("**/confirm?**")
    assert box.spool.exams.get(exam.id) == exam
    ready(page)
    page.get_by_role("button", name="Yes, it is this patient 2 images, under this name").tap()
    page.wait_for_url(f"**/live/{exam.id}")
    expect(page.locator("#answer")).to_have_text("Moved to OKONKWO, Chidi: 2 images")


@front
def test_where_the_words_have_no_room_the_bar_does_not_grow_for_them(page: Page, box: Box) -> None:
    exam = exam_with(box, 1, name=LONG)
    page.goto(f"{box.address}/live/{exam.id}")
    ready(page)
    expect(page.locator("#banner .wrong")).to_be_visible()
    height = "() => document.querySelector('.bar').offsetHeight"
    before = page.evaluate(height)
    page.evaluate(
        "() => { document.querySelector('#banner .fact b').append(' 0123456789'.repeat(2)); sayWrong(); }"
    )
    expect(page.locator("#banner .wrong")).to_be_hidden()
    assert page.evaluate(height) == before
