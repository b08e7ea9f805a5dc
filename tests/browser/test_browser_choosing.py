"""A patient is chosen by a search, by several orders, by a scan."""

import re

import pytest
from playwright.sync_api import Page, expect

from gateway.model import Identity, PleaseCheck
from tests.browser.conftest import SIZES, Box, ready, until
from tests.browser.every_screen import show
from tests.browser.screens.choosing import grouped, scan
from tests.browser.screens.states import exam
from tests.browser.screens.typed import MEIER, fill

front = pytest.mark.parametrize("size", [SIZES["front"]])  # what it does is the same on the large screen


# --- search --------------------------------------------------------------------------------------------------


@front
def test_a_patient_is_found_with_the_letters_of_the_page_and_chosen(page: Page, box: Box) -> None:
    page.goto(f"{box.address}/search")
    ready(page)
    for key in "mey":
        page.locator(f'.hg-button[data-skbtn="{key}"]').tap()
    expect(page.locator("#count")).to_have_text("On the worklist: 1")
    page.locator("#show").tap()
    expect(page.locator(".keyboard")).to_be_hidden()
    page.locator("#found .row").tap()
    page.wait_for_url("**/confirm?item=item-2")


@front
def test_the_keyboard_comes_back_with_the_field(page: Page, box: Box) -> None:
    show("search_nobody", box, page)
    expect(page.locator("#found")).to_contain_text("Not on the worklist.")
    page.locator("#text").tap()
    expect(page.locator(".keyboard")).to_be_visible()
    expect(page.locator("#found")).to_be_hidden()


@front
def test_a_patient_who_is_not_on_the_list_is_looked_for_at_the_servers(page: Page, box: Box) -> None:
    (first, *others) = box.spool.worklist.items()
    box.spool.worklist.replace("ris", others)
    page.goto(f"{box.address}/search")
    ready(page)
    page.locator("#text").fill("meier")
    page.locator("#show").tap()
    expect(page.locator("#found .empty")).to_be_visible()
    page.locator("#servers").tap()
    asked = until(lambda: box.spool.requests.begin("worklist-search"))
    assert asked.arguments == {"text": "meier"}
    box.spool.worklist.add("ris", [first])
    box.spool.requests.done(asked, {"servers": [{"server": "ris", "ok": True, "items": 1}]})
    expect(page.locator("#found .row")).to_contain_text("MEIER, Anna")
    expect(page.locator("#said")).to_have_text("The worklist servers were asked: 1 found.")
    page.goto(box.address)
    expect(page.locator(".row")).to_have_count(5)  # the list is of these days, whatever somebody looked for


@front
def test_servers_that_know_nobody_of_that_name_are_said_to(page: Page, box: Box) -> None:
    show("search_nobody", box, page)
    page.locator("#servers").tap()
    asked = until(lambda: box.spool.requests.begin("worklist-search"))
    box.spool.requests.done(asked, {"servers": [{"server": "ris", "ok": True, "items": 0}]})
    expect(page.locator("#said")).to_have_text("The worklist servers were asked: nobody found.")


@front
def test_a_list_that_comes_later_takes_the_place_of_the_words_that_it_is_asked_for(page: Page, box: Box) -> None:
    rows = box.spool.worklist.items()
    show("choose_asking", box, page)
    expect(page.locator("#list")).to_contain_text("The worklist is being asked for the first time.")
    expect(page.get_by_text("Nobody on the list.")).to_have_count(0)
    box.spool.worklist.replace("ris", rows)
    expect(page.locator(".row")).to_have_count(6)


# --- several orders ------------------------------------------------------------------------------------------


@front
def test_several_orders_of_one_patient_become_one_exam(page: Page, box: Box) -> None:
    grouped(box)
    page.goto(box.address)
    ready(page)
    expect(page.locator(".row").first).to_contain_text("4 orders")
    page.locator(".row").first.tap()
    page.wait_for_url("**/confirm?**")
    for words in ("Thyroid", "Duplex"):
        ready(page)
        key = page.get_by_role("checkbox", name=words)
        expect(key).to_have_attribute("aria-checked", "false")
        key.tap()
        expect(page.get_by_role("checkbox", name=words)).to_have_attribute("aria-checked", "true")
    expect(page.locator(".count-orders")).to_contain_text("One exam for 3 orders")
    ready(page)
    page.get_by_role("checkbox", name="Thyroid").tap()
    expect(page.locator(".count-orders")).to_contain_text("One exam for 2 orders")
    ready(page)
    page.locator(".key.next").tap()
    page.wait_for_url("**/live/*")
    exam = box.open_exam()
    assert (exam.worklist_item, [each.worklist_item for each in exam.further]) == ("item-1", ["more-2"])


