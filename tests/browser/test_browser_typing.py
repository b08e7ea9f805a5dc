"""A patient is typed: on the keyboard of the page, on a real one, on the number pad."""

import pytest
from playwright.sync_api import Page, expect

from gateway.panel.words import COOKIE
from tests.browser.conftest import SIZES, Box, ready
from tests.browser.screens.first_start import new_box
from tests.browser.screens.states import sealed
from tests.browser.screens.typed import MEIER, fill

front = pytest.mark.parametrize("size", [SIZES["front"]])  # what it does is the same on the large screen
HAND_MS = 60  # between two keys; a scanner is faster
_KEYS = """() => [...document.querySelectorAll('.hg-button')].filter((e) => e.offsetParent).map((one) => {
  const { x, y, right, bottom } = one.getBoundingClientRect();
  return [x, y, right, bottom];
})"""


def go(page: Page, box: Box, language: str = "en") -> None:
    page.context.add_cookies([{"name": COOKIE, "value": language, "url": box.address}])
    page.goto(f"{box.address}/type")
    ready(page)


def press(page: Page, keys: str) -> None:
    """Press these keys of the page's keyboard, as they are labelled."""
    for key in keys:
        name = {" ": "{space}", "<": "{delete}"}.get(key, key)
        page.locator(f'.hg-button[data-skbtn="{name}"]').tap()


def on(page: Page) -> None:
    """Touch Continue, once it takes a touch for this question."""
    page.locator("#next:not([data-rest])").tap()


def value(page: Page, name: str) -> str:
    return page.locator(f"input[name={name}]").input_value()


@front
def test_a_patient_is_typed_in_gloves_checked_and_examined(page: Page, box: Box) -> None:
    go(page, box, "de")
    press(page, "Müllex<r")
    on(page)
    press(page, "Jörg-Uwe")
    on(page)
    press(page, "3")
    press(page, "0")
    press(page, "21970")
    expect(page.locator("#wrong-what")).to_have_text("Das Geburtsdatum ist kein Kalendertag.")
    on(page)
    expect(page.locator("#progress")).to_have_text("Schritt 3 von 6")
    page.locator("input[name=day]").tap()
    press(page, "3")
    on(page)
    expect(page.locator("#progress")).to_have_text("Schritt 4 von 6")
    expect(page.locator("#next")).to_be_hidden()  # an answer goes on by itself: "not given" is one of them
    expect(page.locator(".choice:visible")).to_have_count(4)
    ready(page)
    page.locator(".choice", has_text="Männlich").tap()
    expect(page.locator("#progress")).to_have_text("Schritt 5 von 6")
    page.locator("#next").tap()  # where many touch who do not expect that the answer was enough
    expect(page.locator("#progress")).to_have_text("Schritt 5 von 6")
    ready(page)
    press(page, "99-1")
    on(page)
    press(page, "Schilddr")
    on(page)
    page.wait_for_url("**/typed")
    expect(page.locator(".grid")).to_contain_text("MÜLLER, Jörg-Uwe")
    ready(page)
    page.locator(".key.next").tap()
    page.wait_for_url("**/live/*")
    exam = box.open_exam()
    patient = exam.patient
    assert (patient.name, patient.id, patient.birth_date) == ("Müller^Jörg-Uwe", "99-1", "19700203")
    assert (patient.sex, exam.procedure.description) == ("M", "Schilddr")


@front
def test_an_exam_of_last_week_is_found_on_the_screen_that_has_no_other_keyboard(page: Page, box: Box) -> None:
    for name in ("Meier^Anna", "Okonkwo^Chidi"):
        sealed(box, 1, name)
    page.goto(f"{box.address}/archive")
    ready(page)
    expect(page.locator(".row")).to_have_count(2)
    page.get_by_role("link", name="Search").tap()
    page.wait_for_url("**/archive/find")
    ready(page)
    press(page, "oko")
    page.get_by_role("button", name="Search").tap()
    page.wait_for_url("**/archive")
    ready(page)
    expect(page.locator(".row")).to_contain_text("OKONKWO")
    assert page.url == f"{box.address}/archive"  # no name stands in an address
    page.get_by_role("button", name="Today").tap()
    expect(page.locator("button[aria-pressed=true]")).to_have_text("Today")
    ready(page)
    expect(page.locator(".row")).to_contain_text("OKONKWO")


