"""From the list to the delivery, by hand, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from gateway.model import ExamState, Identity
from gateway.spool.erasure import erasable, erasing
from tests.browser.conftest import SIZES, Box, open_first_patient, ready, until
from tests.browser.screens.states import said_of_forward

front = pytest.mark.parametrize("size", [SIZES["front"]])  # what it does is the same on the large screen


def tap(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name)).first.tap()


def test_an_exam_with_a_still_and_a_clip_takes_the_touches_it_should(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    assert box.spool.exams.get(exam).patient.name == "Meier^Anna"
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")
    expect(page.locator("#said")).to_have_text("✓ Picture 1 stored")
    page.locator("#clip").tap()
    expect(page.locator("#rec")).to_contain_text("REC 00:03 of 02:00")
    expect(page.locator("#ends")).to_be_hidden()
    box.capture.script.ends = {"why": "limit", "seconds": 43}
    expect(page.locator("#ends")).to_have_text("The clip ends by itself in 00:43")
    expect(page.locator("#clip")).to_have_class(re.compile("recording-clip"))
    expect(page.locator("#finish")).to_contain_text("Stop the clip first")
    page.locator("#finish").tap(force=True)
    assert "/live/" in page.url
    page.locator("#clip").tap()
    expect(page.locator("#tally")).to_have_text("1 image · 1 clip")
    expect(page.locator("#finish")).to_have_attribute("aria-disabled", "false")
    page.locator("#finish").tap()
    page.wait_for_url("**/finish/*")
    ready(page)
    expect(page.locator(".contact li")).to_have_count(2)
    said_of_forward(box, destinations=[])
    tap(page, "Finish and send")
    page.wait_for_url("**/exam/*")
    expect(page.locator(".saved")).to_have_text("Saved. Will be sent.")
    assert box.spool.exams.get(exam).state is ExamState.FINISHED


@front
def test_after_an_exam_the_list_comes_by_itself_and_a_key_shows_when(page: Page, box: Box) -> None:
    open_first_patient(page, box)
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")
    page.locator("#finish").tap()
    page.wait_for_url("**/finish/*")
    ready(page)
    tap(page, "Finish and send")
    page.wait_for_url("**/exam/*")
    expect(page.locator("body")).to_have_class(re.compile("advancing"))
    page.wait_for_url("**/?next=1&came=1")
    ready(page)
    expect(page.locator("body")).to_have_class(re.compile("covered"))


@front
def test_who_touches_the_screen_after_an_exam_stays_there(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    page.locator("#finish").tap()
    page.wait_for_url("**/finish/*")
    ready(page)
    box.spool.exams.finish(exam)
    page.goto(f"{box.address}/exam/{exam}?done=1")
    expect(page.locator("body")).to_have_class(re.compile("advancing"))
    page.locator(".sum").tap()
    expect(page.locator("body")).not_to_have_class(re.compile("advancing"))


@front
def test_a_page_asked_for_while_the_box_starts_anew_comes_once_it_is_there(page: Page, box: Box) -> None:
    page.goto(f"{box.address}/more")
    ready(page)
    page.wait_for_function("events && events.readyState === EventSource.OPEN")
    box.panel.stop()
    page.wait_for_function("broken")
    tap(page, "Box in numbers")
    expect(page.locator("#lost")).to_be_visible()
    assert page.url.endswith("/more")
    box.panel.start()
    page.wait_for_url("**/numbers")
    ready(page)


def test_every_exam_screen_says_who_the_patient_is(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")
    (capture,) = box.spool.captures.of_exam(exam)
    for path in (f"live/{exam}", f"finish/{exam}", f"exam/{exam}", f"picture/{capture.capture.sop_instance_uid}"):
        page.goto(f"{box.address}/{path}")
        banner = page.locator(".bar-title")
        for fact in ("MEIER, Anna", "14-Mar-1968", "4711-0815"):
            expect(banner).to_contain_text(fact)


@front
def test_a_similar_name_and_a_missing_birth_date_are_said_before_the_exam(page: Page, box: Box) -> None:
    page.goto(f"{box.address}/confirm?item=item-1")
    expect(page.locator(".strip.warn")).to_contain_text("Similar name on the list: MEYER, Anna")
    page.goto(f"{box.address}/confirm?item=item-6")
    expect(page.locator(".grid")).to_contain_text("Birth date not given: ask")
    page.goto(f"{box.address}/confirm?item=item-5")
    expect(page.locator(".grid .name")).to_have_text("王 小东")
    expect(page.locator(".grid .second")).to_have_text("WANG, Xiaodong")


@front
def test_without_patient_the_first_still_takes_two_touches_and_the_patient_comes_later(
    page: Page, box: Box
) -> None:
    page.goto(box.address)
    ready(page)
    tap(page, "Start without patient")
    page.wait_for_selector("body[data-live=on].ready")
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")
    exam = box.open_exam()
    assert exam.identity is Identity.TEMPORARY
    expect(page.locator(".bar.temporary")).to_contain_text(exam.patient.id)
    page.goto(f"{box.address}/finish/{exam.id}")
    ready(page)
    tap(page, "Finish and keep")
    page.wait_for_url("**/exam/*")
    ready(page)
    expect(page.locator(".strip.warn")).to_contain_text("Needs a patient")
    tap(page, "Choose the patient")
    page.wait_for_url("**/?assign=*")
    ready(page)
    page.locator(".row").nth(2).tap()
    page.wait_for_url("**/confirm?**")
    ready(page)
    tap(page, "Yes: send the pictures")
    page.wait_for_url("**/exam/*")
    expect(page.locator(".bar-title")).to_contain_text("OKONKWO, Chidi")
    assert box.spool.exams.get(exam.id).identity is Identity.WORKLIST


@front
def test_choosing_another_patient_closes_the_open_exam_only_after_asking(page: Page, box: Box) -> None:
    first = open_first_patient(page, box)
    page.locator("#capture").tap()
    expect(page.locator("#tally")).to_have_text("1 image")
    page.goto(box.address)
    expect(page.locator(".row-strip")).to_contain_text("is still open (1 image)")
    expect(page.locator(".row-strip .shield :not(.initials)")).to_have_text("MEIER, Anna")
    page.goto(f"{box.address}/confirm?item=item-3")
    ready(page)
    expect(page.locator(".strip.warn")).to_contain_text("It ends now and waits on this box")
    tap(page, "End it, start this one")
    page.wait_for_url("**/live/*")
    assert box.spool.exams.get(first).please_check == "closed-by-next"
    page.goto(box.address)
    ready(page)
    page.locator(".row-strip", has_text="Please check: still MEIER, Anna").tap()
    page.wait_for_url("**/exam/*")
    ready(page)
    tap(page, "Yes: send the pictures")
    until(lambda: not box.spool.exams.get(first).please_check)


@front
def test_a_picture_is_removed_with_two_touches_and_brought_back_with_one(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    page.locator("#capture").tap()
    page.locator("#thumbs a").first.tap()
    page.wait_for_url("**/picture/*")
    ready(page)
    tap(page, "Remove")
    assert box.spool.captures.of_exam(exam)[0].capture.state == "saved"
    ready(page)
    tap(page, "Touch again to remove")
    expect(page.get_by_role("button", name="Bring back")).to_be_visible()
    assert box.spool.captures.of_exam(exam)[0].capture.state == "rejected"
    ready(page)
    tap(page, "Bring back")
    expect(page.get_by_role("button", name="Remove")).to_be_visible()


@front
def test_the_list_follows_the_worklist_without_a_touch(page: Page, box: Box) -> None:
    page.goto(box.address)
    expect(page.locator(".row")).to_have_count(6)
    box.spool.worklist.replace("ris", box.spool.worklist.items()[:2])
    expect(page.locator(".row")).to_have_count(2)


@front
def test_a_refused_touch_says_what_happened_and_what_to_do(page: Page, box: Box) -> None:
    page.goto(f"{box.address}/confirm?item=item-1")
    ready(page)
    box.spool.worklist.replace("ris", [])
    tap(page, "Yes, start exam")
    expect(page.locator("#problem")).to_contain_text("no longer on the worklist")
    expect(page.locator("#problem")).to_contain_text("Refresh the list and choose again.")


@front
def test_an_exam_that_is_erased_leaves_the_screen_too(page: Page, box: Box) -> None:
    exam = open_first_patient(page, box)
    box.spool.exams.finish(exam)
    page.goto(f"{box.address}/exam/{exam}")
    expect(page.locator(".bar-title")).to_contain_text("MEIER, Anna")
    erasing.erase(box.spool, erasable.loss(box.spool, exam, []), by="command-line", servers=())
    page.wait_for_url(f"{box.address}/")