# --- scan ----------------------------------------------------------------------------------------------------


@front
@pytest.mark.parametrize("scanned", ["4712-0031", "A-20933", "a-20933", "]C14712-0031"])
def test_a_scan_on_the_list_opens_the_patient_and_the_wristband_starts_the_exam(
    page: Page, box: Box, scanned: str
) -> None:
    page.goto(box.address)
    ready(page)
    scan(page, scanned)
    page.wait_for_url("**/confirm?item=item-3")
    ready(page)
    scan(page, "4712-0031")
    page.wait_for_url("**/live/*")
    assert box.open_exam().patient.id == "4712-0031"


@front
def test_another_patients_wristband_stops_in_red_until_the_right_one_is_read(page: Page, box: Box) -> None:
    show("confirm_other_wristband", box, page)
    expect(page.locator("#other-wristband")).to_contain_text("it says 4712-0031, here stands 4711-0815")
    expect(page.locator(".key.next")).to_be_disabled()
    assert box.spool.exams.list() == []
    scan(page, "4711-0815")
    page.wait_for_url("**/live/*")


@front
def test_a_wristband_does_not_end_another_exam_by_itself(page: Page, box: Box) -> None:
    show("confirm_while_open", box, page)
    scan(page, "4712-0031")
    expect(page.locator("#other-wristband")).to_be_hidden()
    scan(page, "4711-2200")
    expect(page.locator("#other-wristband")).to_be_visible()
    expect(page.locator(".key.next")).to_be_disabled()
    scan(page, "4712-0031")
    expect(page.locator(".key.next")).to_be_enabled()
    assert "/confirm" in page.url
    assert len(box.spool.exams.list()) == 1


@front
def test_a_scan_that_fits_several_entries_asks_which(page: Page, box: Box) -> None:
    show("scanned_several", box, page)
    expect(page.locator(".row")).to_have_count(4)
    page.locator(".row", has_text="Thyroid").tap()
    page.wait_for_url("**/confirm?item=more-1")


@front
def test_a_scan_of_nobody_leads_to_typing_with_the_number(page: Page, box: Box) -> None:
    show("scanned_nobody", box, page)
    expect(page.locator("main")).to_contain_text("9999-0000")
    page.get_by_role("button", name="Type patient").tap()
    page.wait_for_selector("body.type.ready")
    assert page.locator("input[name=id]").input_value() == "9999-0000"


@front
def test_half_a_scan_does_nothing(page: Page, box: Box) -> None:
    page.goto(box.address)
    ready(page)
    scan(page, "4712-", end="")
    page.wait_for_function("(at) => performance.now() > at + 400", arg=page.evaluate("performance.now()"))
    scan(page, "00", end="Enter")  # too short to be one
    assert page.url.rstrip("/") == box.address


@front
@pytest.mark.parametrize("scanned", ["x" * 10_000, "<img src=x onerror=alert(1)>", "' OR 1=1 --", "\u202eabc"])
def test_a_scan_of_rubbish_is_said_to_be_nobody(page: Page, box: Box, scanned: str) -> None:
    page.goto(box.address)
    ready(page)
    scan(page, scanned)
    page.wait_for_selector("body.known.ready")
    expect(page.locator(".strip.warn")).to_contain_text(re.compile("Nobody on the list|no barcode"))
    assert page.locator("main img").count() == 0


@front
def test_a_scan_on_the_live_screen_takes_no_picture_and_ends_nothing(page: Page, box: Box) -> None:
    show("live", box, page)
    page.locator("#finish").focus()
    scan(page, "4711 0815 A")
    page.evaluate("document.activeElement.blur()")
    scan(page, "4711 0815 A")
    page.keyboard.press("Space")  # this one does
    expect(page.locator("#tally")).to_have_text("4 images")
    assert "/live/" in page.url


@front
def test_a_scan_into_a_name_changes_nothing(page: Page, box: Box) -> None:
    page.goto(f"{box.address}/type")
    ready(page)
    page.locator("input[name=family]").fill("Meier")
    page.evaluate(
        """() => {
          const field = document.activeElement;
          for (const key of [...'4712-0031', 'Enter']) {
            const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
            if (field.dispatchEvent(event) && key.length === 1) field.value += key;
          }
        }"""
    )
    assert page.locator("input[name=family]").input_value() == "Meier"
    expect(page.locator("#wrong-what")).to_contain_text("A scanned number belongs into the patient ID")
    expect(page.locator("#progress")).to_have_text("Step 1 of 6")
    page.locator("#next").tap()
    fill(page, 1, **MEIER)
    expect(page.locator("#progress")).to_have_text("Step 2 of 6")