@front
def test_a_hand_that_touches_continue_twice_answers_no_question_that_it_has_not_seen(page: Page, box: Box) -> None:
    go(page, box)
    fill(page, 3, **MEIER)
    for name in ("day", "month", "year"):
        page.locator(f"input[name={name}]").fill(MEIER[name])
    twice = page.locator("#next:not([data-rest])").bounding_box()
    assert twice
    spot = (twice["x"] + twice["width"] / 2, twice["y"] + twice["height"] / 2)
    page.touchscreen.tap(*spot)
    page.touchscreen.tap(*spot)  # an answer lies there by now
    expect(page.locator("#progress")).to_have_text("Step 4 of 6")
    ready(page)
    expect(page.locator("#progress")).to_have_text("Step 4 of 6")


@front
def test_a_real_keyboard_types_the_whole_patient(page: Page, box: Box) -> None:
    go(page, box)
    for text in ("Huber", "Max", "5.6.1980", "", "4711"):
        page.keyboard.type(text, delay=HAND_MS)
        page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_have_text("Step 6 of 6")
    page.locator(".hg-button-space").tap()
    page.keyboard.type("Colon", delay=HAND_MS)
    page.keyboard.press("Enter")
    page.wait_for_url("**/typed")
    for fact in ("HUBER, Max", "05-Jun-1980", "4711", "Sex not given", "Colon"):
        expect(page.locator(".grid")).to_contain_text(fact)


@front
@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("31021970", "The birth date is no day of the calendar."),
        ("29021900", "The birth date is no day of the calendar."),
        ("00021970", "The birth date is no day of the calendar."),
        ("01011234", "The birth date is no day of the calendar."),
        ("01012999", "The birth date is in the future."),
    ],
)
def test_a_birth_date_that_cannot_be_is_said_at_once(page: Page, box: Box, typed: str, says: str) -> None:
    go(page, box)
    fill(page, 3, **MEIER)
    press(page, typed)
    expect(page.locator("#wrong-what")).to_have_text(says)
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_have_text("Step 3 of 6")