# --- who works here ------------------------------------------------------------------------------------------


@front
def test_one_touch_says_who_works_and_another_one_in_the_bar_changes_it(page: Page, box: Box) -> None:
    show("choose_operator", box, page)
    page.get_by_role("button", name="Huber, Maria").tap()
    expect(page.locator(".operators")).to_be_hidden()
    expect(page.locator(".operator")).to_contain_text("Huber, Maria")
    ready(page)
    page.locator(".row").first.tap()
    page.wait_for_url("**/confirm?**")
    ready(page)
    page.get_by_role("button", name="Yes, start exam").tap()
    page.wait_for_url("**/live/*")
    assert box.open_exam().operator == "Huber^Maria"
    ready(page)
    page.locator(".operator").tap()
    page.wait_for_selector("body.more.ready")
    page.get_by_role("button", name="Rossi, Paolo").tap()
    page.wait_for_url("**/live/*")
    assert box.open_exam().operator == "Rossi^Paolo"


# --- nobody works --------------------------------------------------------------------------------------------


@front
def test_the_live_screen_asks_whether_the_patient_is_still_there_and_yes_goes_on(page: Page, box: Box) -> None:
    show("live", box, page)
    exam = box.open_exam().id
    expect(page.locator(".idle-ask")).to_have_count(0)
    box.spool.exams.ask_to_check(exam, PleaseCheck.IDLE)
    expect(page.locator(".idle-ask")).to_contain_text("Is this still MEIER, Anna?")
    page.locator("#capture").tap()  # a picture meanwhile is kept
    expect(page.locator("#tally")).to_have_text("4 images")
    page.get_by_role("button", name="Yes, go on").tap()
    expect(page.locator(".idle-ask")).to_have_count(0)
    assert box.spool.exams.get(exam).please_check == ""


@front
def test_an_exam_that_is_finished_without_an_answer_waits_to_be_checked(page: Page, box: Box) -> None:
    show("live_idle", box, page)
    exam = box.open_exam().id
    page.get_by_role("link", name="No, finish exam").tap()
    page.wait_for_url("**/finish/*")
    ready(page)
    page.locator(".key.next").tap()
    page.wait_for_url("**/exam/*")
    assert box.spool.exams.get(exam).please_check == "idle"
    expect(page.locator(".strip.warn")).to_contain_text("Nobody worked on it for a long time.")


@front
def test_finish_is_the_answer_when_somebody_is_there(page: Page, box: Box) -> None:
    show("live_idle", box, page)
    exam = box.open_exam().id
    page.goto(f"{box.address}/finish/{exam}")
    ready(page)
    expect(page.locator(".strip.warn")).to_contain_text("Are all pictures of MEIER, Anna?")
    page.get_by_role("button", name="Yes: finish and send").tap()
    page.wait_for_url("**/exam/*")
    assert box.spool.exams.get(exam).please_check == ""


# --- is this your patient? -----------------------------------------------------------------------------------


@front
def test_all_that_tells_patients_apart_is_seen_below_many_warnings_without_scrolling(page: Page, box: Box) -> None:
    show("confirm_much_to_warn_of", box, page)
    shown = page.locator(".cards").bounding_box()
    cards = page.locator(".cards .card").all()
    assert shown
    assert len(cards) == 5
    for card in cards:
        place = card.bounding_box()
        assert place
        assert place["y"] + place["height"] <= shown["y"] + shown["height"] + 0.5, card.inner_text()


@front
@pytest.mark.parametrize("whence", ["finish", "live"])
def test_who_chooses_the_patient_of_an_open_exam_comes_back_to_where_that_began(
    page: Page, box: Box, whence: str
) -> None:
    opened = exam(box, 1, identity=Identity.TEMPORARY)
    for each in ("finish", "live") if whence == "live" else ("live", "finish"):
        page.goto(f"{box.address}/{each}/{opened.id}")
        ready(page)
    page.locator("#banner").tap()
    page.wait_for_url("**/?assign=*")
    page.goto(f"{box.address}/confirm?item=item-3&assign={opened.id}")
    ready(page)
    page.locator(".answer .next").tap()
    page.wait_for_url(f"**/{whence}/{opened.id}")
    expect(page.locator("#banner")).to_contain_text("OKONKWO")