@front
def test_a_birth_date_may_be_unknown_but_not_half(page: Page, box: Box) -> None:
    go(page, box)
    fill(page, 3, **MEIER)
    page.keyboard.type("1403")
    page.keyboard.press("Enter")
    expect(page.locator("#wrong-what")).to_have_text("The birth date is not complete.")
    page.keyboard.type("68")
    page.keyboard.press("Enter")
    expect(page.locator("#wrong-what")).to_have_text("Write the year with four digits.")
    page.locator("input[name=year]").fill("1968")
    expect(page.locator("#read")).to_have_text("14-Mar-1968")
    for _ in range(10):
        page.keyboard.press("Backspace")
    expect(page.locator("#wrong")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#progress")).to_have_text("Step 4 of 6")


@front
def test_a_name_without_family_goes_no_further(page: Page, box: Box) -> None:
    go(page, box)
    page.locator("#next").tap()
    expect(page.locator("#wrong-what")).to_have_text("The patient's family name is missing.")
    press(page, "A")
    expect(page.locator("#wrong")).to_be_hidden()


@front
def test_an_id_left_empty_is_made_by_the_box_and_said(page: Page, box: Box) -> None:
    go(page, box)
    fill(page, 7, **{**MEIER, "family": "Habermann"})
    page.wait_for_url("**/typed")
    expect(page.locator(".grid")).to_contain_text("made by this box")
    ready(page)
    page.get_by_role("button", name="Yes, start exam").tap()
    page.wait_for_url("**/live/*")
    exam = box.open_exam()
    assert exam.patient.issuer == "LOCAL-US-ROOM-2"
    expect(page.locator(".bar-title")).to_contain_text(exam.patient.id)


@front
def test_what_a_field_holds_already_is_corrected_from_its_end(page: Page, box: Box) -> None:
    new_box(box, archive={"kind": "dicom", "host": "10.0.0.6", "port": 16858, "ae_title": "PACS"})
    page.goto(f"{box.address}/first-start/archive/type/port")
    ready(page)
    page.locator(".hg-button-delete").tap()
    assert page.locator("input[data-keys]").input_value() == "1685"


@front
def test_a_patient_who_is_on_the_list_is_chosen_there_and_a_mistake_is_corrected(page: Page, box: Box) -> None:
    go(page, box)
    fill(page, 7, **MEIER)
    page.wait_for_selector("body.known.ready")
    page.get_by_role("button", name="Correct it").tap()
    page.wait_for_selector("body.type.ready")
    assert (value(page, "family"), value(page, "year")) == ("Meier", "1968")
    fill(page, 7, **MEIER)
    page.wait_for_selector("body.known.ready")
    page.locator("a.row").first.tap()
    page.wait_for_url("**/confirm?item=item-1")


@front
def test_capitals_and_letters_with_accents_come_back_to_the_usual_keys(page: Page, box: Box) -> None:
    go(page, box)
    press(page, "O'")
    press(page, "N")  # a capital again, after the apostrophe
    page.locator(".hg-button-accents").tap()
    press(page, "é")
    press(page, "a")
    for _ in range(2):
        page.locator(".hg-button-accents").tap()
    press(page, "š")
    page.locator(".hg-button-shift").tap()
    press(page, "Tt")
    assert value(page, "family") == "O'NéašTt"


@front
def test_a_key_writes_where_the_caret_is_and_never_beyond_what_fits(page: Page, box: Box) -> None:
    go(page, box)
    page.locator("input[name=family]").fill("x" * 59)
    page.evaluate("document.querySelector('[name=family]').setSelectionRange(2, 4)")
    press(page, "a")
    assert value(page, "family") == "xxa" + "x" * 55
    page.locator("input[name=family]").fill("y" * 60)
    press(page, "a")
    assert value(page, "family") == "y" * 60


@pytest.mark.parametrize("looks", [{"keyboard": name} for name in ("qwerty", "qwertz", "azerty", "italian")])
def test_every_key_of_every_keyboard_can_be_hit(page: Page, box: Box) -> None:
    go(page, box)
    for key in ("", "numbers", "accents", "accents"):
        if key:
            page.locator(f".hg-button-{key}").tap()
        places = page.evaluate(_KEYS)
        assert len(places) > 30
        for place in places:
            assert min(place[2] - place[0], place[3] - place[1]) >= 60
        for n, (x, y, right, bottom) in enumerate(places):
            for x2, y2, right2, bottom2 in places[n + 1 :]:
                apart = max(x2 - right, x - right2), max(y2 - bottom, y - bottom2)
                assert max(apart) >= 3.9


@front
def test_capitals_are_held_for_one_letter_by_one_touch_and_until_the_third_by_two(page: Page, box: Box) -> None:
    go(page, box)
    board, shift = page.locator("#keyboard"), page.locator(".hg-button-shift")
    press(page, "Va")
    shift.tap()
    expect(board).to_have_attribute("data-held", "once")
    expect(shift).to_have_attribute("data-holds", "1\u00d7")
    expect(shift).to_have_attribute("aria-pressed", "mixed")
    press(page, "Nd")
    shift.tap()
    shift.tap()
    expect(board).to_have_attribute("data-held", "locked")
    expect(shift).to_have_attribute("data-holds", "Locked")
    press(page, "ERB")
    shift.tap()
    expect(board).to_have_attribute("data-held", "")
    press(page, "e")
    assert value(page, "family") == "VaNdERBe"
